// Numbers for sums over paths, as in ../semiring.h, by bits where that is faster on a GPU.
//
// Scaled<Real> is mantissa · 2^exponent, the mantissa in [1, 2) or 0: neither underflows nor loses relative precision
// however long the audio is, as long as exponents stay within ±2^29 (scaled_limit). LogNumber, a logarithm in double,
// takes any numbers and is several times slower.
#pragma once

#include <cstdint>

#include "numbers.h"

namespace streamhmm::cuda {

constexpr int32_t kZeroExponent = -(1 << 30);  // of zero: below every other, and two of them can be added

// The largest |logarithm| of each of `steps` factors whose product stays in the range of Scaled.
inline double scaled_limit(int64_t steps) {
  const double limit = ((1 << 29) / static_cast<double>(steps) - 2) * 0.693147180559945309417;
  return limit > 0 ? limit : 0;
}

template <class Real>
struct RealBits;
template <>
struct RealBits<float> {
  static constexpr int32_t kBias = 127;
  static constexpr float kLog2e = 1.44269504f, kLog2High = 0.693359375f, kLog2Low = -2.12194440e-4f;
  __device__ static int32_t exponent(float value) { return (__float_as_int(value) >> 23 & 255) - kBias; }
  __device__ static float with_exponent(float value, int32_t exponent) {
    return __int_as_float((__float_as_int(value) & 0x007fffff) | (exponent + kBias) << 23);
  }
};
template <>
struct RealBits<double> {
  static constexpr int32_t kBias = 1023;
  static constexpr double kLog2e = 1.44269504088896340736, kLog2High = 6.93145751953125e-1,
                          kLog2Low = 1.42860682030941723212e-6;
  __device__ static int32_t exponent(double value) {
    return static_cast<int32_t>(__double_as_longlong(value) >> 52 & 2047) - kBias;
  }
  __device__ static double with_exponent(double value, int32_t exponent) {
    return __longlong_as_double((__double_as_longlong(value) & 0x000fffffffffffffLL) |
                                static_cast<long long>(exponent + kBias) << 52);
  }
};

template <class Real_>
struct Scaled {
  using Real = Real_;
  using Bits = RealBits<Real>;
  static constexpr bool kLimited = true;  // see scaled_limit
  Real mantissa = 0;
  int32_t exponent = kZeroExponent;

  __device__ static Scaled zero() { return {Real(0), kZeroExponent}; }

  // exp(value): 2^n · exp(value − n · log 2), the difference in two steps that lose nothing.
  __device__ static Scaled from_log(Real value) {
    if (is_never(value)) return zero();
    const Real n = rint(value * Bits::kLog2e);
    const Real rest = fma(n, -Bits::kLog2Low, fma(n, -Bits::kLog2High, value));
    return normalised(exp(rest), static_cast<int32_t>(n));
  }
  __device__ double log() const {
    return mantissa == 0 ? never<double>() : ::log(static_cast<double>(mantissa)) + exponent * 0.693147180559945309417;
  }
  __device__ bool is_zero() const { return mantissa == 0; }

  // The mantissa above 0 and of normal size, or 0.
  __device__ static Scaled normalised(Real mantissa, int32_t exponent) {
    if (mantissa == 0) return zero();
    return {Bits::with_exponent(mantissa, 0), exponent + Bits::exponent(mantissa)};
  }

  __device__ friend Scaled operator*(Scaled a, Scaled b) {
    return normalised(a.mantissa * b.mantissa, a.exponent + b.exponent);
  }
  __device__ friend Scaled operator+(Scaled a, Scaled b) {
    const bool first = a.exponent >= b.exponent;
    const Scaled high = first ? a : b, low = first ? b : a;
    return normalised(high.mantissa + low.times_power(low.exponent - high.exponent), high.exponent);
  }
  // a / b as an ordinary number; b is not zero.
  __device__ friend Real ratio(Scaled a, Scaled b) {
    const int32_t gap = a.exponent - b.exponent;
    if (a.mantissa == 0 || gap <= -Bits::kBias) return 0;
    return a.mantissa / b.mantissa * Bits::with_exponent(Real(1), gap < Bits::kBias ? gap : Bits::kBias);
  }

 private:
  // mantissa · 2^power for a power of at most 0.
  __device__ Real times_power(int32_t power) const {
    return power <= -Bits::kBias ? Real(0) : mantissa * Bits::with_exponent(Real(1), power);
  }
};

struct LogNumber {
  using Real = double;
  static constexpr bool kLimited = false;
  double value = -__builtin_inf();

  __device__ static LogNumber zero() { return {never<double>()}; }
  __device__ static LogNumber from_log(double value) { return {value}; }
  __device__ double log() const { return value; }
  __device__ bool is_zero() const { return is_never(value); }

  __device__ friend LogNumber operator*(LogNumber a, LogNumber b) { return {a.value + b.value}; }
  __device__ friend LogNumber operator+(LogNumber a, LogNumber b) {
    const double high = a.value > b.value ? a.value : b.value, low = a.value > b.value ? b.value : a.value;
    if (is_never(low)) return {high};
    return {high + log1p(exp(low - high))};
  }
  __device__ friend double ratio(LogNumber a, LogNumber b) { return exp(a.value - b.value); }
};

}  // namespace streamhmm::cuda
