// Vec<Real>: a vector of kLanes numbers, with the few operations that the Viterbi kernels need, for each target.
// Comparisons give bit masks, lane 0 in bit 0. Lookup finds a row's entries by index: from registers where the row
// fits, by gather elsewhere.
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
  // Loads once, into a register: folded into every use, a load that crosses cache lines is paid for several times.
  STREAMHMM_KERNEL Vec load(const float* p) {
    __m512 v = _mm512_loadu_ps(p);
    __asm__("" : "+v"(v));
    return {v};
  }
  STREAMHMM_KERNEL Vec fill(float x) { return {_mm512_set1_ps(x)}; }
  STREAMHMM_KERNEL Vec first_lanes(float x, int lanes) {
    return {_mm512_maskz_mov_ps(static_cast<__mmask16>((1u << lanes) - 1), _mm512_set1_ps(x))};
  }
  STREAMHMM_KERNEL Vec gather(const float* p, const int32_t* index) {
    return {_mm512_i32gather_ps(_mm512_loadu_si512(index), p, 4)};
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

  // What lies kSteps before p, from two aligned loads: one that straddles recent stores would wait for them.
  template <int kSteps>
  STREAMHMM_KERNEL Vec load_before(const float* p) {
    const __m512i last = _mm512_castps_si512(load(p - kLanes).v), current = _mm512_castps_si512(load(p).v);
    return {_mm512_castsi512_ps(_mm512_alignr_epi32(current, last, kLanes - kSteps))};
  }

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
  template <int kSteps>
  STREAMHMM_KERNEL Vec load_before(const double* p) {
    return load(p - kSteps);
  }
  STREAMHMM_KERNEL Vec fill(double x) { return {_mm512_set1_pd(x)}; }
  STREAMHMM_KERNEL Vec first_lanes(double x, int lanes) {
    return {_mm512_maskz_mov_pd(static_cast<__mmask8>((1u << lanes) - 1), _mm512_set1_pd(x))};
  }
  STREAMHMM_KERNEL Vec gather(const double* p, const int32_t* index) {
    return {_mm512_i32gather_pd(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(index)), p, 8)};
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
  template <int kSteps>
  STREAMHMM_KERNEL Vec load_before(const float* p) {
    return load(p - kSteps);
  }
  STREAMHMM_KERNEL Vec fill(float x) { return {_mm256_set1_ps(x)}; }
  STREAMHMM_KERNEL Vec first_lanes(float x, int lanes) {
    return {_mm256_setr_ps(x, lanes > 1 ? x : 0.0f, 0, 0, 0, 0, 0, 0)};
  }
  STREAMHMM_KERNEL Vec gather(const float* p, const int32_t* index) {
    return {_mm256_i32gather_ps(p, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(index)), 4)};
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
  template <int kSteps>
  STREAMHMM_KERNEL Vec load_before(const double* p) {
    return load(p - kSteps);
  }
  STREAMHMM_KERNEL Vec fill(double x) { return {_mm256_set1_pd(x)}; }
  STREAMHMM_KERNEL Vec first_lanes(double x, int lanes) { return {_mm256_setr_pd(x, lanes > 1 ? x : 0.0, 0, 0)}; }
  STREAMHMM_KERNEL Vec gather(const double* p, const int32_t* index) {
    return {_mm256_i32gather_pd(p, _mm_loadu_si128(reinterpret_cast<const __m128i*>(index)), 8)};
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
  template <int kSteps>
  STREAMHMM_KERNEL Vec load_before(const Real* p) {
    return load(p - kSteps);
  }
  STREAMHMM_KERNEL Vec fill(Real x) { return {Native{} + x}; }
  STREAMHMM_KERNEL Vec first_lanes(Real x, int lanes) {
    Vec result = {Native{}};
    for (int lane = 0; lane < lanes; ++lane) result.v[lane] = x;
    return result;
  }
  STREAMHMM_KERNEL Vec gather(const Real* p, const int32_t* index) {
    Vec result = {Native{}};
    for (int lane = 0; lane < kLanes; ++lane) result.v[lane] = p[index[lane]];
    return result;
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

// Entries of one row by index. kTables = 0: gather from memory. kTables = 2, 4: rows of up to 32, 64 floats held in
// registers and looked up by permutation, several times faster than a gather.
template <class Real, int kTables>
struct Lookup {
  using Index = int32_t;
  const Real* row;
  struct Layout {};
  STREAMHMM_KERNEL Layout layout(int64_t) { return {}; }
  STREAMHMM_KERNEL Lookup over(const Real* row, const Layout&) { return {row}; }
  STREAMHMM_KERNEL Vec<Real> at(const Lookup& lookup, const int32_t* index) {
    return Vec<Real>::gather(lookup.row, index);
  }
};

#if defined(__AVX512F__)

template <class Table, int kTables>
struct RegisterLookup {
  using Index = uint8_t;
  __m512 table[kTables];
  // Which lanes of each register a row fills: found once, not for every row.
  struct Layout {
    __mmask16 filled[kTables];
  };
  STREAMHMM_KERNEL Layout layout(int64_t columns) {
    Layout result;
    for (int i = 0; i < kTables; ++i) {
      const int64_t left = columns - 16 * i;
      result.filled[i] = static_cast<__mmask16>(left >= 16 ? 0xffffu : left > 0 ? (1u << left) - 1 : 0u);
    }
    return result;
  }
  STREAMHMM_KERNEL Table over(const float* row, const Layout& layout) {
    Table result;
    for (int i = 0; i < kTables; ++i) result.table[i] = _mm512_maskz_loadu_ps(layout.filled[i], row + 16 * i);
    return result;
  }
  STREAMHMM_KERNEL Vec<float> at(const Table& lookup, const uint8_t* index) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(index));
    const __m512i lanes = _mm512_cvtepu8_epi32(bytes);  // of which the permutation reads the lowest five bits
    const __m512 low = _mm512_permutex2var_ps(lookup.table[0], lanes, lookup.table[1]);
    if constexpr (kTables == 2) return {low};
    const __m512 high = _mm512_permutex2var_ps(lookup.table[kTables - 2], lanes, lookup.table[kTables - 1]);
    const __mmask16 use_high = _mm_movepi8_mask(bytes);
    return {_mm512_mask_blend_ps(use_high, low, high)};
  }
};

template <>
struct Lookup<float, 2> : RegisterLookup<Lookup<float, 2>, 2> {};
template <>
struct Lookup<float, 4> : RegisterLookup<Lookup<float, 4>, 4> {};

#endif

}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
