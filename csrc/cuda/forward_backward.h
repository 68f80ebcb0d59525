// Sums over all paths on the device: the recursions of ../forward_backward.h. Nothing here waits for the device.
#pragma once

#include "../forward_backward.h"
#include "device_batch.h"

namespace streamhmm::cuda {

// Results as of streamhmm::forward_backward(), in the device's memory, but that all results of a sequence with NaN or
// +inf among the scores or weights that it reads are NaN, and that by_state, by_pdf are float where scores are of half
// precision. `workspace` as in viterbi.h.
int64_t forward_backward(const DeviceBatch& batch, const Sums& sums, void* workspace);

}  // namespace streamhmm::cuda
