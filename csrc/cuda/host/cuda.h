// The part of CUDA C++ that our kernels use, as the host compiler reads it. See execution.h.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "execution.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)

using dim3 = streamhmm::host::Dim3;

#define threadIdx (::streamhmm::host::here().thread)
#define blockIdx (::streamhmm::host::here().block)
#define blockDim (::streamhmm::host::here().block_size)
#define gridDim (::streamhmm::host::here().grid_size)

namespace streamhmm::host {

template <class T>
uint64_t bits_of(T value) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "warp operations carry 4 or 8 bytes");
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return bits;
}

template <class T>
T shuffle(unsigned mask, T value, int source, Site site) {
  const uint64_t bits = exchange(WarpOperation::shuffle, mask, bits_of(value), source, site);
  T result;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}

inline int lane() {
  const ThreadPlace& p = here();
  return static_cast<int>((p.thread.x + p.block_size.x * (p.thread.y + p.block_size.y * p.thread.z)) % kWarp);
}

}  // namespace streamhmm::host

#define STREAMHMM_SITE const char *file = __builtin_FILE(), int line = __builtin_LINE()

inline void __syncthreads(STREAMHMM_SITE) { streamhmm::host::wait_for_block({file, line}); }
inline int __syncthreads_or(int predicate, STREAMHMM_SITE) {
  return streamhmm::host::wait_for_any_of_block(predicate != 0, {file, line}) ? 1 : 0;
}
inline void __syncwarp(unsigned mask = 0xffffffffu, STREAMHMM_SITE) {
  using namespace streamhmm::host;
  exchange(WarpOperation::sync, mask, 0, 0, {file, line});
}
inline unsigned __ballot_sync(unsigned mask, int predicate, STREAMHMM_SITE) {
  using namespace streamhmm::host;
  return static_cast<unsigned>(exchange(WarpOperation::ballot, mask, predicate != 0, 0, {file, line}));
}
inline int __any_sync(unsigned mask, int predicate, STREAMHMM_SITE) {
  return __ballot_sync(mask, predicate, file, line) != 0;
}
inline int __all_sync(unsigned mask, int predicate, STREAMHMM_SITE) {
  return __ballot_sync(mask, predicate, file, line) == mask;
}

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, STREAMHMM_SITE) {
  const int base = streamhmm::host::lane() & ~(width - 1);
  return streamhmm::host::shuffle(mask, value, base + (source & (width - 1)), {file, line});
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, STREAMHMM_SITE) {
  const int lane = streamhmm::host::lane(), base = lane & ~(width - 1), source = lane - static_cast<int>(delta);
  return streamhmm::host::shuffle(mask, value, source < base ? lane : source, {file, line});
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, STREAMHMM_SITE) {
  const int lane = streamhmm::host::lane(), base = lane & ~(width - 1), source = lane + static_cast<int>(delta);
  return streamhmm::host::shuffle(mask, value, source >= base + width ? lane : source, {file, line});
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32, STREAMHMM_SITE) {
  const int lane = streamhmm::host::lane(), source = lane ^ lane_mask;
  return streamhmm::host::shuffle(mask, value, source >= (lane & ~(width - 1)) + width ? lane : source, {file, line});
}

#undef STREAMHMM_SITE

// One thread runs at a time, until it waits: plain operations are atomic.
template <class T, class U>
T atomicAdd(T* at, U value) {
  const T before = *at;
  *at = static_cast<T>(before + value);
  return before;
}
template <class T, class U>
T atomicOr(T* at, U value) {
  const T before = *at;
  *at = before | static_cast<T>(value);
  return before;
}
template <class T, class U>
T atomicMax(T* at, U value) {
  const T before = *at;
  if (static_cast<T>(value) > before) *at = static_cast<T>(value);
  return before;
}
template <class T, class U>
T atomicMin(T* at, U value) {
  const T before = *at;
  if (static_cast<T>(value) < before) *at = static_cast<T>(value);
  return before;
}
template <class T, class U, class V>
T atomicCAS(T* at, U expected, V value) {
  const T before = *at;
  if (before == static_cast<T>(expected)) *at = static_cast<T>(value);
  return before;
}
template <class T, class U>
T atomicExch(T* at, U value) {
  const T before = *at;
  *at = static_cast<T>(value);
  return before;
}
inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __nanosleep(unsigned) { streamhmm::host::let_others_run(); }

template <class To, class From>
To streamhmm_same_bits(From value) {
  To to;
  static_assert(sizeof(To) == sizeof(From));
  std::memcpy(&to, &value, sizeof to);
  return to;
}
inline float __int_as_float(int bits) { return streamhmm_same_bits<float>(bits); }
inline int __float_as_int(float value) { return streamhmm_same_bits<int>(value); }
inline double __longlong_as_double(long long bits) { return streamhmm_same_bits<double>(bits); }
inline long long __double_as_longlong(double value) { return streamhmm_same_bits<long long>(value); }
inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
inline int __ffs(int bits) { return __builtin_ffs(bits); }
inline int __clz(int bits) { return bits == 0 ? 32 : __builtin_clz(static_cast<unsigned>(bits)); }
template <class T>
T __ldg(const T* at) {
  return *at;
}
