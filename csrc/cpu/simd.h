// Vec<Real>: a vector of kLanes numbers, with the few operations that the Viterbi kernels need, for each target.
// Comparisons give bit masks, lane 0 in bit 0.
#pragma once

#include <cstdint>

#include "target.h"

#if defined(__AVX512F__) || defined(__AVX2__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"  // false alarms from gcc 12's own header
#include <immintrin.h>
#pragma GCC diagnostic pop
#endif

namespace streamhmm {
namespace STREAMHMM_TARGET {

template <class Real>
struct Vec;

// Whether the target masks lanes at no cost.
template <class Real>
constexpr bool kMasksLanes = false;

#if defined(__AVX512F__)

template <>
constexpr bool kMasksLanes<float> = true;

template <>
struct Vec<float> {
  static constexpr int kLanes = 16;
  __m512 v;
  STREAMHMM_KERNEL Vec load(const float* p) { return {_mm512_loadu_ps(p)}; }
  STREAMHMM_KERNEL Vec fill(float x) { return {_mm512_set1_ps(x)}; }
  STREAMHMM_KERNEL Vec gather(const float* p, const int32_t* index) {
    return {_mm512_i32gather_ps(_mm512_loadu_si512(index), p, 4)};
  }
  // Lane i takes lane i − 1 of x; lane 0 takes the last of `before`.
  STREAMHMM_KERNEL Vec shift_in(Vec x, Vec before) {
    const __m512i low = _mm512_castps_si512(before.v), high = _mm512_castps_si512(x.v);
    return {_mm512_castsi512_ps(_mm512_alignr_epi32(high, low, kLanes - 1))};
  }
  STREAMHMM_KERNEL void store(float* p, Vec x) { _mm512_storeu_ps(p, x.v); }
  STREAMHMM_KERNEL void scatter(float* p, const int32_t* index, Vec x) {
    _mm512_i32scatter_ps(p, _mm512_loadu_si512(index), x.v, 4);
  }
  STREAMHMM_KERNEL Vec add(Vec a, Vec b) { return {_mm512_add_ps(a.v, b.v)}; }
  STREAMHMM_KERNEL Vec max(Vec a, Vec b) { return {_mm512_max_ps(a.v, b.v)}; }
  STREAMHMM_KERNEL Vec min(Vec a, Vec b) { return {_mm512_min_ps(a.v, b.v)}; }
  STREAMHMM_KERNEL Vec mul(Vec a, Vec b) { return {_mm512_mul_ps(a.v, b.v)}; }
  STREAMHMM_KERNEL Vec multiply_add(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
  STREAMHMM_KERNEL Vec load_first(const float* p, int count) {
    return {_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), p)};
  }
  STREAMHMM_KERNEL void store_first(float* p, int count, Vec x) {
    _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << count) - 1), x.v);
  }
  STREAMHMM_KERNEL uint32_t equal(Vec a, Vec b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ); }
  STREAMHMM_KERNEL Vec magnitude(Vec a) { return {_mm512_abs_ps(a.v)}; }
  STREAMHMM_KERNEL Vec spread_lane(Vec a, int lane) { return {_mm512_permutexvar_ps(_mm512_set1_epi32(lane), a.v)}; }
  // chosen where a equals b, else other.
  STREAMHMM_KERNEL Vec where_equal(Vec a, Vec b, Vec chosen, Vec other) {
    return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ), other.v, chosen.v)};
  }
  STREAMHMM_KERNEL float largest_lane(Vec a) {
    const __m256 half = _mm256_max_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
    __m128 top = _mm_max_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
    top = _mm_max_ps(top, _mm_movehl_ps(top, top));
    return _mm_cvtss_f32(_mm_max_ss(top, _mm_movehdup_ps(top)));
  }
  STREAMHMM_KERNEL float sum_of_lanes(Vec a) {
    const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
    __m128 sum = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
    sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
    return _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)));
  }
  STREAMHMM_KERNEL uint32_t not_less(Vec a, Vec b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_GE_OQ); }

  // The same in the lanes of the mask; elsewhere −inf, a, and false.
  STREAMHMM_KERNEL Vec only(uint16_t mask, Vec a) {
    return {_mm512_mask_mov_ps(_mm512_set1_ps(-__builtin_inff()), mask, a.v)};
  }
  STREAMHMM_KERNEL Vec max(uint16_t mask, Vec a, Vec b) { return {_mm512_mask_max_ps(a.v, mask, a.v, b.v)}; }
  STREAMHMM_KERNEL uint32_t not_less(uint16_t mask, Vec a, Vec b) {
    return _mm512_mask_cmp_ps_mask(mask, a.v, b.v, _CMP_GE_OQ);
  }
};

