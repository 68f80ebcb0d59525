// Octet: eight doubles in as many registers as the target needs, with exp and log.
#pragma once

#include "semi_markov.h"
#include "simd.h"

namespace streamhmm {
namespace STREAMHMM_TARGET {

constexpr double kInfinity = __builtin_inf();

struct Octet {
  using V = Vec<double>;
  static constexpr int kParts = kOctet / V::kLanes;
  typedef decltype(V::v) Native;
  typedef int64_t Bits __attribute__((vector_size(sizeof(Native))));
  V part[kParts];
};

template <class Function>
STREAMHMM_KERNEL Octet each_part(Function function) {
  Octet result;
  for (int i = 0; i < Octet::kParts; ++i) result.part[i].v = function(i);
  return result;
}

STREAMHMM_KERNEL Octet load(const double* p) {
  return each_part([p](int i) { return Octet::V::load(p + i * Octet::V::kLanes).v; });
}
STREAMHMM_KERNEL Octet fill(double x) {
  return each_part([x](int) { return Octet::V::fill(x).v; });
}
STREAMHMM_KERNEL void store(double* p, const Octet& a) {
  for (int i = 0; i < Octet::kParts; ++i) Octet::V::store(p + i * Octet::V::kLanes, a.part[i]);
}
STREAMHMM_KERNEL Octet operator+(const Octet& a, const Octet& b) {
  return each_part([&](int i) { return a.part[i].v + b.part[i].v; });
}
STREAMHMM_KERNEL Octet operator-(const Octet& a, const Octet& b) {
  return each_part([&](int i) { return a.part[i].v - b.part[i].v; });
}
STREAMHMM_KERNEL Octet operator*(const Octet& a, const Octet& b) {
  return each_part([&](int i) { return a.part[i].v * b.part[i].v; });
}
STREAMHMM_KERNEL Octet operator/(const Octet& a, const Octet& b) {
  return each_part([&](int i) { return a.part[i].v / b.part[i].v; });
}
STREAMHMM_KERNEL Octet larger(const Octet& a, const Octet& b) {
  return each_part([&](int i) { return Octet::V::max(a.part[i], b.part[i]).v; });
}
STREAMHMM_KERNEL Octet smaller(const Octet& a, const Octet& b) {
  return each_part([&](int i) { return Octet::V::min(a.part[i], b.part[i]).v; });
}
// a · b + c, in one operation where the target has it.
STREAMHMM_KERNEL Octet multiply_add(const Octet& a, const Octet& b, const Octet& c) {
  return each_part([&](int i) { return Octet::V::multiply_add(a.part[i], b.part[i], c.part[i]).v; });
}

// Bit i tells whether a[i] >= b[i]; false for NaN.
STREAMHMM_KERNEL uint32_t not_less(const Octet& a, const Octet& b) {
  uint32_t bits = 0;
  for (int i = 0; i < Octet::kParts; ++i) {
    bits |= Octet::V::not_less(a.part[i], b.part[i]) << (i * Octet::V::kLanes);
  }
  return bits;
}

// yes where a >= b, else no.
STREAMHMM_KERNEL Octet choose_not_less(const Octet& a, const Octet& b, const Octet& yes, const Octet& no) {
  return each_part([&](int i) {
    const auto mask = (typename Octet::Bits)(a.part[i].v >= b.part[i].v);
    const auto bits = ((typename Octet::Bits)yes.part[i].v & mask) | ((typename Octet::Bits)no.part[i].v & ~mask);
    return (typename Octet::Native)bits;
  });
}

constexpr double kRound = 0x1.8p52;        // added to a number, leaves its integer part in the lowest bits
constexpr double kLeastExponent = -708.0;  // below, exp gives 0

// Lanes that hold −inf or anything else below kLeastExponent give 0. For x of at most 700.
STREAMHMM_KERNEL Octet exp(const Octet& x) {
  const Octet least = fill(kLeastExponent), clamped = larger(x, least), round = fill(kRound);
  const Octet shifted = multiply_add(clamped, fill(1.4426950408889634074), round), n = shifted - round;
  const Octet rest =
      multiply_add(n, fill(-1.90821492927058770002e-10), multiply_add(n, fill(-6.93147180369123816490e-01), clamped));
  constexpr double kTerms[] = {
      1 / 6227020800., 1 / 479001600., 1 / 39916800., 1 / 3628800., 1 / 362880., 1 / 40320., 1 / 5040.,
      1 / 720.,        1 / 120.,       1 / 24.,       1 / 6.,       1 / 2.,      1,          1};
  Octet sum = fill(kTerms[0]);
  for (int i = 1; i < 14; ++i) sum = multiply_add(sum, rest, fill(kTerms[i]));
  typedef uint64_t Bits __attribute__((vector_size(sizeof(typename Octet::Native))));  // wraps where the rest is NaN
  const Octet scaled =
      each_part([&](int i) { return (typename Octet::Native)((Bits)sum.part[i].v + ((Bits)shifted.part[i].v << 52)); });
  return choose_not_less(x, least, scaled, fill(0.0));
}

// For positive, normal numbers (fdlibm's e_log): x = 2^k · (1 + f), log(1 + f) = f − f²/2 + s · (f²/2 + R(s²)), s =
// f/(2+f).
STREAMHMM_KERNEL Octet log(const Octet& x) {
  typedef typename Octet::Bits Bits;
  typedef typename Octet::Native Native;
  constexpr int64_t kRootHalf = 0x3fe6a09e667f3bcd;  // moves the fraction into √½ … √2
  constexpr int64_t kRoundBits = 0x4338000000000000;
  const Octet k = each_part([&](int i) {
    const Bits exponent = ((Bits)x.part[i].v - kRootHalf) >> 52;
    return (Native)(exponent + kRoundBits) - Octet::V::fill(kRound).v;
  });
  const Octet f = each_part([&](int i) {
    const Bits exponent = ((Bits)x.part[i].v - kRootHalf) >> 52;
    return (Native)((Bits)x.part[i].v - (exponent << 52)) - Octet::V::fill(1.0).v;
  });
  const Octet s = f / (fill(2.0) + f), z = s * s, half = fill(0.5) * f * f;
  constexpr double kTerms[] = {1.479819860511658591e-01, 1.531383769920937332e-01, 1.818357216161805012e-01,
                               2.222219843214978396e-01, 2.857142874366239149e-01, 3.999999999940941908e-01,
                               6.666666666666735130e-01};
  Octet sum = fill(kTerms[0]);
  for (int i = 1; i < 7; ++i) sum = multiply_add(sum, z, fill(kTerms[i]));
  const Octet correction = multiply_add(s, half + z * sum, k * fill(1.90821492927058770002e-10));
  return k * fill(6.93147180369123816490e-01) - ((half - correction) - f);
}

}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
