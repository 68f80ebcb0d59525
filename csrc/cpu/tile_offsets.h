// Double offsets for single-precision α: the rule is in viterbi.h. Shared by every family.
#pragma once

#include <cstdint>
#include <limits>

#include "../viterbi.h"
#include "buffer.h"

namespace streamhmm {

inline int32_t tile_count(int32_t states) { return (states + kTile - 1) / kTile; }

// The largest of `count` values; partial maxima side by side, so that the compiler uses vectors.
template <class Real>
Real largest(const Real* values, int32_t count) {
  constexpr int kParts = 16;
  Real parts[kParts];
  for (Real& part : parts) part = -std::numeric_limits<Real>::infinity();
  int32_t i = 0;
  for (; i + kParts <= count; i += kParts) {
    for (int k = 0; k < kParts; ++k) parts[k] = values[i + k] > parts[k] ? values[i + k] : parts[k];
  }
  for (; i < count; ++i) parts[0] = values[i] > parts[0] ? values[i] : parts[0];
  for (int half = kParts / 2; half > 0; half /= 2) {
    for (int k = 0; k < half; ++k) parts[k] = parts[k + half] > parts[k] ? parts[k + half] : parts[k];
  }
  return parts[0];
}

// Gives every empty tile the offset of its nearest neighbour below, else of the first above.
inline void fill_empty_offsets(double* offset, const Buffer<bool>& empty, int32_t tiles) {
  int32_t first = 0;
  while (first < tiles && empty[first]) ++first;
  if (first == tiles) return;
  for (int32_t k = 0; k < first; ++k) offset[k] = offset[first];
  for (int32_t k = first + 1; k < tiles; ++k) {
    if (empty[k]) offset[k] = offset[k - 1];
  }
}

// Moves each tile's largest α into its offset.
template <class Real>
void recentre(Real* alpha, int32_t states, double* offset, Buffer<bool>& empty) {
  const int32_t tiles = tile_count(states);
  for (int32_t k = 0; k < tiles; ++k) {
    Real* tile = alpha + static_cast<int64_t>(k) * kTile;
    const int32_t count = states - k * kTile < kTile ? states - k * kTile : kTile;
    const Real top = largest(tile, count);
    empty[k] = top == -std::numeric_limits<Real>::infinity();
    if (empty[k]) continue;
    offset[k] += static_cast<double>(top);
    for (int32_t i = 0; i < count; ++i) tile[i] -= top;
  }
  fill_empty_offsets(offset, empty, tiles);
}

}  // namespace streamhmm