template <>
struct Vec<double> {
  static constexpr int kLanes = 8;
  __m512d v;
  STREAMHMM_KERNEL Vec load(const double* p) { return {_mm512_loadu_pd(p)}; }
  STREAMHMM_KERNEL Vec fill(double x) { return {_mm512_set1_pd(x)}; }
  STREAMHMM_KERNEL Vec gather(const double* p, const int32_t* index) {
    return {_mm512_i32gather_pd(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(index)), p, 8)};
  }
  STREAMHMM_KERNEL Vec shift_in(Vec x, Vec before) {
    const __m512i low = _mm512_castpd_si512(before.v), high = _mm512_castpd_si512(x.v);
    return {_mm512_castsi512_pd(_mm512_alignr_epi64(high, low, kLanes - 1))};
  }
  STREAMHMM_KERNEL void store(double* p, Vec x) { _mm512_storeu_pd(p, x.v); }
  STREAMHMM_KERNEL void scatter(double* p, const int32_t* index, Vec x) {
    _mm512_i32scatter_pd(p, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(index)), x.v, 8);
  }
  STREAMHMM_KERNEL Vec add(Vec a, Vec b) { return {_mm512_add_pd(a.v, b.v)}; }
  STREAMHMM_KERNEL Vec max(Vec a, Vec b) { return {_mm512_max_pd(a.v, b.v)}; }
  STREAMHMM_KERNEL Vec min(Vec a, Vec b) { return {_mm512_min_pd(a.v, b.v)}; }
  STREAMHMM_KERNEL Vec mul(Vec a, Vec b) { return {_mm512_mul_pd(a.v, b.v)}; }
  STREAMHMM_KERNEL Vec multiply_add(Vec a, Vec b, Vec c) { return {_mm512_fmadd_pd(a.v, b.v, c.v)}; }
  STREAMHMM_KERNEL Vec load_first(const double* p, int count) {
    return {_mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << count) - 1), p)};
  }
  STREAMHMM_KERNEL void store_first(double* p, int count, Vec x) {
    _mm512_mask_storeu_pd(p, static_cast<__mmask8>((1u << count) - 1), x.v);
  }
  STREAMHMM_KERNEL uint32_t equal(Vec a, Vec b) { return _mm512_cmp_pd_mask(a.v, b.v, _CMP_EQ_OQ); }
  STREAMHMM_KERNEL Vec magnitude(Vec a) { return {_mm512_abs_pd(a.v)}; }
  STREAMHMM_KERNEL Vec spread_lane(Vec a, int lane) { return {_mm512_permutexvar_pd(_mm512_set1_epi64(lane), a.v)}; }
  STREAMHMM_KERNEL Vec where_equal(Vec a, Vec b, Vec chosen, Vec other) {
    return {_mm512_mask_blend_pd(_mm512_cmp_pd_mask(a.v, b.v, _CMP_EQ_OQ), other.v, chosen.v)};
  }
  STREAMHMM_KERNEL double largest_lane(Vec a) {
    const __m256d half =
        _mm256_max_pd(_mm512_castpd512_pd256(a.v), _mm256_castps_pd(_mm512_extractf32x8_ps(_mm512_castpd_ps(a.v), 1)));
    const __m128d top = _mm_max_pd(_mm256_castpd256_pd128(half), _mm256_extractf128_pd(half, 1));
    return _mm_cvtsd_f64(_mm_max_sd(top, _mm_unpackhi_pd(top, top)));
  }
  STREAMHMM_KERNEL double sum_of_lanes(Vec a) {
    const __m256d half =
        _mm256_add_pd(_mm512_castpd512_pd256(a.v), _mm256_castps_pd(_mm512_extractf32x8_ps(_mm512_castpd_ps(a.v), 1)));
    const __m128d sum = _mm_add_pd(_mm256_castpd256_pd128(half), _mm256_extractf128_pd(half, 1));
    return _mm_cvtsd_f64(_mm_add_sd(sum, _mm_unpackhi_pd(sum, sum)));
  }
  STREAMHMM_KERNEL uint32_t not_less(Vec a, Vec b) { return _mm512_cmp_pd_mask(a.v, b.v, _CMP_GE_OQ); }
};

