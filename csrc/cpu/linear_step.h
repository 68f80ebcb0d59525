// One frame of Viterbi on one pair of groups: the arcs of the band and of the slots that enter its states. For kernel
// files; recursion and tie rule: ../viterbi.h.
#pragma once

#include "lanes.h"
#include "linear_viterbi.h"

namespace streamhmm {
namespace STREAMHMM_TARGET {
namespace {

// What a kernel is made for.
template <class R, Skips skips, BandWeights band, bool slots, bool trace, int tables>
struct Form {
  using Real = R;
  using Table = Lookup<Real, tables>;
  static constexpr Skips kSkips = skips;
  static constexpr BandWeights kBand = band;
  static constexpr bool kSlots = slots, kTrace = trace;
};

template <class Real>
struct Pair {
  Lanes<Real> even, odd;
};

// best = max(best, candidate + weight) where the arc is there; `won` gets the lanes in which the candidate is not less.
template <bool kTrace, class Real>
STREAMHMM_KERNEL void consider(Lanes<Real>& best, const Lanes<Real>& candidate, Bits* won) {
  if constexpr (kTrace) *won = static_cast<Bits>(Lanes<Real>::not_less(candidate, best));
  best = Lanes<Real>::max(best, candidate);
}
template <bool kTrace, class Real>
STREAMHMM_KERNEL void consider(Lanes<Real>& best, const Lanes<Real>& candidate, uint16_t mask, Bits* won) {
  using V = Vec<Real>;
  if constexpr (kTrace) *won = static_cast<Bits>(V::not_less(mask, candidate.part[0], best.part[0]));
  best.part[0] = V::max(mask, best.part[0], candidate.part[0]);
}

// The arcs of the band into one group, and the group's emissions.
template <class F>
struct GroupArcs {
  using Real = typename F::Real;
  using L = Lanes<Real>;
  static constexpr bool kMasked = kMasksLanes<Real> && F::kBand != BandWeights::weighted;
  uint16_t may_stay, may_advance, may_skip;
  L stay, advance, skip;

  STREAMHMM_KERNEL GroupArcs of(const LinearViterbi<Real>& d, int64_t cell) {
    GroupArcs arcs;
    if constexpr (kMasked) {
      const GroupMoves* moves = d.moves + cell / kGroup;
      arcs.may_stay = moves->stay;
      arcs.may_advance = moves->advance;
      arcs.may_skip = moves->skip;
    }
    if constexpr (F::kBand == BandWeights::weighted) arcs.stay = L::load(d.stay + cell);
    if constexpr (F::kBand == BandWeights::weighted) arcs.advance = L::load(d.advance + cell);
    if constexpr (F::kSkips != Skips::none) arcs.skip = kMasked ? L::fill(d.skip_weight) : L::load(d.skip + cell);
    return arcs;
  }
  STREAMHMM_KERNEL L stayed(const GroupArcs& arcs, const L& alpha) {
    if constexpr (F::kBand == BandWeights::weighted) return L::add(alpha, arcs.stay);
    if constexpr (F::kBand == BandWeights::masked) return {{Vec<Real>::only(arcs.may_stay, alpha.part[0])}};
    return alpha;
  }
  STREAMHMM_KERNEL void consider_advance(const GroupArcs& arcs, L& best, const L& alpha, Bits* won) {
    if constexpr (F::kBand == BandWeights::weighted) {
      consider<F::kTrace>(best, L::add(alpha, arcs.advance), won);
    } else if constexpr (F::kBand == BandWeights::masked) {
      consider<F::kTrace>(best, alpha, arcs.may_advance, won);
    } else {
      consider<F::kTrace>(best, alpha, won);
    }
  }
  STREAMHMM_KERNEL void consider_skip(const GroupArcs& arcs, L& best, const L& alpha, Bits* won) {
    if constexpr (!kMasked) {
      consider<F::kTrace>(best, L::add(alpha, arcs.skip), won);
    } else if constexpr (F::kSkips == Skips::ctc) {
      consider<F::kTrace>(best, alpha, arcs.may_skip, won);
    } else {
      consider<F::kTrace>(best, L::add(alpha, arcs.skip), arcs.may_skip, won);
    }
  }
};

template <class F>
STREAMHMM_KERNEL void consider_entry(const LinearViterbi<typename F::Real>& d, int64_t cell,
                                     Lanes<typename F::Real>& best, Bits* won) {
  if constexpr (F::kSlots) consider<F::kTrace>(best, Lanes<typename F::Real>::load(d.entry + cell), won);
}

template <class F>
STREAMHMM_KERNEL const typename F::Table::Stored* pdfs(const LinearViterbi<typename F::Real>& d) {
  if constexpr (sizeof(typename F::Table::Stored) == 1) {
    return d.narrow_pdf;
  } else {
    return d.pdf;
  }
}

// A pair's α of one frame, before emission, from the frame before; `below` holds the last α of the pair below.
template <class F>
STREAMHMM_KERNEL Pair<typename F::Real> arrive(const LinearViterbi<typename F::Real>& d, const GroupArcs<F>& even,
                                               const GroupArcs<F>& odd, const Pair<typename F::Real>& alpha,
                                               const Pair<typename F::Real>& below, int64_t cell, Bits* won) {
  using L = Lanes<typename F::Real>;
  using Arcs = GroupArcs<F>;
  constexpr int kListed = F::kSkips == Skips::none ? 2 : 4;
  const L odd_before = L::shift_in(alpha.odd, below.odd);
  Pair<typename F::Real> best{Arcs::stayed(even, alpha.even), Arcs::stayed(odd, alpha.odd)};
  Arcs::consider_advance(even, best.even, odd_before, won);
  Arcs::consider_advance(odd, best.odd, alpha.even, won + 1);
  if constexpr (F::kSkips == Skips::any) {
    Arcs::consider_skip(even, best.even, L::shift_in(alpha.even, below.even), won + 2);
  }
  if constexpr (F::kSkips != Skips::none) Arcs::consider_skip(odd, best.odd, odd_before, won + 3);
  consider_entry<F>(d, cell, best.even, won + kListed);
  consider_entry<F>(d, cell + kGroup, best.odd, won + kListed + 1);
  return best;
}

}  // namespace
}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
