// Forward, backward and posteriors on a linear graph, with numbers (mantissa, exponent) in two arrays. Plain loops that
// the compiler turns into vectors of the target: powers of two are made from bits, there is no branch.
#include "kernels.h"
#include "target.h"

namespace streamhmm {
namespace STREAMHMM_TARGET {
namespace {

template <class Real>
struct Bits;
template <>
struct Bits<float> {
  static constexpr int32_t kShift = 23, kBias = 127, kField = 0xff, kFraction = 0x007fffff, kHalf = 0x3f000000;
};
template <>
struct Bits<double> {
  static constexpr int64_t kShift = 52, kBias = 1023, kField = 0x7ff, kFraction = 0x000fffffffffffff,
                           kHalf = 0x3fe0000000000000;
};

template <class Real>
constexpr Exponent<Real> kZero = -(1 << 29);  // semiring.h: kZeroExponent

template <class To, class From>
STREAMHMM_KERNEL To bit_cast(From value) {
  static_assert(sizeof(To) == sizeof(From), "same width");
  To result;
  __builtin_memcpy(&result, &value, sizeof result);
  return result;
}

template <class E>
STREAMHMM_KERNEL E larger(E a, E b) {
  return a > b ? a : b;
}

// 2^exponent for exponents of at most the format's largest; 0 below its smallest.
template <class Real>
STREAMHMM_KERNEL Real power_of_two(Exponent<Real> exponent) {
  using B = Bits<Real>;
  const Exponent<Real> biased = larger<Exponent<Real>>(exponent, -B::kBias) + B::kBias;
  return bit_cast<Real>(static_cast<Exponent<Real>>(biased << B::kShift));
}

// Sum of three terms, each a product of two numbers.
template <class Real>
STREAMHMM_KERNEL void sum3(Real m0, Exponent<Real> e0, Real m1, Exponent<Real> e1, Real m2, Exponent<Real> e2,
                           Real& mantissa, Exponent<Real>& exponent) {
  const Exponent<Real> top = larger(larger(e0, e1), e2);
  mantissa = m0 * power_of_two<Real>(e0 - top) + m1 * power_of_two<Real>(e1 - top) + m2 * power_of_two<Real>(e2 - top);
  exponent = top;
}

template <class Real>
STREAMHMM_KERNEL void sum2(Real m0, Exponent<Real> e0, Real m1, Exponent<Real> e1, Real& mantissa,
                           Exponent<Real>& exponent) {
  const Exponent<Real> top = larger(e0, e1);
  mantissa = m0 * power_of_two<Real>(e0 - top) + m1 * power_of_two<Real>(e1 - top);
  exponent = top;
}

template <class Real>
void linear_forward(const LinearSums<Real>& g, ConstScaledRow<Real> in, ScaledRow<Real> out) {
  const Real* __restrict m = in.mantissa, * __restrict sm = g.stay.mantissa, * __restrict am = g.advance.mantissa;
  const auto* __restrict e = in.exponent, * __restrict se = g.stay.exponent, * __restrict ae = g.advance.exponent;
  Real* __restrict om = out.mantissa;
  auto* __restrict oe = out.exponent;
  if (g.skip.mantissa == nullptr) {
    for (int64_t j = 0; j < g.states; ++j) {
      sum2<Real>(m[j] * sm[j], e[j] + se[j], m[j - 1] * am[j - 1], e[j - 1] + ae[j - 1], om[j], oe[j]);
    }
    return;
  }
  const Real* __restrict km = g.skip.mantissa;
  const auto* __restrict ke = g.skip.exponent;
  for (int64_t j = 0; j < g.states; ++j) {
    sum3<Real>(m[j] * sm[j], e[j] + se[j], m[j - 1] * am[j - 1], e[j - 1] + ae[j - 1], m[j - 2] * km[j - 2],
               e[j - 2] + ke[j - 2], om[j], oe[j]);
  }
}

template <class Real>
void linear_backward(const LinearSums<Real>& g, ConstScaledRow<Real> in, ScaledRow<Real> out) {
  const Real* __restrict m = in.mantissa, * __restrict sm = g.stay.mantissa, * __restrict am = g.advance.mantissa;
  const auto* __restrict e = in.exponent, * __restrict se = g.stay.exponent, * __restrict ae = g.advance.exponent;
  Real* __restrict om = out.mantissa;
  auto* __restrict oe = out.exponent;
  if (g.skip.mantissa == nullptr) {
    for (int64_t i = 0; i < g.states; ++i) {
      sum2<Real>(m[i] * sm[i], e[i] + se[i], m[i + 1] * am[i], e[i + 1] + ae[i], om[i], oe[i]);
    }
    return;
  }
  const Real* __restrict km = g.skip.mantissa;
  const auto* __restrict ke = g.skip.exponent;
  for (int64_t i = 0; i < g.states; ++i) {
    sum3<Real>(m[i] * sm[i], e[i] + se[i], m[i + 1] * am[i], e[i + 1] + ae[i], m[i + 2] * km[i], e[i + 2] + ke[i],
               om[i], oe[i]);
  }
}

template <class Real>
void emit(const LinearSums<Real>& g, ConstScaledRow<Real> emissions, ConstScaledRow<Real> in, ScaledRow<Real> out) {
  using B = Bits<Real>;
  const Real* __restrict m = in.mantissa, * __restrict bm = emissions.mantissa;
  const auto* __restrict e = in.exponent, * __restrict be = emissions.exponent;
  const int32_t* __restrict pdf = g.pdf;
  Real* __restrict om = out.mantissa;
  auto* __restrict oe = out.exponent;
  for (int64_t j = 0; j < g.states; ++j) {
    const auto bits = bit_cast<Exponent<Real>>(m[j] * bm[pdf[j]]);
    const Exponent<Real> exponent = e[j] + be[pdf[j]] + ((bits >> B::kShift) & B::kField) - (B::kBias - 1);
    const Exponent<Real> half = (bits & B::kFraction) | B::kHalf;
    om[j] = bit_cast<Real>(bits == 0 ? Exponent<Real>(0) : half);
    oe[j] = bits == 0 ? kZero<Real> : exponent;
  }
}

template <class Real>
void posterior(int32_t states, ConstScaledRow<Real> a, ConstScaledRow<Real> b, ScaledNumber<Real> total,
               Real* __restrict out) {
  const Real* __restrict am = a.mantissa, * __restrict bm = b.mantissa;
  const auto* __restrict ae = a.exponent, * __restrict be = b.exponent;
  const Real scale = 1 / total.mantissa;
  for (int64_t j = 0; j < states; ++j) {
    out[j] = am[j] * bm[j] * scale * power_of_two<Real>(ae[j] + be[j] - total.exponent);
  }
}

template <class Real>
void count(int32_t states, ConstScaledRow<Real> a, ConstScaledRow<Real> w, ConstScaledRow<Real> b,
           ScaledNumber<Real> total, double* __restrict counts) {
  const Real* __restrict am = a.mantissa, * __restrict wm = w.mantissa, * __restrict bm = b.mantissa;
  const auto* __restrict ae = a.exponent, * __restrict we = w.exponent, * __restrict be = b.exponent;
  const Real scale = 1 / total.mantissa;
  for (int64_t i = 0; i < states; ++i) {
    const Exponent<Real> exponent = ae[i] + we[i] + be[i] - total.exponent;
    counts[i] += static_cast<double>(am[i] * wm[i] * bm[i] * scale * power_of_two<Real>(exponent));
  }
}

// exp(x) = m · 2^k with m in about 0.7 … 1.4: Taylor's series on |r| ≤ ln 2 / 2, where its 14th term is below 2^−53.
template <class Real>
void exponentials(const Real* row, const int32_t* __restrict columns, int32_t count, ScaledRow<Real> out) {
  constexpr double kLog2High = 0x1.62e42fefa38p-1, kLog2Low = 0x1.ef35793c7673p-45, kPerLog2 = 1.4426950408889634074;
  Real* __restrict om = out.mantissa;
  auto* __restrict oe = out.exponent;
  for (int32_t i = 0; i < count; ++i) {
    const double given = static_cast<double>(row[columns[i]]);
    const bool zero = given == -__builtin_inf();
    const double x = zero ? 0.0 : given;
    const int32_t k = static_cast<int32_t>(x * kPerLog2 + (x < 0 ? -0.5 : 0.5));
    const double r = (x - k * kLog2High) - k * kLog2Low;
    double series = 1.0 / 6227020800;
    constexpr double kTerms[] = {
        1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040, 1.0 / 720,
        1.0 / 120,       1.0 / 24,       1.0 / 6,       0.5,          1.0,         1.0};
    for (const double term : kTerms) series = series * r + term;
    om[i] = zero ? Real(0) : static_cast<Real>(series);
    oe[i] = zero ? kZero<Real> : static_cast<Exponent<Real>>(k);
  }
}

template <class Real>
void fill(KernelsOf<Real>& table) {
  table.exponentials = exponentials<Real>;
  table.linear_forward = linear_forward<Real>;
  table.linear_backward = linear_backward<Real>;
  table.emit = emit<Real>;
  table.posterior = posterior<Real>;
  table.count = count<Real>;
}

}  // namespace

void fill_linear_sums(Kernels& table) {
  fill(table.single_precision);
  fill(table.double_precision);
}

}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
