// The working state of Viterbi on a linear graph, shared by the driver and the kernels.
#pragma once

#include <cstdint>

#include "../viterbi.h"

namespace streamhmm {

// A slot is a state with an arc from outside the band; all its arcs stand in a list, sorted by source.
template <class Real>
struct LinearViterbi {
  // The graph, indexed by target, padded to whole groups with states that no arc reaches.
  int32_t states;
  int32_t tiles;
  const int32_t* pdf;
  const Real* stay;     // weight of j   -> j
  const Real* advance;  // weight of j−1 -> j
  const Real* skip;     // weight of j−2 -> j, or null
  bool free_moves;      // every stay and advance weighs 0
  int32_t reach;        // the furthest that an arc leads ahead
  int32_t slots;
  const int32_t* slot_state;  // (slots)      ascending
  const int32_t* slot_begin;  // (slots + 1)  bounds in the arc list
  const int32_t* arc_source;
  const Real* arc_weight;

  // What the recursion carries from frame to frame.
  Real* alpha;      // (padded states), two cells of −inf in front
  double* offset;   // (tiles)
  Real* shift;      // (tiles) offset[k−1] − offset[k]
  Real* arc_shift;  // (arcs)  offset[source's tile] − offset[target's tile]
  Real* slot_best;  // (slots) scratch
  int32_t live;     // α is −inf from this state on
};

// Back-pointers of a frame: for each group a word, bit k of its lower half set where the arc from j−1 beat the stay,
// of its upper half where the arc from j−2 beat both; then a byte a slot, the number of the arc that won.
inline int64_t linear_groups(int64_t states) { return (states + kGroup - 1) / kGroup; }
inline int64_t linear_frame_bytes(int32_t states, int32_t slots) {
  return linear_groups(states) * static_cast<int64_t>(sizeof(uint32_t)) + (slots + 3) / 4 * 4;
}

}  // namespace streamhmm
