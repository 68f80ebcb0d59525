// Viterbi on dense graphs, for the driver in viterbi.cpp.
#pragma once

#include "batch_rows.h"

namespace streamhmm {

// For sequence b of the batch, not empty, whose graph is `record`. States and scores are set to "no path" beforehand.
template <class Real>
void dense_viterbi(const Batch& batch, const GraphRecord& record, double beam, int64_t b, FirstInvalid& invalid,
                   int64_t* states, double* score);

// For a whole batch that shares one dense graph.
template <class Real>
void dense_viterbi_batch(const Batch& batch, double beam, FirstInvalid& invalid, int64_t* states, double* score);

}  // namespace streamhmm
