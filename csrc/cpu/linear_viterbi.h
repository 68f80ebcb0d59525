// The working state of Viterbi on a linear graph, shared by the driver and the kernels.
//
// States stand in pairs of groups: of each kPair states first the even ones, then the odd ones. So a vector of states
// finds its predecessors by one shift (s−1 of the even states and s−2 of the odd ones are the same numbers), or by none
// (s−1 of the odd states). A tile is two pairs.
#pragma once

#include <cstdint>

#include "../viterbi.h"

namespace streamhmm {

inline int64_t linear_groups(int64_t states) { return (states + kGroup - 1) / kGroup; }

constexpr int32_t kPair = 2 * kGroup;
constexpr int32_t kPairsPerTile = kTile / kPair;

inline int32_t place_of(int32_t state) {
  return (state & ~(kPair - 1)) + (state & 1) * kGroup + (state & (kPair - 1)) / 2;
}
inline int32_t state_at(int32_t place) {
  return (place & ~(kPair - 1)) + (place & (kGroup - 1)) * 2 + place / kGroup % 2;
}
inline int32_t pairs_of(int32_t states) { return (states + kPair - 1) / kPair; }

// Back-pointers of a frame: a half word for each layer of the slots (its arc beat those of the layers before), then
// `stride` half words a pair of groups, one bit a state:
//   0, 1:             the arc from s−1 beat the stay           even states, odd states
//   2, 3:             the arc from s−2 beat both               (graphs with skips)
//   listed, listed+1: the list beat the band                   (graphs with slots)
using Bits = uint16_t;

struct FrameLayout {
  int32_t layers;
  int32_t stride;
  int32_t listed;
  int64_t size(int32_t pairs) const { return layers + int64_t{stride} * pairs; }
};
inline FrameLayout frame_layout(bool has_skip, int32_t layers) {
  const int32_t listed = has_skip ? 4 : 2;
  return {layers, listed + (layers > 0 ? 2 : 0), listed};
}

// A pdf below 64 in a byte. The highest bit repeats the bit of 32: it tells the half of a table without arithmetic.
inline uint8_t narrow_pdf_of(int32_t pdf) { return static_cast<uint8_t>(pdf | (pdf & 32) << 2); }

// Which arcs of the band enter the states of a group: a bit a state.
struct GroupMoves {
  uint16_t stay;
  uint16_t advance;
  uint16_t skip;
};

// What is known of the band's weights: nothing; stays and advances weigh 0 or −inf, skips a number of their own or
// −inf, so that masks say it all in a tenth of the memory; the same, and every stay and advance is there.
enum class BandWeights { weighted, masked, complete };

// Which states are skipped into: none; any; odd ones only, and the even ones share a pdf (CTC).
enum class Skips { none, any, ctc };

// A slot is a state with arcs from outside the band. Where all of those come from further below than the band reaches,
// its list holds them alone and wins ties against the band; else it holds the band's arcs as well and decides alone.
// Slots stand in groups of kGroup; a group has as many layers as its longest list has arcs, layer k holding each slot's
// k-th arc by source, padded with arcs that weigh −inf.
//
// The same slots stand a second time in runs of slots with equally many arcs, slot by slot.
struct SlotRun {
  int32_t first, last;  // slots
  int32_t arcs;         // of each
  int64_t first_arc;
};

// All that is indexed by state stands in the places of the states; weights stand with their target.
template <class Real>
struct LinearViterbi {
  int32_t states;
  const int32_t* pdf;
  const uint8_t* narrow_pdf;  // narrow_pdf_of each, where pdfs are below 64
  const Real* stay;           // weight of s   -> s
  const Real* advance;        // weight of s−1 -> s
  const Real* skip;           // weight of s−2 -> s, or null
  const GroupMoves* moves;    // the arcs that do not weigh −inf
  BandWeights band;
  Skips skips;
  Real skip_weight;            // of every skip, where masks say it all
  int32_t reach;               // the furthest that an arc leads ahead
  const int32_t* slot_state;   // (slot groups · kGroup), padded with cells behind all states
  const int32_t* first_layer;  // (slot groups + 1)
  const int32_t* arc_source;   // (layers · kGroup)
  const Real* arc_weight;
  const SlotRun* runs;
  const int32_t* run_state;   // (slots)
  const int32_t* run_source;  // (arcs)
  const Real* run_weight;
  bool runs_weighted;  // some arc does not weigh 0

  FrameLayout layout;

  Real* alpha;      // whole tiles; what stands behind the last state never reaches a state
  Real* shift;      // (tiles) offset[k−1] − offset[k]
  Real* arc_shift;  // (layers · kGroup) offset[source's tile] − offset[target's tile]
  const Real* run_shift;
  Real* entry;  // scratch: the best way into each slot through its list, −inf elsewhere
};

// A stretch of work for the kernel: frames first … last−1 on the pairs low … high−1.
template <class Real>
struct Stretch {
  int64_t first, last;
  int32_t low, high;
  int32_t live;                     // α is −inf from this state on, before frame `first`
  int32_t first_slots, last_slots;  // the groups of slots that matter
  int32_t first_run, last_run;      // the same slots as runs, if there are any; not with back-pointers
  int64_t needed;                   // in frame last−1 no state below this one matters; any number below 0: all do
  const Real* below;                // per frame: α of the two states below `low`, one frame before; null for −inf
  Real* above;                      // per frame: α of the two highest states, one frame before; or null
  Bits* pointers;  // `frame_size` half words a frame, of which the pairs' begin with pair `base`; or null
  int64_t frame_size;
  int32_t base;
};

template <class Real>
using LinearRun = void (*)(const LinearViterbi<Real>&, const ScoreRows<Real>&, const Stretch<Real>&);

}  // namespace streamhmm
