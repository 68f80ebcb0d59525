// Lookup: finds a row's entries by index, from registers where the row fits, by gather elsewhere.
#pragma once

#include "simd.h"

namespace streamhmm {
namespace STREAMHMM_TARGET {

// Entries of one row by index. An Index is prepared once from stored ones and serves many rows. kTables = 0: gathered
// from memory. kTables = 2, 3, 4: rows of up to 32, 48, 64 floats held in registers and looked up by permutation,
// several times faster than a gather.
template <class Real, int kTables>
struct Lookup {
  using Stored = int32_t;
  using Index = const int32_t*;
  const Real* row;
  struct Layout {};
  STREAMHMM_KERNEL Layout layout(int64_t) { return {}; }
  STREAMHMM_KERNEL Lookup over(const Real* row, const Layout&) { return {row}; }
  STREAMHMM_KERNEL Index index(const Stored* stored) { return stored; }
  STREAMHMM_KERNEL Vec<Real> at(const Lookup& lookup, Index index, int part) {
    return Vec<Real>::gather(lookup.row, index + part * Vec<Real>::kLanes);
  }
};

#if defined(__AVX512F__)

template <class Table, int kTables>
struct RegisterLookup {
  using Stored = uint8_t;
  struct Index {
    __m512i lanes;  // of which the permutations read the lowest four or five bits
    __mmask16 high;
  };
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
  STREAMHMM_KERNEL Index index(const Stored* stored) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(stored));
    return {_mm512_cvtepu8_epi32(bytes), _mm_movepi8_mask(bytes)};
  }
  STREAMHMM_KERNEL Vec<float> at(const Table& lookup, const Index& index, int) {
    const __m512 low = _mm512_permutex2var_ps(lookup.table[0], index.lanes, lookup.table[1]);
    if constexpr (kTables == 2) return {low};
    if constexpr (kTables == 3) {
      return {_mm512_mask_permutexvar_ps(low, index.high, index.lanes, lookup.table[kTables - 1])};
    }
    const __m512 high = _mm512_permutex2var_ps(lookup.table[kTables - 2], index.lanes, lookup.table[kTables - 1]);
    return {_mm512_mask_blend_ps(index.high, low, high)};
  }
};

template <>
struct Lookup<float, 2> : RegisterLookup<Lookup<float, 2>, 2> {};
template <>
struct Lookup<float, 3> : RegisterLookup<Lookup<float, 3>, 3> {};
template <>
struct Lookup<float, 4> : RegisterLookup<Lookup<float, 4>, 4> {};

#endif

}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
