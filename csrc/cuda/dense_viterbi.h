// Viterbi for a dense graph that the batch shares, with the same transitions in every frame.
#pragma once

#include <memory>

#include "path_finder.h"

namespace streamhmm::cuda {

// In single precision, for the sequences without any flag; null where the batch, a beam or the card asks for the
// general kernel.
std::unique_ptr<PathFinder> dense_path_finder(const DeviceBatch& batch, const GraphSizes& sizes,
                                              const Inspection& inspection, double beam);

}  // namespace streamhmm::cuda
