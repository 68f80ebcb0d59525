// Viterbi for plain linear graphs: a warp a tile of states, which goes through the frames in chunks and hands what the
// tile above needs to its warp. So one long sequence spreads over many multiprocessors, and many short ones share them.
#pragma once

#include <memory>

#include "path_finder.h"

namespace streamhmm::cuda {

// In double precision where `in_double`. For the plain linear graphs of the selection only, without a beam.
std::unique_ptr<PathFinder> linear_path_finder(const DeviceBatch& batch, const GraphSizes& sizes,
                                               const Inspection& inspection, const Selection& selection,
                                               bool in_double);

}  // namespace streamhmm::cuda
