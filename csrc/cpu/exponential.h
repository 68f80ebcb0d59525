// exp for kernels.
#pragma once

#include <cstdint>

#include "simd.h"

namespace streamhmm {
namespace STREAMHMM_TARGET {

template <class Real>
struct ExponentialOf;
template <>
struct ExponentialOf<float> {
  using Integer = uint32_t;  // wraps where what is given is NaN
  using Signed = int32_t;
  static constexpr int32_t kShift = 23, kBias = 127;
  static constexpr float kLargest = __FLT_MAX__, kLowest = -87;  // exp(kLowest) is just a normal number
  static constexpr float kLog2High = 0x1.62e4p-1f, kLog2Low = 0x1.7f7d1cp-20f;
  static constexpr float kToInteger = 0x1.8p23f;  // once added, the integer stands in the lowest bits
  static constexpr float kTerms[] = {
      0x1.6a2434p-10f, 0x1.1239e2p-7f, 0x1.5558f2p-5f, 0x1.555492p-3f, 0x1.fffffcp-2f, 1.0f, 1.0f};
};
template <>
struct ExponentialOf<double> {
  using Integer = uint64_t;
  using Signed = int64_t;
  static constexpr int64_t kShift = 52, kBias = 1023;
  static constexpr double kLargest = __DBL_MAX__, kLowest = -708;
  static constexpr double kLog2High = 0x1.62e42fefa38p-1, kLog2Low = 0x1.ef35793c7673p-45;
  static constexpr double kToInteger = 0x1.8p52;
  static constexpr double kTerms[] = {
      1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040,
      1.0 / 720,        1.0 / 120,       1.0 / 24,       1.0 / 6,       0.5,          1.0,         1.0};
};

// exp(x) for x ≤ 0, 0 from kLowest on, NaN for NaN. A polynomial on |r| ≤ ln 2 / 2, Taylor's in double, in single
// precision the one of least relative error whose first two terms are Taylor's: 3e-9, a twentieth of half a unit in the
// last place.
template <class Real>
STREAMHMM_KERNEL Vec<Real> exponential(Vec<Real> given) {
  using E = ExponentialOf<Real>;
  using V = Vec<Real>;
  typedef Real Reals __attribute__((vector_size(V::kLanes * sizeof(Real))));
  typedef typename E::Integer Integers __attribute__((vector_size(V::kLanes * sizeof(Real))));
  const V x = V::max(V::fill(E::kLowest), given);  // in this order NaN stays
  const V shifted = V::multiply_add(x, V::fill(static_cast<Real>(1.4426950408889634074)), V::fill(E::kToInteger));
  const V whole = V::add(shifted, V::fill(-E::kToInteger));
  const V rest = V::multiply_add(whole, V::fill(-E::kLog2Low), V::multiply_add(whole, V::fill(-E::kLog2High), x));
  V series = V::fill(E::kTerms[0]);
  for (uint64_t i = 1; i < sizeof E::kTerms / sizeof(Real); ++i) {
    series = V::multiply_add(series, rest, V::fill(E::kTerms[i]));
  }
  Integers power;
  __builtin_memcpy(&power, &shifted, sizeof power);
  power = (power + E::kBias) << E::kShift;
  Reals original, value;
  __builtin_memcpy(&original, &given, sizeof original);
  __builtin_memcpy(&value, &series, sizeof value);
  const Reals all = value * (Reals)power;
  const Reals result = original <= E::kLowest ? Reals{} : all;
  V out;
  __builtin_memcpy(&out, &result, sizeof out);
  return out;
}

}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