#elif defined(__AVX2__)

template <>
struct Vec<float> {
  static constexpr int kLanes = 8;
  __m256 v;
  STREAMHMM_KERNEL Vec load(const float* p) { return {_mm256_loadu_ps(p)}; }
  STREAMHMM_KERNEL Vec fill(float x) { return {_mm256_set1_ps(x)}; }
  STREAMHMM_KERNEL Vec gather(const float* p, const int32_t* index) {
    return {_mm256_i32gather_ps(p, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(index)), 4)};
  }
  STREAMHMM_KERNEL Vec shift_in(Vec x, Vec before) {
    const __m256 middle = _mm256_permute2f128_ps(before.v, x.v, 0x21);
    const __m256i joined = _mm256_alignr_epi8(_mm256_castps_si256(x.v), _mm256_castps_si256(middle), 12);
    return {_mm256_castsi256_ps(joined)};
  }
  STREAMHMM_KERNEL void store(float* p, Vec x) { _mm256_storeu_ps(p, x.v); }
  STREAMHMM_KERNEL void scatter(float* p, const int32_t* index, Vec x) {
    for (int lane = 0; lane < kLanes; ++lane) p[index[lane]] = x.v[lane];
  }
  STREAMHMM_KERNEL Vec add(Vec a, Vec b) { return {_mm256_add_ps(a.v, b.v)}; }
  STREAMHMM_KERNEL Vec max(Vec a, Vec b) { return {_mm256_max_ps(a.v, b.v)}; }
  STREAMHMM_KERNEL Vec min(Vec a, Vec b) { return {_mm256_min_ps(a.v, b.v)}; }
  STREAMHMM_KERNEL Vec mul(Vec a, Vec b) { return {_mm256_mul_ps(a.v, b.v)}; }
  STREAMHMM_KERNEL Vec multiply_add(Vec a, Vec b, Vec c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
  STREAMHMM_KERNEL void store_first(float* p, int count, Vec x) {
    for (int lane = 0; lane < count; ++lane) p[lane] = x.v[lane];
  }
  STREAMHMM_KERNEL Vec load_first(const float* p, int count) {
    Vec result = fill(0);
    for (int lane = 0; lane < count; ++lane) result.v[lane] = p[lane];
    return result;
  }
  STREAMHMM_KERNEL uint32_t equal(Vec a, Vec b) {
    return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(a.v, b.v, _CMP_EQ_OQ)));
  }
  STREAMHMM_KERNEL Vec magnitude(Vec a) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)}; }
  STREAMHMM_KERNEL Vec spread_lane(Vec a, int lane) { return {_mm256_permutevar8x32_ps(a.v, _mm256_set1_epi32(lane))}; }
  STREAMHMM_KERNEL Vec where_equal(Vec a, Vec b, Vec chosen, Vec other) {
    return {_mm256_blendv_ps(other.v, chosen.v, _mm256_cmp_ps(a.v, b.v, _CMP_EQ_OQ))};
  }
  STREAMHMM_KERNEL float largest_lane(Vec a) {
    float top = a.v[0];
    for (int lane = 1; lane < kLanes; ++lane) top = a.v[lane] > top ? a.v[lane] : top;
    return top;
  }
  STREAMHMM_KERNEL float sum_of_lanes(Vec a) {
    float sum = a.v[0];
    for (int lane = 1; lane < kLanes; ++lane) sum += a.v[lane];
    return sum;
  }
  STREAMHMM_KERNEL uint32_t not_less(Vec a, Vec b) {
    return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(a.v, b.v, _CMP_GE_OQ)));
  }
};

