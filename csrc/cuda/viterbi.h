// Viterbi on the device: the recursion of ../viterbi.h. Nothing here waits for the device.
#pragma once

#include "../constrained_viterbi.h"
#include "device_batch.h"

namespace streamhmm::cuda {

// Results as of streamhmm::viterbi(), in the device's memory, but that a sequence with NaN or +inf among the scores or
// weights that it reads, or with a fixed state that its graph does not have, has the score NaN and states −1.
// `workspace` is what the operation works in: with a null one nothing is done, and the bytes that it takes are
// returned.
int64_t viterbi(const DeviceBatch& batch, double beam, const Constraints& constraints, int64_t* states, double* score,
                void* workspace);

}  // namespace streamhmm::cuda
