// Scaled numbers (scaled.h) in the waves over plain linear graphs: sums of few products, normalised once.
#pragma once

#include "linear_border.h"
#include "linear_lane.h"
#include "scaled.h"

namespace streamhmm::cuda {

template <class Real>
using ScaledPair = EvenOdd<Scaled<Real>>;

template <>
struct PairWords<Scaled<float>> {
  static constexpr int32_t kCount = 2;
  uint64_t words[kCount];
  __device__ static uint64_t word(Scaled<float> x) {
    return half_word_of(x.mantissa) | static_cast<uint64_t>(static_cast<uint32_t>(x.exponent)) << 32;
  }
  __device__ static Scaled<float> number(uint64_t word) {
    return {float_of(static_cast<uint32_t>(word)), static_cast<int32_t>(word >> 32)};
  }
  __device__ static PairWords of(Scaled<float> first, Scaled<float> second) { return {{word(first), word(second)}}; }
  __device__ Scaled<float> first() const { return number(words[0]); }
  __device__ Scaled<float> second() const { return number(words[1]); }
};

template <>
struct PairWords<Scaled<double>> {
  static constexpr int32_t kCount = 3;
  uint64_t words[kCount];
  // Never 0: exponents are above −2³¹.
  __device__ static uint32_t half(int32_t exponent) { return static_cast<uint32_t>(exponent) ^ 0x80000000u; }
  __device__ static int32_t exponent(uint64_t half) {
    return static_cast<int32_t>(static_cast<uint32_t>(half) ^ 0x80000000u);
  }
  __device__ static PairWords of(Scaled<double> first, Scaled<double> second) {
    return {{word_of(first.mantissa), word_of(second.mantissa),
             half(first.exponent) | static_cast<uint64_t>(half(second.exponent)) << 32}};
  }
  __device__ Scaled<double> first() const { return {double_of(words[0]), exponent(words[2])}; }
  __device__ Scaled<double> second() const { return {double_of(words[1]), exponent(words[2] >> 32)}; }
};

template <class Real>
__device__ Scaled<Real> from_lane_below(Scaled<Real> x) {
  return {__shfl_up_sync(kAllLanes, x.mantissa, 1), __shfl_up_sync(kAllLanes, x.exponent, 1)};
}
template <class Real>
__device__ Scaled<Real> from_lane_above(Scaled<Real> x) {
  return {__shfl_down_sync(kAllLanes, x.mantissa, 1), __shfl_down_sync(kAllLanes, x.exponent, 1)};
}

// The sum over a warp's lanes, always in the same order.
template <class Real>
__device__ Scaled<Real> warp_total(Scaled<Real> x) {
  for (int32_t step = kWarp / 2; step > 0; step /= 2) {
    x = x + Scaled<Real>{__shfl_xor_sync(kAllLanes, x.mantissa, step), __shfl_xor_sync(kAllLanes, x.exponent, step)};
  }
  return x;
}

// x · w, not normalised: mantissas of a few factors stay far below what fits. Exponents of zeros do not add up.
template <class Real>
__device__ Scaled<Real> weighted(Scaled<Real> x, Scaled<Real> w) {
  const int32_t exponent = x.exponent + w.exponent;
  return {x.mantissa * w.mantissa, exponent > kZeroExponent ? exponent : kZeroExponent};
}

template <class Real>
__device__ Real lowered(Scaled<Real> x, int32_t to) {
  using Bits = RealBits<Real>;
  const int32_t power = x.exponent - to;
  return x.mantissa * Bits::with_exponent(Real(1), power > -Bits::kBias ? power : -Bits::kBias);
}
template <class Real>
__device__ Scaled<Real> sum_of(Scaled<Real> a, Scaled<Real> b) {
  const int32_t top = a.exponent > b.exponent ? a.exponent : b.exponent;
  return {lowered(a, top) + lowered(b, top), top};
}
template <class Real>
__device__ Scaled<Real> sum_of(Scaled<Real> a, Scaled<Real> b, Scaled<Real> c) {
  const int32_t higher = a.exponent > b.exponent ? a.exponent : b.exponent;
  const int32_t top = c.exponent > higher ? c.exponent : higher;
  return {lowered(a, top) + lowered(b, top) + lowered(c, top), top};
}
template <class Real>
__device__ Scaled<Real> normalised(Scaled<Real> x) {
  return Scaled<Real>::normalised(x.mantissa, x.exponent);
}

template <class Real>
__device__ ScaledPair<Real> scaled(const EvenOdd<Real>& logs) {
  return {Scaled<Real>::from_log(logs.even), Scaled<Real>::from_log(logs.odd)};
}

// As an ordinary number.
template <class Real>
__device__ Real real(Scaled<Real> x) {
  return ratio(x, Scaled<Real>{Real(1), 0});
}

}  // namespace streamhmm::cuda
