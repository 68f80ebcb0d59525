// Dynamic time warping on the device: the recursion of ../dtw.h. Nothing here waits for the device.
#pragma once

#include "../dtw.h"

namespace streamhmm::cuda {

// A batch whose pointers are to the device's memory, but for its lengths, which the driver reads; the kernels read the
// copies of them.
struct DeviceDtwBatch {
  DtwBatch batch;
  const int64_t* x_lengths;
  const int64_t* y_lengths;
  int device;
  void* stream;  // a cudaStream_t
};

// Results as of streamhmm::dtw(), in the device's memory. Instead of an exception: `invalid` (batch) becomes
// row · columns + column of the first NaN or −inf among the given costs inside the band, or −1; such a pair has no path
// and the distance NaN. `workspace` is what the operation works in: with a null one nothing is done, and the bytes that
// it takes are returned.
int64_t dtw(const DeviceDtwBatch& batch, const DtwResult& result, int64_t* invalid, void* workspace);

}  // namespace streamhmm::cuda
