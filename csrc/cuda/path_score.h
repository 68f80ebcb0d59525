// What is the same for all ways of finding paths: results where nothing has been found, and the scores of paths.
#pragma once

#include "inspection.h"

namespace streamhmm::cuda {

// All states −1.
void clear_paths(const DeviceBatch& batch, int64_t* states, int64_t count);

// The score of each path, summed in double; −inf where there is none, NaN where the sequence is invalid, whose states
// become −1.
void score_paths(const DeviceBatch& batch, const Inspection& inspection, int64_t* states, double* score);

}  // namespace streamhmm::cuda
