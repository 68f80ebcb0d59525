// A batch on the device, as it is handed to the operations. Knows nothing of CUDA.
#pragma once

#include <cstdint>

#include "../params.h"

namespace streamhmm::cuda {

enum class NumberType : int32_t { float32, float64, float16, bfloat16 };

// A batch whose pointers are to the device's memory, but for `batch.structure`, which the drivers read; the kernels
// read the copy of it at `structure`. Scores may be in half precision; weights are in double where scores are.
struct DeviceBatch {
  Batch batch;
  NumberType type;  // of the scores
  const int32_t* structure;
  int device;
  void* stream;  // a cudaStream_t
};

}  // namespace streamhmm::cuda
