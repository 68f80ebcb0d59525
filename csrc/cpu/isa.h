// The choice among the kernel tables: the best one that this processor runs, or the one that STREAMHMM_ISA names.
#pragma once

#include <string>
#include <vector>

#include "kernels.h"

namespace streamhmm {

// Names of the instruction sets that were built and that this processor runs, best first.
std::vector<std::string> available_isas();

// Chooses by name and returns the name chosen before; throws std::invalid_argument.
std::string select_isa(const std::string& name);

}  // namespace streamhmm
