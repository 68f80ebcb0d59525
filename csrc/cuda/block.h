// What kernels share: memory of a block, barriers, reductions.
#pragma once

#include <cstdint>

#include "launch.h"

#if defined(__CUDACC__)
#include <cooperative_groups.h>
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace streamhmm::cuda {

// Parts of a piece of memory, one after the other: of a block's shared memory or of an operation's workspace. Who asks
// for the same parts from a null pointer learns how much they take. Under AddressSanitizer a gap that may not be
// touched follows each part.
class Parts {
 public:
  __host__ __device__ explicit Parts(void* memory, bool has_gaps = true)
      : memory_(static_cast<char*>(memory)), has_gaps_(has_gaps) {}
  // Without gaps: of memory that is used in another way afterwards.
  __host__ __device__ static Parts within(void* memory) { return Parts(memory, false); }

  template <class T>
  __host__ __device__ T* take(int64_t count) {
    used_ = used();
    char* part = memory_ != nullptr ? memory_ + used_ : nullptr;
    used_ += count * static_cast<int64_t>(sizeof(T));
#if defined(__SANITIZE_ADDRESS__)
    if (part != nullptr) {
      __asan_unpoison_memory_region(part, count * sizeof(T));
      if (has_gaps_) __asan_poison_memory_region(memory_ + used_, kGap);
    }
    if (has_gaps_) used_ += kGap;
#endif
    return reinterpret_cast<T*>(part);
  }
  __host__ __device__ int64_t used() const { return (used_ + kAlignment - 1) / kAlignment * kAlignment; }

 private:
  static constexpr int64_t kAlignment = 16;
  static constexpr int64_t kGap = 64;
  char* memory_;
  [[maybe_unused]] bool has_gaps_;
  int64_t used_ = 0;
};

// Memory that several use one after the other, each dividing it in a way of its own.
struct Room {
  char* memory;
  int64_t bytes;

  static Room take(Parts& parts, int64_t bytes) { return {parts.take<char>(bytes), bytes}; }

  // For the next one: under AddressSanitizer the gaps of the last division go.
  char* anew() const {
#if defined(__SANITIZE_ADDRESS__)
    if (memory != nullptr) __asan_unpoison_memory_region(memory, bytes);
#endif
    return memory;
  }
};

// The block's dynamic shared memory.
__device__ inline char* shared_memory() {
#if defined(__CUDACC__)
  extern __shared__ __align__(16) char memory[];
  return memory;
#else
  return host::shared_memory();
#endif
}

// Waits for all threads of a cooperative launch; what they wrote before is visible after.
__device__ inline void wait_for_grid() {
#if defined(__CUDACC__)
  cooperative_groups::this_grid().sync();
#else
  host::wait_for_grid({__FILE__, __LINE__});
#endif
}

__device__ inline int32_t lane_of_thread() { return static_cast<int32_t>(threadIdx.x) % kWarp; }
__device__ inline int32_t warp_of_thread() { return static_cast<int32_t>(threadIdx.x) / kWarp; }
__device__ inline int32_t warps_in_block() { return static_cast<int32_t>(blockDim.x) / kWarp; }

// The largest value of a warp's lanes, or of each group of kLanes among them; here and below to all of them.
template <int32_t kLanes = kWarp, class Real>
__device__ Real warp_max(Real value) {
  for (int32_t step = kLanes / 2; step > 0; step /= 2) {
    const Real other = __shfl_xor_sync(kAllLanes, value, step);
    value = other > value ? other : value;
  }
  return value;
}

// The sum over a warp's lanes, always in the same order.
template <int32_t kLanes = kWarp, class Real>
__device__ Real warp_sum(Real value) {
  for (int32_t step = kLanes / 2; step > 0; step /= 2) value += __shfl_xor_sync(kAllLanes, value, step);
  return value;
}

// A value and where it was found.
template <class Real>
struct Best {
  Real value;
  int32_t index;  // −1: nowhere

  // The larger one; of equals that with the lower index.
  __device__ void consider(Best other) {
    if (other.index < 0) return;
    if (index < 0 || other.value > value || (other.value == value && other.index < index)) *this = other;
  }
};

template <int32_t kLanes = kWarp, class Real>
__device__ Best<Real> warp_best(Best<Real> best) {
  for (int32_t step = kLanes / 2; step > 0; step /= 2) {
    const Real value = __shfl_xor_sync(kAllLanes, best.value, step);
    const int32_t index = __shfl_xor_sync(kAllLanes, best.index, step);
    best.consider({value, index});
  }
  return best;
}

// The best of all threads of a block, to all of them; `scratch` has a place for each of at most 32 warps. Ends with a
// barrier, so that scratch may be used again.
template <class Real>
__device__ Best<Real> block_best(Best<Real> best, Best<Real>* scratch) {
  best = warp_best(best);
  if (lane_of_thread() == 0) scratch[warp_of_thread()] = best;
  __syncthreads();
  best = scratch[0];
  for (int32_t warp = 1; warp < warps_in_block(); ++warp) best.consider(scratch[warp]);
  __syncthreads();
  return best;
}

// The largest value of a block's threads, to all of them.
__device__ inline double block_max(double value, double* scratch) {
  value = warp_max(value);
  if (lane_of_thread() == 0) scratch[warp_of_thread()] = value;
  __syncthreads();
  value = scratch[0];
  for (int32_t warp = 1; warp < warps_in_block(); ++warp) value = scratch[warp] > value ? scratch[warp] : value;
  __syncthreads();
  return value;
}

// The sum over a block's threads, always in the same order, to all of them.
__device__ inline double block_sum(double value, double* scratch) {
  value = warp_sum(value);
  if (lane_of_thread() == 0) scratch[warp_of_thread()] = value;
  __syncthreads();
  value = 0;
  for (int32_t warp = 0; warp < warps_in_block(); ++warp) value += scratch[warp];
  __syncthreads();
  return value;
}

}  // namespace streamhmm::cuda
