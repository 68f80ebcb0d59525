// ScaledVec<Real>: a vector of kLanes numbers mantissa · 2^exponent (../semiring.h), with what sums over paths need,
// for each target. Written with the compiler's vector extension; AVX-512 has instructions of its own for powers of two.
// A normalised mantissa lies in [1, 2); products and sums of a few need not be normalised before they are used again.
#pragma once

#include "linear_sums.h"
#include "simd.h"

namespace streamhmm {
namespace STREAMHMM_TARGET {

template <class Real>
struct Format;
template <>
struct Format<float> {
  static constexpr int32_t kShift = 23, kBias = 127, kField = 0xff, kFraction = 0x007fffff, kOne = 0x3f800000;
  static constexpr int32_t kLeast = -100;  // a power of two below this one counts as 0
};
template <>
struct Format<double> {
  static constexpr int64_t kShift = 52, kBias = 1023, kField = 0x7ff, kFraction = 0x000fffffffffffff,
                           kOne = 0x3ff0000000000000;
  static constexpr int64_t kLeast = -900;
};

template <class Real>
struct ScaledVec {
  static constexpr int kLanes = Vec<Real>::kLanes;
  typedef Real Mantissa __attribute__((vector_size(kLanes * sizeof(Real))));
  typedef Exponent<Real> Power __attribute__((vector_size(kLanes * sizeof(Real))));
  typedef Real MantissaInMemory __attribute__((vector_size(kLanes * sizeof(Real)), aligned(sizeof(Real)), may_alias));
  typedef Exponent<Real> PowerInMemory
      __attribute__((vector_size(kLanes * sizeof(Real)), aligned(sizeof(Real)), may_alias));

  Mantissa m;
  Power e;

  STREAMHMM_KERNEL ScaledVec load(ConstScaledRow<Real> row, int64_t i) {
    return {*reinterpret_cast<const MantissaInMemory*>(row.mantissa + i),
            *reinterpret_cast<const PowerInMemory*>(row.exponent + i)};
  }
  STREAMHMM_KERNEL void store(ScaledRow<Real> row, int64_t i, ScaledVec x) {
    *reinterpret_cast<MantissaInMemory*>(row.mantissa + i) = x.m;
    *reinterpret_cast<PowerInMemory*>(row.exponent + i) = x.e;
  }
  STREAMHMM_KERNEL ScaledVec zero() { return {Mantissa{}, Power{} + kZeroPower<Real>}; }

  // row[i + kSteps …] from aligned loads where the target can: one that straddles recent stores would wait for them.
  template <int kSteps>
  STREAMHMM_KERNEL ScaledVec load_beside(ConstScaledRow<Real> row, int64_t i) {
#if defined(__AVX512F__)
    if constexpr (sizeof(Real) == sizeof(float)) {
      constexpr int64_t kFirst = kSteps < 0 ? -kLanes : 0;
      const ScaledVec low = load(row, i + kFirst), high = load(row, i + kFirst + kLanes);
      constexpr int kShift = kSteps < 0 ? kLanes + kSteps : kSteps;
      return {(Mantissa)_mm512_alignr_epi32((__m512i)high.m, (__m512i)low.m, kShift),
              (Power)_mm512_alignr_epi32((__m512i)high.e, (__m512i)low.e, kShift)};
    }
#endif
    return load(row, i + kSteps);
  }

  STREAMHMM_KERNEL ScaledVec gather(ConstScaledRow<Real> row, const int32_t* index) {
    Power e;
    if constexpr (sizeof(e) > 16) {
      e = (Power)Vec<Real>::gather(reinterpret_cast<const Real*>(row.exponent), index).v;
    } else {
      for (int lane = 0; lane < kLanes; ++lane) e[lane] = row.exponent[index[lane]];
    }
    return {(Mantissa)Vec<Real>::gather(row.mantissa, index).v, e};
  }
  STREAMHMM_KERNEL void scatter(ScaledRow<Real> row, const int32_t* index, ScaledVec x) {
    for (int lane = 0; lane < kLanes; ++lane) {
      row.mantissa[index[lane]] = x.m[lane];
      row.exponent[index[lane]] = x.e[lane];
    }
  }

  STREAMHMM_KERNEL ScaledVec multiply(ScaledVec a, ScaledVec b) { return {a.m * b.m, a.e + b.e}; }
  STREAMHMM_KERNEL Power larger(Power a, Power b) { return a > b ? a : b; }

