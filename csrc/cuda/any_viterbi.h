// Viterbi for graphs of any family: a block a sequence, going from arc to arc. It knows beams, constraints and
// double precision, and is what the kernels for special graphs have to agree with.
#pragma once

#include <memory>

#include "../constrained_viterbi.h"
#include "path_finder.h"

namespace streamhmm::cuda {

// In double precision where `in_double`.
std::unique_ptr<PathFinder> any_path_finder(const DeviceBatch& batch, const GraphSizes& sizes,
                                            const Inspection& inspection, const Selection& selection, double beam,
                                            const Constraints& constraints, bool in_double);

}  // namespace streamhmm::cuda
