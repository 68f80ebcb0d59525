// Viterbi on a linear graph: one pass over the states a frame, from the last state down, so that α is updated in place
// (state j reads j, j−1 and j−2 of the frame before). Recursion and tie rule: ../viterbi.h.
#include "kernels.h"
#include "linear_viterbi.h"
#include "simd.h"

namespace streamhmm {
namespace STREAMHMM_TARGET {
namespace {

constexpr int32_t kGroupsPerTile = kTile / kGroup;

// α of the states that lie kSteps before those at `first`, as their tile sees it.
template <class Real, bool kEdge, int kSteps>
STREAMHMM_KERNEL Vec<Real> before(const LinearViterbi<Real>& d, int64_t first) {
  using V = Vec<Real>;
  const V alpha = V::template load_before<kSteps>(d.alpha + first);
  if constexpr (!kEdge) return alpha;
  return V::add(alpha, V::first_lanes(d.shift[first / kTile], kSteps));
}

// The winners' bits of some states: lower quarter advance, then skip, then the slots' lists.
using Winners = uint64_t;

// What is known of the band's weights: nothing; 0 or −inf, so that masks say it all, in a tenth of the memory; the
// same, and every stay and advance is there.
enum class Band { weighted, masked, complete };

// α of the predecessors with the arcs' weights added, and which lanes have such an arc.
template <class Real, Band kBand>
STREAMHMM_KERNEL Vec<Real> stayed(const LinearViterbi<Real>& d, int64_t first) {
  using V = Vec<Real>;
  const V alpha = V::load(d.alpha + first);
  if constexpr (kBand == Band::weighted) return V::add(alpha, V::load(d.stay + first));
  if constexpr (kBand == Band::masked) return V::only(d.moves[first / kGroup].stay, alpha);
  return alpha;
}

template <class Real, Band kBand, bool kEdge>
STREAMHMM_KERNEL uint32_t consider_advance(const LinearViterbi<Real>& d, int64_t first, Vec<Real>& best) {
  using V = Vec<Real>;
  V advanced = before<Real, kEdge, 1>(d, first);
  if constexpr (kBand == Band::weighted) advanced = V::add(advanced, V::load(d.advance + first));
  const V stay = best;
  if constexpr (kBand == Band::masked) {
    const uint16_t mask = d.moves[first / kGroup].advance;
    best = V::max(mask, stay, advanced);
    return V::not_less(mask, advanced, stay);
  } else {
    best = V::max(stay, advanced);
    return V::not_less(advanced, stay);
  }
}

template <class Real, Band kBand, bool kEdge>
STREAMHMM_KERNEL uint32_t consider_skip(const LinearViterbi<Real>& d, int64_t first, Vec<Real>& best) {
  using V = Vec<Real>;
  const V skipped = before<Real, kEdge, 2>(d, first), other = best;
  if constexpr (kMasksLanes<Real> && kBand != Band::weighted) {
    const uint16_t mask = d.moves[first / kGroup].skip;
    best = V::max(mask, other, skipped);
    return V::not_less(mask, skipped, other);
  } else {
    const V weighted = V::add(skipped, V::load(d.skip + first));
    best = V::max(other, weighted);
    return V::not_less(weighted, other);
  }
}

template <class Table, class Real>
STREAMHMM_KERNEL const typename Table::Index* pdfs(const LinearViterbi<Real>& d) {
  if constexpr (sizeof(typename Table::Index) == 1) {
    return d.narrow_pdf;
  } else {
    return d.pdf;
  }
}

template <class Real, bool kSkip, Band kBand, bool kSlots, bool kEdge, class Table>
STREAMHMM_KERNEL Winners advance_vector(const LinearViterbi<Real>& d, const Table& table, int64_t first) {
  using V = Vec<Real>;
  V best = stayed<Real, kBand>(d, first);
  Winners winners = consider_advance<Real, kBand, kEdge>(d, first, best);
  if constexpr (kSkip) winners |= consider_skip<Real, kBand, kEdge>(d, first, best) << kGroup;
  if constexpr (kSlots) {
    const V entry = V::load(d.entry + first);
    winners |= static_cast<Winners>(V::not_less(entry, best)) << 2 * kGroup;
    best = V::max(best, entry);
  }
  V::store(d.alpha + first, V::add(best, Table::at(table, pdfs<Table>(d) + first)));
  return winners;
}

template <class Real, bool kSkip, Band kBand, bool kSlots, bool kEdge, class Table>
STREAMHMM_KERNEL Winners advance_group(const LinearViterbi<Real>& d, const Table& table, int64_t first) {
  constexpr int kLanes = Vec<Real>::kLanes;
  Winners winners = 0;
  for (int lane = kGroup - kLanes; lane > 0; lane -= kLanes) {
    winners |= advance_vector<Real, kSkip, kBand, kSlots, false>(d, table, first + lane) << lane;
  }
  return winners | advance_vector<Real, kSkip, kBand, kSlots, kEdge>(d, table, first);
}

// Where a frame's back-pointers go.
struct FrameBits {
  Bits* advance;
  Bits* skip;
  Bits* listed;
};

template <bool kSkip, bool kSlots>
STREAMHMM_KERNEL void keep(Winners winners, int64_t group, const FrameBits& out) {
  out.advance[group] = static_cast<Bits>(winners);
  if constexpr (kSkip) out.skip[group] = static_cast<Bits>(winners >> kGroup);
  if constexpr (kSlots) out.listed[group] = static_cast<Bits>(winners >> 2 * kGroup);
}

template <class Real, bool kSkip, Band kBand, bool kSlots, class Table>
STREAMHMM_KERNEL void advance_frame(const LinearViterbi<Real>& d, const Table& table, int64_t groups,
                                    const FrameBits& out) {
  constexpr bool kShifted = sizeof(Real) == sizeof(float);  // double precision has no offsets
  for (int64_t group = groups - 1; group >= 0; --group) {
    for (; group % kGroupsPerTile != 0; --group) {
      keep<kSkip, kSlots>(advance_group<Real, kSkip, kBand, kSlots, false>(d, table, group * kGroup), group, out);
    }
    keep<kSkip, kSlots>(advance_group<Real, kSkip, kBand, kSlots, kShifted>(d, table, group * kGroup), group, out);
  }
}

// The best arc of some slots' lists, from the α that the band is about to overwrite; sets the layers' bits at `lane`.
template <class Real>
STREAMHMM_KERNEL Vec<Real> best_entry(const LinearViterbi<Real>& d, int32_t begin, int32_t end, int lane,
                                      Bits* beaten) {
  using V = Vec<Real>;
  constexpr uint32_t kAll = (1u << V::kLanes) - 1;
  V best = V::fill(static_cast<Real>(-__builtin_inf()));
  for (int32_t layer = begin; layer < end; ++layer) {
    const int64_t arc = static_cast<int64_t>(layer) * kGroup + lane;
    const V alpha = V::add(V::gather(d.alpha, d.arc_source + arc), V::load(d.arc_shift + arc));
    const V candidate = V::add(alpha, V::load(d.arc_weight + arc));
    const uint32_t bits = (~V::not_less(best, candidate) & kAll) << lane;
    beaten[layer] = static_cast<Bits>(lane == 0 ? bits : beaten[layer] | bits);
    best = V::max(best, candidate);
  }
  return best;
}

template <class Real>
STREAMHMM_KERNEL void enter_slots(const LinearViterbi<Real>& d, Bits* beaten) {
  using V = Vec<Real>;
  for (int32_t group = 0; group < d.slot_groups; ++group) {
    for (int lane = 0; lane < kGroup; lane += V::kLanes) {
      const V best = best_entry(d, d.first_layer[group], d.first_layer[group + 1], lane, beaten);
      V::scatter(d.entry, d.slot_state + group * kGroup + lane, best);
    }
  }
}

template <class Real, bool kSkip, Band kBand, bool kSlots, int kTables>
void run(LinearViterbi<Real>& decoder, const ScoreRows<Real>& scores, int64_t first, int64_t last, Bits* pointers) {
  using Table = Lookup<Real, kTables>;
  const LinearViterbi<Real> d = decoder;  // a copy that no store can change: its pointers stay in registers
  const FrameLayout layout = d.layout;
  const auto rows = Table::layout(scores.columns);
  int64_t live = d.live;
  for (int64_t t = first; t < last; ++t, pointers += layout.size) {
    const Table table = Table::over(scores.data + t * scores.stride, rows);
    live = live + d.reach < d.states ? live + d.reach : d.states;
    if constexpr (kSlots) enter_slots(d, pointers + layout.layers);
    const FrameBits out{pointers, pointers + layout.skip, pointers + layout.listed};
    advance_frame<Real, kSkip, kBand, kSlots>(d, table, linear_groups(live), out);
  }
  decoder.live = static_cast<int32_t>(live);
}

template <class Real>
using Runner = void (*)(LinearViterbi<Real>&, const ScoreRows<Real>&, int64_t, int64_t, Bits*);

// The kernel for a graph's shape: with skip arcs, with slots.
template <class Real, Band kBand, int kTables>
STREAMHMM_KERNEL Runner<Real> runner(const LinearViterbi<Real>& d) {
  const bool slots = d.slot_groups > 0;
  if (d.skip != nullptr) return slots ? run<Real, true, kBand, true, kTables> : run<Real, true, kBand, false, kTables>;
  return slots ? run<Real, false, kBand, true, kTables> : run<Real, false, kBand, false, kTables>;
}

template <class Real, int kTables>
STREAMHMM_KERNEL Runner<Real> runner(const LinearViterbi<Real>& d) {
  if (d.weighted) return runner<Real, Band::weighted, kTables>(d);
  if (d.complete) return runner<Real, Band::complete, kTables>(d);
  constexpr Band kMasked = kMasksLanes<Real> ? Band::masked : Band::weighted;
  return runner<Real, kMasked, kTables>(d);
}

template <class Real>
void viterbi(LinearViterbi<Real>& d, const ScoreRows<Real>& scores, int64_t first, int64_t last, Bits* pointers) {
  Runner<Real> run_frames = runner<Real, 0>(d);
#if defined(__AVX512F__)
  if constexpr (sizeof(Real) == sizeof(float)) {
    if (scores.columns <= 64) run_frames = scores.columns <= 32 ? runner<Real, 2>(d) : runner<Real, 4>(d);
  }
#endif
  run_frames(d, scores, first, last, pointers);
}

}  // namespace

void fill_linear_viterbi(Kernels& table) {
  table.single_precision.linear_viterbi = viterbi<float>;
  table.double_precision.linear_viterbi = viterbi<double>;
}

}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
