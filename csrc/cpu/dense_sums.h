// Sums over the paths of dense graphs, for the driver in forward_backward.cpp.
#pragma once

#include "../forward_backward.h"
#include "batch_rows.h"

namespace streamhmm {

// For sequence b of the batch, not empty, whose graph is `record`. False if nothing is filled: the caller looks at the
// scores and takes numbers of a wider range.
template <class Real>
bool dense_sums(const Batch& batch, const GraphRecord& record, int64_t b, const Sums& sums);

// For a whole batch that shares one dense graph: sets done[b] to whether sequence b is done, but for empty ones.
template <class Real>
void dense_sums_batch(const Batch& batch, const Sums& sums, bool* done);

}  // namespace streamhmm
