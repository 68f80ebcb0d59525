// What forward and backward on a linear graph work on, shared by the driver and the kernels. The recursions stand in
// ../forward_backward.h; numbers are pairs (mantissa, exponent) as in ../semiring.h, kept in two arrays.
#pragma once

#include <cstdint>

namespace streamhmm {

// The exponent's type has the mantissa's width, so that both fill the same vectors.
template <class Real>
struct ExponentOf;
template <>
struct ExponentOf<float> {
  using Type = int32_t;
};
template <>
struct ExponentOf<double> {
  using Type = int64_t;
};
template <class Real>
using Exponent = typename ExponentOf<Real>::Type;

template <class Real>
struct ScaledNumber {
  Real mantissa;
  Exponent<Real> exponent;
};

template <class Real>
struct ScaledRow {
  Real* mantissa;
  Exponent<Real>* exponent;
};

template <class Real>
struct ConstScaledRow {
  const Real* mantissa;
  const Exponent<Real>* exponent;
};

// Rows over states have two cells of zero on either side, so that every state may read two neighbours.
constexpr int32_t kMargin = 2;

template <class Real>
struct LinearSums {
  int32_t states;
  const int32_t* pdf;            // (states)
  ConstScaledRow<Real> stay;     // weight of s -> s,   by source, with margins
  ConstScaledRow<Real> advance;  // weight of s -> s+1, by source, with margins
  ConstScaledRow<Real> skip;     // weight of s -> s+2, by source, with margins; null mantissa if none
};

}  // namespace streamhmm
