// Numbers for sums over paths.
//
// Scaled<Real> is mantissa · 2^exponent with an exponent of its own: it neither underflows nor loses relative precision
// however long the audio is, and costs a third of log-sum-exp. Its range, ±2^kExponentLimit, is checked beforehand
// (fits_scaled_range); what does not fit is computed with LogNumber, a logarithm in double.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "cpu/linear_sums.h"

namespace streamhmm {

constexpr int32_t kZeroExponent = -(1 << 29);  // exponent of zero: below every other, safe to add to another
constexpr double kExponentLimit = 1 << 27;     // exponents of numbers that are not zero stay within ± this
constexpr double kLog2 = 0.693147180559945309417;

template <class Real>
struct Scaled {
  Real mantissa = 0;
  Exponent<Real> exponent = kZeroExponent;

  static Scaled from_log(double value) {
    if (value == -std::numeric_limits<double>::infinity()) return {};
    const double exponent = std::floor(value / kLog2);
    return {static_cast<Real>(std::exp(value - exponent * kLog2)), static_cast<Exponent<Real>>(exponent)};
  }
  double log() const { return std::log(static_cast<double>(mantissa)) + static_cast<double>(exponent) * kLog2; }
  bool is_zero() const { return mantissa == 0; }

  friend Scaled operator*(Scaled a, Scaled b) { return normalised(a.mantissa * b.mantissa, a.exponent + b.exponent); }
  friend Scaled operator+(Scaled a, Scaled b) {
    if (a.exponent < b.exponent) return b + a;
    const Exponent<Real> gap = b.exponent - a.exponent;
    const Real small =
        gap < -200 * static_cast<int>(sizeof(Real)) ? Real(0) : std::ldexp(b.mantissa, static_cast<int>(gap));
    return normalised(a.mantissa + small, a.exponent);
  }
  // The quotient as an ordinary number.
  friend double ratio(Scaled a, Scaled b) {
    if (a.is_zero()) return 0;
    const double gap = static_cast<double>(a.exponent) - static_cast<double>(b.exponent);
    return gap < -2000 ? 0.0 : std::ldexp(static_cast<double>(a.mantissa) / b.mantissa, static_cast<int>(gap));
  }

 private:
  static Scaled normalised(Real mantissa, Exponent<Real> exponent) {
    if (mantissa == 0) return {};
    int shift = 0;
    const Real fraction = std::frexp(mantissa, &shift);
    return {fraction, exponent + shift};
  }
};

// A number by its logarithm, in double: any range, several times slower.
struct LogNumber {
  double value = -std::numeric_limits<double>::infinity();

  static LogNumber from_log(double value) { return {value}; }
  double log() const { return value; }
  bool is_zero() const { return value == -std::numeric_limits<double>::infinity(); }

  friend LogNumber operator*(LogNumber a, LogNumber b) { return {a.value + b.value}; }
  friend LogNumber operator+(LogNumber a, LogNumber b) {
    if (a.is_zero()) return b;
    if (b.is_zero()) return a;
    const double high = a.value > b.value ? a.value : b.value;
    return {high + std::log1p(std::exp(-std::fabs(a.value - b.value)))};
  }
  friend double ratio(LogNumber a, LogNumber b) { return std::exp(a.value - b.value); }
};

// Whether every path's weight stays in the range of Scaled: `steps` factors, each with |log| at most `largest`.
inline bool fits_scaled_range(int64_t steps, double largest) {
  return (largest / kLog2 + 2) * static_cast<double>(steps) < kExponentLimit;
}

}  // namespace streamhmm
