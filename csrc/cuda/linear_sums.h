// Sums over paths for plain linear graphs: a warp a tile of states, forward from the first tile up, back from the last
// one down; see linear_viterbi.h.
#pragma once

#include <memory>

#include "summer.h"

namespace streamhmm::cuda {

// For the plain linear graphs of the selection only; in double precision where scores are.
std::unique_ptr<Summer> linear_summer(const DeviceBatch& batch, const GraphSizes& sizes, const Inspection& inspection,
                                      const Selection& selection);

}  // namespace streamhmm::cuda
