// The step of OnlineViterbi for one tile. Plain loops over kTile neighbours, which compilers turn into vectors.
#include "kernels.h"
#include "online_tile.h"
#include "simd.h"
#include "target.h"

namespace streamhmm {
namespace STREAMHMM_TARGET {
namespace {

template <class Real>
constexpr Real kNever = static_cast<Real>(-__builtin_inf());

// What leads into state j from j itself (0), the one before (1) and the one before that (2), the lowest first.
template <class Real>
STREAMHMM_KERNEL void step_in_band(const OnlineTile<Real>& tile) {
  const Real* alpha = tile.alpha + tile.first;
  const int32_t* ancestor = tile.ancestor + tile.first;
  const Real *stay = tile.stay, *advance = tile.advance, *skip = tile.skip;
  Real* __restrict next = tile.next;
  int32_t* __restrict source = tile.source;
  int32_t* __restrict next_ancestor = tile.next_ancestor;
  for (int32_t l = 0; l < kTile; ++l) {
    const Real two = alpha[l - 2] + skip[l], one = alpha[l - 1] + advance[l], none = alpha[l] + stay[l];
    const Real far = one > two ? one : two;
    next[l] = none > far ? none : far;
    source[l] = tile.first + l - (none > far ? 0 : one > two ? 1 : 2);
    next_ancestor[l] = none > far ? ancestor[l] : one > two ? ancestor[l - 1] : ancestor[l - 2];
  }
}

template <class Real>
STREAMHMM_KERNEL void enter(const OnlineTile<Real>& tile, int32_t source, int32_t l, Real candidate) {
  if (candidate > tile.next[l] || (candidate == tile.next[l] && source < tile.source[l])) {
    tile.next[l] = candidate;
    tile.source[l] = source;
    tile.next_ancestor[l] = tile.ancestor[source];
  }
}

template <class Real>
STREAMHMM_KERNEL Real shifted(const OnlineTile<Real>& tile, int32_t source) {
  return tile.alpha[source] + tile.shift[source / kTile];
}

// The first two states of a tile are entered from the tile before it, which has another offset.
template <class Real>
STREAMHMM_KERNEL void step_across_border(const OnlineTile<Real>& tile) {
  if (tile.first == 0 || tile.shift[tile.first / kTile - 1] == 0) return;
  const Real* alpha = tile.alpha + tile.first;
  const Real before[2] = {shifted(tile, tile.first - 2), shifted(tile, tile.first - 1)};
  const Real candidates[2][3] = {
      {before[0] + tile.skip[0], before[1] + tile.advance[0], alpha[0] + tile.stay[0]},
      {before[1] + tile.skip[1], alpha[0] + tile.advance[1], alpha[1] + tile.stay[1]},
  };
  for (int32_t l = 0; l < 2; ++l) {
    tile.next[l] = kNever<Real>;
    for (int32_t steps = 2; steps >= 0; --steps) enter(tile, tile.first + l - steps, l, candidates[l][2 - steps]);
  }
}

template <class Real>
Real step(const OnlineTile<Real>& tile) {
  step_in_band(tile);
  step_across_border(tile);
  for (const ListedArc<Real>* arc = tile.listed; arc < tile.listed_end; ++arc) {
    enter(tile, arc->source, arc->target - tile.first, shifted(tile, arc->source) + arc->weight);
  }
  Vec<Real> top = Vec<Real>::fill(kNever<Real>);
  for (int32_t l = 0; l < kTile; l += Vec<Real>::kLanes) {
    const auto sum = Vec<Real>::add(Vec<Real>::load(tile.next + l), Vec<Real>::gather(tile.scores, tile.pdf + l));
    Vec<Real>::store(tile.next + l, sum);
    top = Vec<Real>::max(top, sum);
  }
  return Vec<Real>::largest_lane(top);
}

template <class Real>
int32_t prune(Real* alpha, Real least) {
  int32_t left = 0;
  for (int32_t l = 0; l < kTile; ++l) {
    alpha[l] = alpha[l] < least ? kNever<Real> : alpha[l];
    left += alpha[l] > kNever<Real>;
  }
  return left;
}

}  // namespace

void fill_online(Kernels& table) {
  table.single_precision.online_step = step<float>;
  table.double_precision.online_step = step<double>;
  table.single_precision.online_prune = prune<float>;
  table.double_precision.online_prune = prune<double>;
}

}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
