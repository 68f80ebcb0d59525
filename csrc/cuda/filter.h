// Filtering and fixed-lag smoothing on the device: the recursions of ../filter.h. Nothing here waits for the device.
#pragma once

#include "../filter.h"
#include "device_batch.h"

namespace streamhmm::cuda {

// Results as of streamhmm::filter(), NaN for sequences as in forward_backward.h. `workspace` as in viterbi.h.
int64_t filter(const DeviceBatch& batch, const Window& window, const Filtered& result, void* workspace);

}  // namespace streamhmm::cuda
