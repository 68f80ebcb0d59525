// Sums over the paths of dense graphs, for the driver in forward_backward.cpp.
#pragma once

#include "../forward_backward.h"
#include "batch_rows.h"

namespace streamhmm {

// For up to kDenseTile sequences of the batch that share `record`, the longest first, none empty. Returns a bit for
// each of them that is done. For the others nothing is filled: the caller looks at their scores and takes numbers of a
// wider range.
template <class Real>
uint32_t dense_sums(const Batch& batch, const GraphRecord& record, const int64_t* sequences, int count,
                    const Sums& sums);

}  // namespace streamhmm