  // m · 2^power for powers of at most a few.
  STREAMHMM_KERNEL Mantissa times_power(Mantissa m, Power power) {
#if defined(__AVX512F__)
    if constexpr (sizeof(Real) == sizeof(float)) {
      return (Mantissa)_mm512_scalef_ps((__m512)m, _mm512_cvtepi32_ps((__m512i)power));
    } else {
      return (Mantissa)_mm512_scalef_pd((__m512d)m, _mm512_cvtepi64_pd((__m512i)power));
    }
#else
    using F = Format<Real>;
    const Power biased = power > F::kLeast ? power + F::kBias : Power{};
    return m * (Mantissa)(biased << F::kShift);
#endif
  }

  // The same, with 0 for what is too small for further arithmetic at full speed.
  STREAMHMM_KERNEL Mantissa as_real(ScaledVec x) {
    const Mantissa value = times_power(x.m, x.e);
#if defined(__AVX512F__)
    return x.e > Format<Real>::kLeast ? value : Mantissa{};
#else
    return value;
#endif
  }

  STREAMHMM_KERNEL ScaledVec add(ScaledVec a, ScaledVec b) {
    const Power top = larger(a.e, b.e);
    return {times_power(a.m, a.e - top) + times_power(b.m, b.e - top), top};
  }
  STREAMHMM_KERNEL ScaledVec add(ScaledVec a, ScaledVec b, ScaledVec c) {
    const Power top = larger(larger(a.e, b.e), c.e);
    return {times_power(a.m, a.e - top) + times_power(b.m, b.e - top) + times_power(c.m, c.e - top), top};
  }

  STREAMHMM_KERNEL ScaledVec normalise(ScaledVec x) {
#if defined(__AVX512F__)
    if constexpr (sizeof(Real) == sizeof(float)) {
      const __m512 m = (__m512)x.m;
      const __mmask16 some = _mm512_cmp_ps_mask(m, _mm512_setzero_ps(), _CMP_NEQ_OQ);
      const __m512i shift = _mm512_cvtps_epi32(_mm512_getexp_ps(m));
      const __m512i zero = _mm512_set1_epi32(static_cast<int32_t>(kZeroPower<Real>));
      return {(Mantissa)_mm512_maskz_getmant_ps(some, m, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_src),
              (Power)_mm512_mask_add_epi32(zero, some, (__m512i)x.e, shift)};
    }
#endif
    using F = Format<Real>;
    const Power bits = (Power)x.m;
    const Power shift = ((bits >> F::kShift) & F::kField) - F::kBias;
    const auto none = bits == 0;
    return {(Mantissa)(none ? Power{} : (bits & F::kFraction) | F::kOne),
            none ? Power{} + kZeroPower<Real> : x.e + shift};
  }
};

#if defined(__AVX512F__)

// Which lanes of a vector have an arc from the vector itself, from one state away, and from two.
STREAMHMM_KERNEL ScaledVec<float> masked_sum(BandMask moves, ScaledVec<float> a, ScaledVec<float> b) {
  using S = ScaledVec<float>;
  const __m512i none = _mm512_set1_epi32(static_cast<int32_t>(kZeroPower<float>));
  const __m512i first = _mm512_mask_mov_epi32(none, moves.stay, (__m512i)a.e);
  const S::Power t = (S::Power)_mm512_mask_max_epi32(first, moves.advance, first, (__m512i)b.e);
  const __m512 sum = _mm512_maskz_mov_ps(moves.stay, (__m512)S::times_power(a.m, a.e - t));
  return {(S::Mantissa)_mm512_mask_add_ps(sum, moves.advance, sum, (__m512)S::times_power(b.m, b.e - t)), t};
}

STREAMHMM_KERNEL ScaledVec<float> masked_sum(BandMask moves, ScaledVec<float> a, ScaledVec<float> b,
                                             ScaledVec<float> c) {
  using S = ScaledVec<float>;
  const __m512i none = _mm512_set1_epi32(static_cast<int32_t>(kZeroPower<float>));
  const __m512i first = _mm512_mask_mov_epi32(none, moves.stay, (__m512i)a.e);
  const __m512i second = _mm512_mask_max_epi32(first, moves.advance, first, (__m512i)b.e);
  const S::Power t = (S::Power)_mm512_mask_max_epi32(second, moves.skip, second, (__m512i)c.e);
  __m512 sum = _mm512_maskz_mov_ps(moves.stay, (__m512)S::times_power(a.m, a.e - t));
  sum = _mm512_mask_add_ps(sum, moves.advance, sum, (__m512)S::times_power(b.m, b.e - t));
  return {(S::Mantissa)_mm512_mask_add_ps(sum, moves.skip, sum, (__m512)S::times_power(c.m, c.e - t)), t};
}

#endif

}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
