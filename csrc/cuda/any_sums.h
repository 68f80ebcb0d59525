// Sums over paths for graphs of any family: a block a sequence, going from arc to arc. What the kernels for special
// graphs have to agree with.
#pragma once

#include <memory>

#include "outgoing.h"
#include "summer.h"

namespace streamhmm::cuda {

enum class SumNumbers { scaled_float, scaled_double, logarithms };

std::unique_ptr<Summer> any_summer(const DeviceBatch& batch, const GraphSizes& sizes, const Inspection& inspection,
                                   const OutgoingIndex& outgoing, const Selection& selection, SumNumbers numbers);

}  // namespace streamhmm::cuda
