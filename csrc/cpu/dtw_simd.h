// Doubles: a vector of kLanes doubles with what the steps of dynamic time warping need, for each target.
#pragma once

#include <cstdint>

#include "target.h"

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

namespace streamhmm {
namespace STREAMHMM_TARGET {

#if defined(__AVX512F__)

struct Doubles {
  static constexpr int kLanes = 8;
  __m512d v;
  STREAMHMM_KERNEL Doubles load(const double* p) { return {_mm512_loadu_pd(p)}; }
  STREAMHMM_KERNEL Doubles load(const float* p) { return {_mm512_cvtps_pd(_mm256_loadu_ps(p))}; }
  STREAMHMM_KERNEL Doubles fill(double x) { return {_mm512_set1_pd(x)}; }
  STREAMHMM_KERNEL void store(double* p, Doubles x) { _mm512_storeu_pd(p, x.v); }
  STREAMHMM_KERNEL void store_last(double* p, Doubles x) { _mm512_mask_storeu_pd(p - 7, 0x80, x.v); }
  STREAMHMM_KERNEL Doubles add(Doubles a, Doubles b) { return {_mm512_add_pd(a.v, b.v)}; }
  STREAMHMM_KERNEL Doubles multiply(Doubles a, Doubles b) { return {_mm512_mul_pd(a.v, b.v)}; }
  STREAMHMM_KERNEL Doubles min(Doubles a, Doubles b) { return {_mm512_min_pd(a.v, b.v)}; }
  STREAMHMM_KERNEL uint32_t less(Doubles a, Doubles b) { return _mm512_cmp_pd_mask(a.v, b.v, _CMP_LT_OQ); }
  // Every lane moves up by one; the last one of `below` comes in.
  STREAMHMM_KERNEL Doubles shifted(Doubles below, Doubles x) {
    return {_mm512_castsi512_pd(_mm512_alignr_epi64(_mm512_castpd_si512(x.v), _mm512_castpd_si512(below.v), 7))};
  }
};

#elif defined(__AVX2__)

struct Doubles {
  static constexpr int kLanes = 4;
  __m256d v;
  STREAMHMM_KERNEL Doubles load(const double* p) { return {_mm256_loadu_pd(p)}; }
  STREAMHMM_KERNEL Doubles load(const float* p) { return {_mm256_cvtps_pd(_mm_loadu_ps(p))}; }
  STREAMHMM_KERNEL Doubles fill(double x) { return {_mm256_set1_pd(x)}; }
  STREAMHMM_KERNEL void store(double* p, Doubles x) { _mm256_storeu_pd(p, x.v); }
  STREAMHMM_KERNEL void store_last(double* p, Doubles x) { *p = x.v[3]; }
  STREAMHMM_KERNEL Doubles add(Doubles a, Doubles b) { return {_mm256_add_pd(a.v, b.v)}; }
  STREAMHMM_KERNEL Doubles multiply(Doubles a, Doubles b) { return {_mm256_mul_pd(a.v, b.v)}; }
  STREAMHMM_KERNEL Doubles min(Doubles a, Doubles b) { return {_mm256_min_pd(a.v, b.v)}; }
  STREAMHMM_KERNEL uint32_t less(Doubles a, Doubles b) {
    return static_cast<uint32_t>(_mm256_movemask_pd(_mm256_cmp_pd(a.v, b.v, _CMP_LT_OQ)));
  }
  STREAMHMM_KERNEL Doubles shifted(Doubles below, Doubles x) {
    const __m256d between = _mm256_permute2f128_pd(below.v, x.v, 0x21);  // below[2], below[3], x[0], x[1]
    return {_mm256_shuffle_pd(between, x.v, 0x5)};
  }
};

#else

struct Doubles {
  static constexpr int kLanes = 2;
  typedef double Native __attribute__((vector_size(16)));
  typedef double Unaligned __attribute__((vector_size(16), aligned(sizeof(double)), may_alias));
  Native v;
  STREAMHMM_KERNEL Doubles load(const double* p) { return {*reinterpret_cast<const Unaligned*>(p)}; }
  STREAMHMM_KERNEL Doubles load(const float* p) { return {Native{p[0], p[1]}}; }
  STREAMHMM_KERNEL Doubles fill(double x) { return {Native{x, x}}; }
  STREAMHMM_KERNEL void store(double* p, Doubles x) { *reinterpret_cast<Unaligned*>(p) = x.v; }
  STREAMHMM_KERNEL void store_last(double* p, Doubles x) { *p = x.v[1]; }
  STREAMHMM_KERNEL Doubles add(Doubles a, Doubles b) { return {a.v + b.v}; }
  STREAMHMM_KERNEL Doubles multiply(Doubles a, Doubles b) { return {a.v * b.v}; }
  STREAMHMM_KERNEL Doubles min(Doubles a, Doubles b) { return {a.v < b.v ? a.v : b.v}; }
  STREAMHMM_KERNEL uint32_t less(Doubles a, Doubles b) {
    const auto mask = a.v < b.v;
    return static_cast<uint32_t>((mask[0] & 1) | (mask[1] & 2));
  }
  STREAMHMM_KERNEL Doubles shifted(Doubles below, Doubles x) { return {Native{below.v[1], x.v[0]}}; }
};

#endif

}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
