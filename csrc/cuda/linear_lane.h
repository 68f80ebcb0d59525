// A tile of kTile states of a plain linear graph in the registers of a warp: lane l has states 2l and 2l + 1, so that
// s−1 of an odd state is in its own lane.
#pragma once

#include "batch.h"
#include "block.h"

namespace streamhmm::cuda {

static_assert(kTile == 2 * kWarp, "a warp has a tile, a lane two states");

// Of a lane's two states, or of the two that the tile below ends with.
template <class T>
struct alignas(2 * sizeof(T)) EvenOdd {
  T even, odd;
};

// What the lane's states are, and which arcs lead into them.
template <class Real>
class LinearLane {
 public:
  using Pair = EvenOdd<Real>;

  __device__ LinearLane(const BatchView& view, int64_t sequence, int32_t tile)
      : record_(view.record(sequence)), at_(weights_layout(record_)), weights_(view.weights) {
    const int32_t first = tile * kTile + 2 * lane_of_thread();
    exists_ = {first < record_.states, first + 1 < record_.states};
    // Who does not exist reads a column that is read anyway.
    pdf_ = {record_.body[exists_.even ? first : 0], record_.body[exists_.odd ? first + 1 : 0]};
    const bool skips = record_.detail != 0;
    stay = {arc(exists_.even, at_.stay, first, 0), arc(exists_.odd, at_.stay, first + 1, 0)};
    advance = {arc(exists_.even, at_.advance, first, 1), arc(exists_.odd, at_.advance, first + 1, 1)};
    skip = {never<Real>(), never<Real>()};
    if (skips && exists_.even) skip.even = arc(true, at_.skip, first, 2);
    if (skips && exists_.odd) skip.odd = arc(true, at_.skip, first + 1, 2);
    initial_ = {exists_.even ? weight(at_.initial + first) : never<Real>(),
                exists_.odd ? weight(at_.initial + first + 1) : never<Real>()};
    const bool plain = stay.even == 0 && stay.odd == 0 && advance.even == 0 && advance.odd == 0;
    is_ctc_ = __all_sync(kAllLanes, plain && (first < 2 || is_never(skip.even))) != 0;
  }

  // Whether stays and advances weigh nothing, and only odd states are skipped into.
  __device__ bool is_ctc() const { return is_ctc_; }
  __device__ EvenOdd<int32_t> pdf() const { return pdf_; }
  __device__ Pair initial() const { return initial_; }

  // What behind the last state was computed along, given up. No arc leads back from there.
  __device__ Pair existing(const Pair& values, Real none) const {
    return {exists_.even ? values.even : none, exists_.odd ? values.odd : none};
  }

  // Weights of the arcs into the two states: from themselves, from one and from two states below. Of arcs that do not
  // exist, because no state is there to come from or to go to, 0: what is there to come from counts as −inf.
  Pair stay, advance, skip;

 private:
  __device__ Real weight(int64_t place) const { return weights_.template at<Real>(record_.weights_offset + place); }
  __device__ Real arc(bool exists, int64_t kind, int32_t target, int32_t step) const {
    return exists && target >= step ? weight(kind + target - step) : Real(0);
  }

  GraphRecord record_;
  WeightsLayout at_;
  Numbers weights_;
  EvenOdd<bool> exists_;
  EvenOdd<int32_t> pdf_;
  Pair initial_;
  bool is_ctc_;
};

}  // namespace streamhmm::cuda
