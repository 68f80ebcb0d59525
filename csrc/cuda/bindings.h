// The operations on the device as Python sees them.
#pragma once

#include <pybind11/pybind11.h>

namespace streamhmm::cuda {

void bind(pybind11::module_& m);

}  // namespace streamhmm::cuda
