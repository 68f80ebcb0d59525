// The way back of Viterbi on a dense graph: the path's state in each frame is known, and its winner is found again
// among the candidates of dense_viterbi_kernel.cpp, a column's work for a matrix's.
#include "dense.h"
#include "kernels.h"
#include "simd.h"

namespace streamhmm {
namespace STREAMHMM_TARGET {
namespace {

// Candidates of a tile of sources, and a bit for each that equals the largest of all.
template <class Real>
struct Candidates {
  static constexpr int kVectors = kTile / Vec<Real>::kLanes;
  Vec<Real> value[kVectors];

  STREAMHMM_KERNEL Candidates of(const Real* alpha, const Real* shift, const Real* column, int64_t first, int64_t end) {
    using V = Vec<Real>;
    Candidates c;
    for (int v = 0; v < kVectors; ++v) {
      const int64_t at = first + v * V::kLanes;
      c.value[v] = V::fill(static_cast<Real>(-__builtin_inf()));
      if (at >= end) continue;
      V from = V::load(alpha + at);
      if (shift != nullptr) from = V::add(from, V::fill(shift[first / kTile]));
      c.value[v] = V::add(from, V::load(column + at));
    }
    return c;
  }
  STREAMHMM_KERNEL Vec<Real> top(const Candidates& c) {
    Vec<Real> result = c.value[0];
    for (int v = 1; v < kVectors; ++v) result = Vec<Real>::max(result, c.value[v]);
    return result;
  }
  STREAMHMM_KERNEL uint64_t equal(const Candidates& c, Vec<Real> all) {
    uint64_t bits = 0;
    for (int v = 0; v < kVectors; ++v) {
      bits |= static_cast<uint64_t>(Vec<Real>::equal(c.value[v], all)) << v * Vec<Real>::kLanes;
    }
    return bits;
  }
};

// The lowest i with the largest (α[i] + shift) + column[i]; 0 where sums that no number can hold leave none.
template <class Real>
STREAMHMM_KERNEL int32_t winner(const Real* alpha, const Real* shift, const Real* column, int32_t states) {
  using V = Vec<Real>;
  using C = Candidates<Real>;
  C tile = C::of(alpha, shift, column, 0, states);
  V top = C::top(tile);
  for (int64_t first = kTile; first < states; first += kTile) {
    top = V::max(top, C::top(C::of(alpha, shift, column, first, states)));
  }
  const V all = V::fill(V::largest_lane(top));
  for (int64_t first = 0;;) {
    const uint64_t found = C::equal(tile, all);
    const int32_t lowest = static_cast<int32_t>(first) + (found != 0 ? __builtin_ctzll(found) : 0);
    if (found != 0) return lowest < states ? lowest : 0;
    if (first + kTile >= states) return 0;
    first += kTile;
    tile = C::of(alpha, shift, column, first, states);
  }
}

// Sequences take their steps side by side: a step waits for the one before it, but not for those of others.
template <class Real>
void walk_back(DenseWalk<Real>& d) {
  const int64_t row = dense_row_size(d.states), tiles = (d.states + kTile - 1) / kTile;
  for (int64_t t = d.frames - 1; t >= 0; --t) {
    for (int q = 0; q < d.sequences; ++q) {
      const int32_t state = d.state[q];
      const Real* shift = d.shift[q] != nullptr ? d.shift[q] + state / kTile * tiles : nullptr;
      d.path[q][t] = state;
      d.state[q] = winner(d.alpha[q] + t * row, shift, d.column[q] + state * d.column_step, d.states);
    }
  }
}

template <class Real>
void fill(KernelsOf<Real>& table) {
  table.dense_walk_back = walk_back<Real>;
}

}  // namespace

void fill_dense_walk(Kernels& table) {
  fill(table.single_precision);
  fill(table.double_precision);
}

}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
