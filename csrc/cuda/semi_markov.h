// Explicit durations on the device: the recursion of ../semi_markov.h. Nothing here waits for the device.
#pragma once

#include "../semi_markov.h"
#include "device_batch.h"

namespace streamhmm::cuda {

// The arguments are those of the functions of the same names for the CPU, in the device's memory, and so are the
// results, but that a sequence that reads NaN or +inf has the score NaN and states −1. `workspace` is what the
// operation works in: with a null one nothing is done, and the bytes that it takes are returned.
int64_t semi_markov_viterbi(const DeviceBatch& batch, const Durations& durations, int64_t* states, double* score,
                            void* workspace);

// Posteriors are double where scores are, else float, and everything of a sequence that reads NaN or +inf is NaN.
// `segment_counts` is (batch, longest, states), zeroed by the caller, or null.
int64_t semi_markov_sums(const DeviceBatch& batch, const Durations& durations, const Sums& sums, double* segment_counts,
                         void* workspace);

}  // namespace streamhmm::cuda
