// The working state of Viterbi on a linear graph, shared by the driver and the kernels.
#pragma once

#include <cstdint>

#include "../viterbi.h"

namespace streamhmm {

// Back-pointers of a frame: rows of half words, one half word for a group of states, one bit for a state.
//   advance:  the arc from j−1 beat the stay
//   skip:     the arc from j−2 beat both                       (graphs with skips)
//   listed:   the list beat the band                           (graphs with slots)
// and behind them, for each layer of the slots, the layer's arc beat those of the layers before.
using Bits = uint16_t;
inline int64_t linear_groups(int64_t states) { return (states + kGroup - 1) / kGroup; }

struct FrameLayout {
  int64_t skip;
  int64_t listed;
  int64_t layers;
  int64_t size;
};
inline FrameLayout frame_layout(int64_t states, bool has_skip, bool has_slots, int64_t layers) {
  const int64_t groups = linear_groups(states);
  const int64_t listed = groups * (has_skip ? 2 : 1);
  const int64_t first_layer = listed + (has_slots ? groups : 0);
  return {groups, listed, first_layer, first_layer + layers};
}

// A pdf below 64 in a byte. The highest bit repeats the bit of 32: it tells the half of a table without arithmetic.
inline uint8_t narrow_pdf_of(int32_t pdf) { return static_cast<uint8_t>(pdf | (pdf & 32) << 2); }

// Which arcs of the band enter the states of a group: a bit a state.
struct GroupMoves {
  uint16_t stay;
  uint16_t advance;
  uint16_t skip;
};

// A slot is a state with arcs from outside the band. Where all of those come from further below than the band reaches,
// its list holds them alone and wins ties against the band; else it holds the band's arcs as well and decides alone.
// Slots stand in groups of kGroup, those with most arcs first; a group has as many layers as its first slot has arcs,
// layer k holding each slot's k-th arc by source, padded with arcs that weigh −inf.
template <class Real>
struct LinearViterbi {
  // The graph, indexed by target, padded to whole groups.
  int32_t states;
  int32_t tiles;
  const int32_t* pdf;
  const uint8_t* narrow_pdf;  // narrow_pdf_of each, where pdfs are below 64
  const Real* stay;           // weight of j   -> j
  const Real* advance;        // weight of j−1 -> j
  const Real* skip;           // weight of j−2 -> j, or null
  const GroupMoves* moves;    // (groups) the arcs that do not weigh −inf
  bool weighted;              // some arc of the band weighs neither 0 nor −inf
  bool complete;              // every stay and advance is there
  int32_t reach;              // the furthest that an arc leads ahead
  int32_t slot_groups;
  const int32_t* slot_state;   // (slot_groups · kGroup), padded with a cell behind all states
  const int32_t* first_layer;  // (slot_groups + 1)
  const int32_t* arc_source;   // (layers · kGroup)
  const Real* arc_weight;

  // What the recursion carries from frame to frame.
  Real* alpha;      // (padded states), two cells of −inf in front; the padding may hold anything, nothing reads it
  Real* shift;      // (tiles) offset[k−1] − offset[k]
  Real* arc_shift;  // (layers · kGroup) offset[source's tile] − offset[target's tile]
  Real* entry;      // (padded states + 1) scratch: the best way into each slot through its list, −inf elsewhere
  int32_t live;     // α is −inf from this state on

  FrameLayout layout;
};

}  // namespace streamhmm
