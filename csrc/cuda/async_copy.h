// Copies from global to shared memory that go on while the thread does something else.
#pragma once

#include <cstdint>

#include "launch.h"

#if defined(__CUDACC__)
#include <cuda_pipeline.h>
#endif

namespace streamhmm::cuda {

// Four numbers that are loaded and stored at once; aligned to 16 bytes wherever they stand.
struct alignas(16) Four {
  float x[4];
};

// Begins to copy; both addresses are multiples of 16 bytes. What was copied is there for the thread itself after
// wait_for_copies, for the block's others after a barrier behind that. Before sm_80 the copy is made at once.
__device__ inline void copy_async(Four* to_shared, const Four* from) {
#if defined(__CUDACC__)
  __pipeline_memcpy_async(to_shared, from, sizeof(Four));
#else
  *to_shared = *from;
#endif
}

// Ends a group of copies.
__device__ inline void end_copies() {
#if defined(__CUDACC__)
  __pipeline_commit();
#endif
}

// Waits for all groups but the last `but`.
template <int32_t but>
__device__ void wait_for_copies() {
#if defined(__CUDACC__)
  __pipeline_wait_prior(but);
#endif
}

}  // namespace streamhmm::cuda
