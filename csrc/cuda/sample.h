// Paths drawn from the posterior on the device: the rules of ../sample.h. Nothing here waits for the device.
#pragma once

#include "../sample.h"
#include "device_batch.h"

namespace streamhmm::cuda {

// States as of streamhmm::sample(), −1 for sequences with NaN or +inf. `workspace` as in viterbi.h.
int64_t sample(const DeviceBatch& batch, const Samples& samples, void* workspace);

}  // namespace streamhmm::cuda
