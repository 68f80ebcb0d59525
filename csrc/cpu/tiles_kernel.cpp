// The passes over α that move the tiles' largest values into their offsets (tile_offsets.h).
#include "kernels.h"
#include "lanes.h"

namespace streamhmm {
namespace STREAMHMM_TARGET {
namespace {

constexpr int kGroups = kTile / kGroup;

template <class Real>
STREAMHMM_KERNEL Real largest(const Lanes<Real>& lanes) {
  using V = Vec<Real>;
  V top = lanes.part[0];
  for (int i = 1; i < Lanes<Real>::kParts; ++i) top = V::max(top, lanes.part[i]);
  return V::largest_lane(top);
}

template <class Real>
void tile_tops(const Real* alpha, int32_t first, int32_t last, Real* tops) {
  using L = Lanes<Real>;
  for (int32_t k = first; k < last; ++k) {
    const Real* tile = alpha + static_cast<int64_t>(k) * kTile;
    L top = L::load(tile);
    for (int group = 1; group < kGroups; ++group) top = L::max(top, L::load(tile + group * kGroup));
    tops[k] = largest(top);
  }
}

template <class Real>
void lower_tiles(Real* alpha, int32_t first, int32_t last, const Real* moved) {
  using L = Lanes<Real>;
  constexpr Real kNever = static_cast<Real>(-__builtin_inf());
  for (int32_t k = first; k < last; ++k) {
    Real* tile = alpha + static_cast<int64_t>(k) * kTile;
    const L change = L::fill(moved[k] == kNever ? kNever : -moved[k]);
    for (Real* group = tile; group < tile + kTile; group += kGroup) L::store(group, L::add(L::load(group), change));
  }
}

}  // namespace

void fill_tiles(Kernels& table) {
  table.single_precision.tile_tops = tile_tops<float>;
  table.double_precision.tile_tops = tile_tops<double>;
  table.single_precision.lower_tiles = lower_tiles<float>;
  table.double_precision.lower_tiles = lower_tiles<double>;
}

}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