template <>
struct Vec<double> {
  static constexpr int kLanes = 4;
  __m256d v;
  STREAMHMM_KERNEL Vec load(const double* p) { return {_mm256_loadu_pd(p)}; }
  STREAMHMM_KERNEL Vec fill(double x) { return {_mm256_set1_pd(x)}; }
  STREAMHMM_KERNEL Vec gather(const double* p, const int32_t* index) {
    return {_mm256_i32gather_pd(p, _mm_loadu_si128(reinterpret_cast<const __m128i*>(index)), 8)};
  }
  STREAMHMM_KERNEL Vec shift_in(Vec x, Vec before) {
    const __m256d middle = _mm256_permute2f128_pd(before.v, x.v, 0x21);
    return {_mm256_shuffle_pd(middle, x.v, 0x5)};
  }
  STREAMHMM_KERNEL void store(double* p, Vec x) { _mm256_storeu_pd(p, x.v); }
  STREAMHMM_KERNEL void scatter(double* p, const int32_t* index, Vec x) {
    for (int lane = 0; lane < kLanes; ++lane) p[index[lane]] = x.v[lane];
  }
  STREAMHMM_KERNEL Vec add(Vec a, Vec b) { return {_mm256_add_pd(a.v, b.v)}; }
  STREAMHMM_KERNEL Vec max(Vec a, Vec b) { return {_mm256_max_pd(a.v, b.v)}; }
  STREAMHMM_KERNEL Vec min(Vec a, Vec b) { return {_mm256_min_pd(a.v, b.v)}; }
  STREAMHMM_KERNEL Vec mul(Vec a, Vec b) { return {_mm256_mul_pd(a.v, b.v)}; }
  STREAMHMM_KERNEL Vec multiply_add(Vec a, Vec b, Vec c) { return {_mm256_fmadd_pd(a.v, b.v, c.v)}; }
  STREAMHMM_KERNEL void store_first(double* p, int count, Vec x) {
    for (int lane = 0; lane < count; ++lane) p[lane] = x.v[lane];
  }
  STREAMHMM_KERNEL Vec load_first(const double* p, int count) {
    Vec result = fill(0);
    for (int lane = 0; lane < count; ++lane) result.v[lane] = p[lane];
    return result;
  }
  STREAMHMM_KERNEL uint32_t equal(Vec a, Vec b) {
    return static_cast<uint32_t>(_mm256_movemask_pd(_mm256_cmp_pd(a.v, b.v, _CMP_EQ_OQ)));
  }
  STREAMHMM_KERNEL Vec magnitude(Vec a) { return {_mm256_andnot_pd(_mm256_set1_pd(-0.0), a.v)}; }
  STREAMHMM_KERNEL Vec spread_lane(Vec a, int lane) { return {_mm256_set1_pd(a.v[lane])}; }
  STREAMHMM_KERNEL Vec where_equal(Vec a, Vec b, Vec chosen, Vec other) {
    return {_mm256_blendv_pd(other.v, chosen.v, _mm256_cmp_pd(a.v, b.v, _CMP_EQ_OQ))};
  }
  STREAMHMM_KERNEL double largest_lane(Vec a) {
    double top = a.v[0];
    for (int lane = 1; lane < kLanes; ++lane) top = a.v[lane] > top ? a.v[lane] : top;
    return top;
  }
  STREAMHMM_KERNEL double sum_of_lanes(Vec a) {
    double sum = a.v[0];
    for (int lane = 1; lane < kLanes; ++lane) sum += a.v[lane];
    return sum;
  }
  STREAMHMM_KERNEL uint32_t not_less(Vec a, Vec b) {
    return static_cast<uint32_t>(_mm256_movemask_pd(_mm256_cmp_pd(a.v, b.v, _CMP_GE_OQ)));
  }
};

