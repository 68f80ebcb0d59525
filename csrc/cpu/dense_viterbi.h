// Viterbi on dense graphs, for the driver in viterbi.cpp.
#pragma once

#include "batch_rows.h"

namespace streamhmm {

// For up to kDenseTile sequences of the batch that share `record`, the longest first, none empty. States and scores are
// set to "no path" beforehand.
template <class Real>
void dense_viterbi(const Batch& batch, const GraphRecord& record, double beam, const int64_t* sequences, int count,
                   FirstInvalid& invalid, int64_t* states, double* score);

// For a whole batch that shares one dense graph.
template <class Real>
void dense_viterbi_batch(const Batch& batch, double beam, FirstInvalid& invalid, int64_t* states, double* score);

}  // namespace streamhmm
