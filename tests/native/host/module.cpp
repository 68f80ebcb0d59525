// The operations of csrc/cuda, run on the CPU, as a Python module for the tests.
#include <pybind11/pybind11.h>

#include "../../../csrc/cuda/bindings.h"
#include "../../../csrc/cuda/host/execution.h"

namespace py = pybind11;
namespace host = streamhmm::host;

PYBIND11_MODULE(cuda_on_host, m) {
  streamhmm::cuda::bind(m);
  py::enum_<host::Order>(m, "Order", py::module_local())
      .value("FORWARD", host::Order::forward)
      .value("REVERSE", host::Order::reverse)
      .value("RANDOM", host::Order::random);
  m.def(
      "set_order",
      [](host::Order order, uint64_t seed) { host::settings().order = order, host::settings().seed = seed; },
      py::arg("order"), py::arg("seed") = 0);
  m.def(
      "set_card",
      [](size_t shared_bytes, int multiprocessors) { host::settings().card = {shared_bytes, multiprocessors}; },
      py::arg("shared_bytes") = host::Card{}.shared_bytes, py::arg("multiprocessors") = host::Card{}.multiprocessors);
}