#else

// Any processor that the compiler's vector extension knows: SSE2, NEON, or plain registers.
template <class Real>
struct Vec {
  static constexpr int kLanes = 16 / sizeof(Real);
  typedef Real Native __attribute__((vector_size(16)));
  typedef Real Unaligned __attribute__((vector_size(16), aligned(sizeof(Real)), may_alias));
  Native v;
  STREAMHMM_KERNEL Vec load(const Real* p) { return {*reinterpret_cast<const Unaligned*>(p)}; }
  STREAMHMM_KERNEL Vec fill(Real x) { return {Native{} + x}; }
  STREAMHMM_KERNEL Vec gather(const Real* p, const int32_t* index) {
    Vec result = {Native{}};
    for (int lane = 0; lane < kLanes; ++lane) result.v[lane] = p[index[lane]];
    return result;
  }
  STREAMHMM_KERNEL Vec shift_in(Vec x, Vec before) {
    if constexpr (kLanes == 4) {
      return {__builtin_shufflevector(before.v, x.v, 3, 4, 5, 6)};
    } else {
      return {__builtin_shufflevector(before.v, x.v, 1, 2)};
    }
  }
  STREAMHMM_KERNEL void store(Real* p, Vec x) { *reinterpret_cast<Unaligned*>(p) = x.v; }
  STREAMHMM_KERNEL void scatter(Real* p, const int32_t* index, Vec x) {
    for (int lane = 0; lane < kLanes; ++lane) p[index[lane]] = x.v[lane];
  }
  STREAMHMM_KERNEL Vec add(Vec a, Vec b) { return {a.v + b.v}; }
  STREAMHMM_KERNEL Vec max(Vec a, Vec b) { return {a.v > b.v ? a.v : b.v}; }
  STREAMHMM_KERNEL Vec min(Vec a, Vec b) { return {a.v < b.v ? a.v : b.v}; }
  STREAMHMM_KERNEL Vec mul(Vec a, Vec b) { return {a.v * b.v}; }
  STREAMHMM_KERNEL Vec multiply_add(Vec a, Vec b, Vec c) { return {a.v * b.v + c.v}; }
  STREAMHMM_KERNEL void store_first(Real* p, int count, Vec x) {
    for (int lane = 0; lane < count; ++lane) p[lane] = x.v[lane];
  }
  STREAMHMM_KERNEL Vec load_first(const Real* p, int count) {
    Vec result = {Native{}};
    for (int lane = 0; lane < count; ++lane) result.v[lane] = p[lane];
    return result;
  }
  STREAMHMM_KERNEL uint32_t not_less(Vec a, Vec b) { return bits_of(a.v >= b.v); }
  STREAMHMM_KERNEL uint32_t equal(Vec a, Vec b) { return bits_of(a.v == b.v); }
  STREAMHMM_KERNEL Vec magnitude(Vec a) { return {a.v < 0 ? -a.v : a.v}; }
  STREAMHMM_KERNEL Vec spread_lane(Vec a, int lane) { return fill(a.v[lane]); }
  STREAMHMM_KERNEL Vec where_equal(Vec a, Vec b, Vec chosen, Vec other) { return {a.v == b.v ? chosen.v : other.v}; }
  STREAMHMM_KERNEL Real largest_lane(Vec a) {
    Real top = a.v[0];
    for (int lane = 1; lane < kLanes; ++lane) top = a.v[lane] > top ? a.v[lane] : top;
    return top;
  }
  STREAMHMM_KERNEL Real sum_of_lanes(Vec a) {
    Real sum = a.v[0];
    for (int lane = 1; lane < kLanes; ++lane) sum += a.v[lane];
    return sum;
  }

 private:
  template <class Mask>
  STREAMHMM_KERNEL uint32_t bits_of(Mask mask) {
    uint32_t bits = 0;
    for (int lane = 0; lane < kLanes; ++lane) bits |= static_cast<uint32_t>(mask[lane] & 1) << lane;
    return bits;
  }
};

#endif

}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
