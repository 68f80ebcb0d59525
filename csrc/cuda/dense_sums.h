// Sums over paths of a dense graph that the batch shares, with the same transitions in every frame.
#pragma once

#include <memory>

#include "summer.h"

namespace streamhmm::cuda {

// In single precision, for the sequences without any flag; those whose probabilities leave its range are flagged as
// kFaint. Null where the batch, or what is wanted, asks for the general kernels.
std::unique_ptr<Summer> dense_summer(const DeviceBatch& batch, const GraphSizes& sizes, const Inspection& inspection,
                                     const SumTargets& to);

}  // namespace streamhmm::cuda
