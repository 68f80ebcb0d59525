// Viterbi on a linear graph: one pass over the states a frame, from the last state down, so that α is updated in place
// (state j reads j, j−1 and j−2 of the frame before). Recursion and tie rule: ../viterbi.h.
#include "linear_viterbi.h"

#include "kernels.h"
#include "simd.h"

namespace streamhmm {
namespace STREAMHMM_TARGET {
namespace {

constexpr int32_t kGroupsPerTile = kTile / kGroup;

// α of the states that lie `steps` before those at `first`, as their tile sees it.
template <class Real, bool kEdge>
STREAMHMM_KERNEL Vec<Real> before(const LinearViterbi<Real>& d, int64_t first, int steps) {
  using V = Vec<Real>;
  const V alpha = V::load(d.alpha + first - steps);
  if constexpr (!kEdge) return alpha;
  return V::add(alpha, V::first_lanes(d.shift[first / kTile], steps));
}

// Advances one vector of states; returns the winners' bits: lower half advance, upper half skip.
template <class Real, bool kSkip, bool kFree, bool kEdge, class Table>
STREAMHMM_KERNEL uint32_t advance_vector(const LinearViterbi<Real>& d, const Table& table, int64_t first) {
  using V = Vec<Real>;
  V stay = V::load(d.alpha + first);
  V advance = before<Real, kEdge>(d, first, 1);
  if constexpr (!kFree) {
    stay = V::add(stay, V::load(d.stay + first));
    advance = V::add(advance, V::load(d.advance + first));
  }
  uint32_t bits = V::not_less(advance, stay);
  V best = V::max(stay, advance);
  if constexpr (kSkip) {
    const V skip = V::add(before<Real, kEdge>(d, first, 2), V::load(d.skip + first));
    bits |= V::not_less(skip, best) << kGroup;
    best = V::max(best, skip);
  }
  V::store(d.alpha + first, V::add(best, Table::at(table, d.pdf + first)));
  return bits;
}

template <class Real, bool kSkip, bool kFree, bool kEdge, class Table>
STREAMHMM_KERNEL uint32_t advance_group(const LinearViterbi<Real>& d, const Table& table, int64_t first) {
  constexpr int kLanes = Vec<Real>::kLanes;
  uint32_t bits = 0;
  for (int lane = kGroup - kLanes; lane > 0; lane -= kLanes) {
    bits |= advance_vector<Real, kSkip, kFree, false>(d, table, first + lane) << lane;
  }
  return bits | advance_vector<Real, kSkip, kFree, kEdge>(d, table, first);
}

template <class Real, bool kSkip, bool kFree, class Table>
STREAMHMM_KERNEL void advance_frame(const LinearViterbi<Real>& d, const Table& table, int64_t groups, uint32_t* words) {
  constexpr bool kShifted = sizeof(Real) == sizeof(float);  // double precision has no offsets
  for (int64_t group = groups - 1; group >= 0; --group) {
    for (; group % kGroupsPerTile != 0; --group) {
      words[group] = advance_group<Real, kSkip, kFree, false>(d, table, group * kGroup);
    }
    words[group] = advance_group<Real, kSkip, kFree, kShifted>(d, table, group * kGroup);
  }
}

// The slots' best arcs, taken before the band overwrites α.
template <class Real>
STREAMHMM_KERNEL void choose_slot_arcs(const LinearViterbi<Real>& d, uint8_t* winners) {
  for (int32_t slot = 0; slot < d.slots; ++slot) {
    const int32_t begin = d.slot_begin[slot];
    Real best = d.alpha[d.arc_source[begin]] + d.arc_shift[begin] + d.arc_weight[begin];
    int32_t winner = 0;
    for (int32_t arc = begin + 1; arc < d.slot_begin[slot + 1]; ++arc) {
      const Real candidate = d.alpha[d.arc_source[arc]] + d.arc_shift[arc] + d.arc_weight[arc];
      winner = candidate > best ? arc - begin : winner;
      best = candidate > best ? candidate : best;
    }
    d.slot_best[slot] = best;
    winners[slot] = static_cast<uint8_t>(winner);
  }
}

template <class Real>
STREAMHMM_KERNEL void apply_slots(const LinearViterbi<Real>& d, const Real* row) {
  for (int32_t slot = 0; slot < d.slots; ++slot) {
    const int32_t state = d.slot_state[slot];
    d.alpha[state] = d.slot_best[slot] + row[d.pdf[state]];
  }
}

template <class Real, bool kSkip, bool kFree, int kTables>
void run(LinearViterbi<Real>& decoder, const ScoreRows<Real>& scores, int64_t first, int64_t last, uint8_t* pointers) {
  using Table = Lookup<Real, kTables>;
  const LinearViterbi<Real> d = decoder;  // a copy that no store can change: its pointers stay in registers
  const int64_t groups = linear_groups(d.states);
  const int64_t frame_bytes = linear_frame_bytes(d.states, d.slots);
  int64_t live = d.live;
  for (int64_t t = first; t < last; ++t, pointers += frame_bytes) {
    const Real* row = scores.data + t * scores.stride;
    live = live + d.reach < d.states ? live + d.reach : d.states;
    uint32_t* words = reinterpret_cast<uint32_t*>(pointers);
    choose_slot_arcs(d, reinterpret_cast<uint8_t*>(words + groups));
    advance_frame<Real, kSkip, kFree>(d, Table::over(row, scores.columns), linear_groups(live), words);
    apply_slots(d, row);
  }
  decoder.live = static_cast<int32_t>(live);
}

template <class Real, int kTables>
void run_topology(LinearViterbi<Real>& d, const ScoreRows<Real>& scores, int64_t first, int64_t last, uint8_t* out) {
  if (d.skip != nullptr) {
    d.free_moves ? run<Real, true, true, kTables>(d, scores, first, last, out)
                 : run<Real, true, false, kTables>(d, scores, first, last, out);
  } else {
    d.free_moves ? run<Real, false, true, kTables>(d, scores, first, last, out)
                 : run<Real, false, false, kTables>(d, scores, first, last, out);
  }
}

template <class Real>
void viterbi(LinearViterbi<Real>& d, const ScoreRows<Real>& scores, int64_t first, int64_t last, uint8_t* out) {
#if defined(__AVX512F__)
  if constexpr (sizeof(Real) == sizeof(float)) {
    if (scores.columns <= 32) return run_topology<Real, 2>(d, scores, first, last, out);
    if (scores.columns <= 64) return run_topology<Real, 4>(d, scores, first, last, out);
  }
#endif
  run_topology<Real, 0>(d, scores, first, last, out);
}

}  // namespace

void fill_linear_viterbi(Kernels& table) {
  table.single_precision.linear_viterbi = viterbi<float>;
  table.double_precision.linear_viterbi = viterbi<double>;
}

}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
