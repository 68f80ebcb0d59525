// Numbers in the types that tensors have.
#pragma once

#include <cstdint>

#include "device_batch.h"
#include "launch.h"

namespace streamhmm::cuda {

__device__ inline float from_bfloat16(uint16_t bits) {
  return __int_as_float(static_cast<int32_t>(uint32_t{bits} << 16));
}

__device__ inline float from_float16(uint16_t bits) {
#if defined(__CUDA_ARCH__)
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
  return value;
#else
  const int32_t sign = (bits & 0x8000) << 16, exponent = bits >> 10 & 31, fraction = bits & 1023;
  if (exponent == 0) {
    const float size = static_cast<float>(fraction) * 5.9604644775390625e-8f;  // 2^−24
    return sign != 0 ? -size : size;
  }
  const int32_t wide = exponent == 31 ? 255 : exponent + 112;
  return __int_as_float(sign | wide << 23 | fraction << 13);
#endif
}

// A pointer to numbers of a type that is known when the kernel runs: a branch that all threads take alike.
struct Numbers {
  const void* data;
  NumberType type;

  template <class Real>
  __device__ Real at(int64_t index) const {
    switch (type) {
      case NumberType::float32:
        return static_cast<Real>(static_cast<const float*>(data)[index]);
      case NumberType::float64:
        return static_cast<Real>(static_cast<const double*>(data)[index]);
      case NumberType::float16:
        return static_cast<Real>(from_float16(static_cast<const uint16_t*>(data)[index]));
      default:
        return static_cast<Real>(from_bfloat16(static_cast<const uint16_t*>(data)[index]));
    }
  }

  // Asks for the number at `index`, which will be read later.
  __device__ void prefetch_at([[maybe_unused]] int64_t index) const {
#if defined(__CUDA_ARCH__)
    const int64_t bytes = type == NumberType::float64 ? 8 : type == NumberType::float32 ? 4 : 2;
    asm volatile("prefetch.global.L2 [%0];" ::"l"(static_cast<const char*>(data) + index * bytes));
#endif
  }
};

template <class Real>
__device__ constexpr Real never() {
  return static_cast<Real>(-__builtin_inf());
}
template <class Real>
__device__ bool is_never(Real value) {
  return value == never<Real>();
}
// NaN and +inf, which no score and no weight may be.
template <class Real>
__device__ bool is_invalid(Real value) {
  return !(value < static_cast<Real>(__builtin_inf()));
}

}  // namespace streamhmm::cuda
