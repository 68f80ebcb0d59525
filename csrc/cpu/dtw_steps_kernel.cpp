// Dynamic time warping along anti-diagonals: the kStrip lanes of a step at once. Recursion and tie rule: ../dtw.h;
// strips, steps and lanes: dtw_strip.h.
#include "dtw_simd.h"
#include "kernels.h"

namespace streamhmm {
namespace STREAMHMM_TARGET {
namespace {

constexpr int kVectors = kStrip / Doubles::kLanes;
constexpr double kForbidden = __builtin_inf();

constexpr bool is_known(const Move& move) {
  const bool column = move.rows == 1 && 0 <= move.columns && move.columns <= 2;
  return (column || (move.rows == 0 && move.columns == 1)) && move.weight > 0;
}

// D of the cells that the moves to one vector of lanes come from.
struct Sources {
  Doubles left, above, above1, above2;
};

template <int kPattern, int kMove>
STREAMHMM_KERNEL Doubles candidate(const Sources& from, Doubles cost) {
  constexpr Move kFrom = kStepPatterns[kPattern].moves[kMove];
  static_assert(is_known(kFrom), "moves are (1, 0), (1, 1), (1, 2) and (0, 1), with weights above 0");
  if constexpr (kFrom.weight != 1) cost = Doubles::multiply(cost, Doubles::fill(kFrom.weight));
  if constexpr (kFrom.rows == 0) return Doubles::add(from.left, cost);
  if constexpr (kFrom.columns == 0) return Doubles::add(from.above, cost);
  if constexpr (kFrom.columns == 1) return Doubles::add(from.above1, cost);
  return Doubles::add(from.above2, cost);
}

struct Winners {
  uint32_t second, third;  // lanes where this move beats those before it
};

template <int kPattern>
STREAMHMM_KERNEL Doubles best_of(const Sources& from, Doubles cost, Winners& winners) {
  const Doubles first = candidate<kPattern, 0>(from, cost), second = candidate<kPattern, 1>(from, cost);
  const Doubles third = candidate<kPattern, 2>(from, cost), better = Doubles::min(second, first);
  winners = {Doubles::less(second, first), Doubles::less(third, better)};
  return Doubles::min(third, better);
}

// kEdge: the first and the last strip, where paths start and where any lane may be the last row.
template <class Real, int kPattern, bool kEdge>
void advance(const DtwTile<Real>& given, DtwFront& front) {
  using V = Doubles;
  const DtwTile<Real> tile = given;  // a copy that no store can change: its pointers stay in registers
  constexpr int kLanes = V::kLanes;
  V left[kVectors], above1[kVectors], above2[kVectors];
#pragma GCC unroll 16
  for (int v = 0; v < kVectors; ++v) {
    left[v] = V::load(front.left + v * kLanes);
    above1[v] = V::load(front.above1 + v * kLanes);
    above2[v] = V::load(front.above2 + v * kLanes);
  }
  for (int64_t s = 0; s < tile.steps; ++s) {
    const Real* costs = tile.costs + s * kStrip;
    const V entering = V::fill(kEdge && tile.starts ? kForbidden : tile.above[s]);
    uint32_t second = 0, third = 0;
#pragma GCC unroll 16
    for (int v = kVectors - 1; v >= 0; --v) {
      const V above = V::shifted(v > 0 ? left[v > 0 ? v - 1 : 0] : entering, left[v]);
      Winners winners;
      left[v] = best_of<kPattern>({left[v], above, above1[v], above2[v]}, V::load(costs + v * kLanes), winners);
      above2[v] = above1[v];
      above1[v] = above;
      second |= winners.second << v * kLanes;
      third |= winners.third << v * kLanes;
    }
    tile.pointers[2 * s] = second & ~third;
    tile.pointers[2 * s + 1] = third;
    if constexpr (kEdge) {
      double lanes[kStrip];
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) V::store(lanes + v * kLanes, left[v]);
      const double start = tile.starts ? tile.above[s] + static_cast<double>(costs[0]) : kForbidden;
      if (start < kForbidden && start <= lanes[0]) {
        lanes[0] = start;
        left[0] = V::load(lanes);
        tile.pointers[2 * s] |= 1;
        tile.pointers[2 * s + 1] |= 1;
      }
      tile.below[s] = lanes[tile.out_lane];
    } else {
      V::store_last(tile.below + s, left[kVectors - 1]);
    }
  }
#pragma GCC unroll 16
  for (int v = 0; v < kVectors; ++v) {
    V::store(front.left + v * kLanes, left[v]);
    V::store(front.above1 + v * kLanes, above1[v]);
    V::store(front.above2 + v * kLanes, above2[v]);
  }
}

template <class Real, int kPattern = 0>
void advance_by(int32_t pattern, const DtwTile<Real>& tile, DtwFront& front) {
  if constexpr (kPattern < kStepPatternCount) {
    if (pattern != kPattern) return advance_by<Real, kPattern + 1>(pattern, tile, front);
    const bool edge = tile.starts || tile.out_lane != kStrip - 1;
    edge ? advance<Real, kPattern, true>(tile, front) : advance<Real, kPattern, false>(tile, front);
  }
}

}  // namespace

void fill_dtw_steps(Kernels& table) {
  table.single_precision.dtw.advance = advance_by<float>;
  table.double_precision.dtw.advance = advance_by<double>;
}

}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
