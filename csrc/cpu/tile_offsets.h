// Double offsets for single-precision α, and the beam: the rules are in ../viterbi.h. Shared by every family.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "../viterbi.h"

namespace streamhmm {

inline int32_t tile_count(int32_t states) { return (states + kTile - 1) / kTile; }

// Whether anything happens before the frames that are multiples of kRecentre: α in double keep offsets of 0.
template <class Real>
bool has_recentring(double beam) {
  return sizeof(Real) == sizeof(float) || beam < std::numeric_limits<double>::infinity();
}

template <class Real>
bool is_never(Real value) {
  return value == -std::numeric_limits<Real>::infinity();
}

// From the largest α of tiles first … last−1, what is to move out of them: −inf where nothing is, or nothing within the
// beam.
template <class Real>
void choose_moves(const double* offset, int32_t first, int32_t last, double beam, Real* moved) {
  if (beam < std::numeric_limits<double>::infinity()) {
    double best = -std::numeric_limits<double>::infinity();
    for (int32_t k = first; k < last; ++k) best = std::max(best, offset[k] + static_cast<double>(moved[k]));
    for (int32_t k = first; k < last; ++k) {
      if (best - (offset[k] + static_cast<double>(moved[k])) > beam) moved[k] = -std::numeric_limits<Real>::infinity();
    }
  }
  if (sizeof(Real) == sizeof(float)) return;
  for (int32_t k = first; k < last; ++k) moved[k] = is_never(moved[k]) ? moved[k] : Real(0);
}

// The offset that an empty tile takes from below.
struct OffsetBelow {
  bool known = false;
  double offset = 0;
};

// Adds to the offsets what has moved out of tiles first … last−1, and gives the empty ones among first … end−1 theirs;
// tiles elsewhere are empty. Returns what the next tile above is to know.
template <class Real>
OffsetBelow move_offsets(const Real* moved, int32_t first, int32_t last, int32_t end, OffsetBelow below,
                         double* offset) {
  for (int32_t k = first; k < last && !below.known; ++k) {
    if (!is_never(moved[k])) below = {true, offset[k] + static_cast<double>(moved[k])};
  }
  if (!below.known) return below;
  for (int32_t k = first; k < end; ++k) {
    if (k < last && !is_never(moved[k])) below.offset = offset[k] + static_cast<double>(moved[k]);
    offset[k] = below.offset;
  }
  return below;
}

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

// Moves each tile's largest α into its offset and applies the beam; `moved` (tiles) is scratch.
template <class Real>
void recentre(Real* alpha, int32_t states, double beam, double* offset, Real* moved) {
  const int32_t tiles = tile_count(states);
  for (int32_t k = 0; k < tiles; ++k) moved[k] = largest(alpha + k * kTile, std::min(kTile, states - k * kTile));
  choose_moves(offset, 0, tiles, beam, moved);
  move_offsets(moved, 0, tiles, tiles, {}, offset);
  for (int32_t k = 0; k < tiles; ++k) {
    Real* end = alpha + std::min((k + 1) * kTile, states);
    if (is_never(moved[k])) {
      std::fill(alpha + k * kTile, end, moved[k]);
    } else {
      for (Real* value = alpha + k * kTile; value < end; ++value) *value -= moved[k];
    }
  }
}

}  // namespace streamhmm
