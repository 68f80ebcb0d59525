// A tile of kTile states of a plain linear graph in the registers of a warp: lane l has states 2l and 2l + 1, so that
// s−1 of an odd state is in its own lane.
#pragma once

#include "../viterbi.h"
#include "batch.h"
#include "block.h"

namespace streamhmm::cuda {

static_assert(kTile == 2 * kWarp, "a warp has a tile, a lane two states");

// Of a lane's two states, or of the two that the tile below ends with, or the tile above begins with.
template <class T>
struct alignas(sizeof(T) < 8 ? 2 * sizeof(T) : 16) EvenOdd {
  T even, odd;
};

enum class ArcEnd { source, target };

// What the lane's states are, and the arcs that have them as their source, or as their target.
template <class Real, ArcEnd kEnd>
class LinearLane {
 public:
  using Pair = EvenOdd<Real>;

  __device__ LinearLane(const BatchView& view, int64_t sequence, int32_t tile)
      : record_(view.record(sequence)),
        at_(weights_layout(record_)),
        weights_(view.weights),
        first_(tile * kTile + 2 * lane_of_thread()) {
    // Who does not exist reads a column that is read anyway.
    pdf_ = {record_.body[exists(0) ? first_ : 0], record_.body[exists(1) ? first_ + 1 : 0]};
    stay = {arc(at_.stay, 0, 0), arc(at_.stay, 0, 1)};
    advance = {arc(at_.advance, 1, 0), arc(at_.advance, 1, 1)};
    const bool skips = record_.detail != 0;
    skip = {skips && exists(0) ? arc(at_.skip, 2, 0) : never<Real>(),
            skips && exists(1) ? arc(at_.skip, 2, 1) : never<Real>()};
    const bool plain = stay.even == 0 && stay.odd == 0 && advance.even == 0 && advance.odd == 0;
    is_ctc_ = __all_sync(kAllLanes, plain && (is_never(skip.even) || !has_other(2, 0))) != 0;
  }

  // Whether stays and advances weigh nothing, and only odd states are skipped into and from.
  __device__ bool is_ctc() const { return is_ctc_; }
  __device__ int32_t first() const { return first_; }
  __device__ bool exists(int32_t which) const { return first_ + which < record_.states; }
  __device__ const EvenOdd<int32_t>& pdf() const { return pdf_; }
  __device__ const WeightsLayout& at() const { return at_; }
  __device__ Pair initial() const { return pair(at_.initial); }
  __device__ Pair final() const { return pair(at_.final); }

  // What behind the last state was computed along, given up. No arc leads back from there.
  __device__ Pair existing(const Pair& values, Real none) const {
    return {exists(0) ? values.even : none, exists(1) ? values.odd : none};
  }

  // Weights of the arcs within the two states, to or from the next one, and to or from the one behind that. An arc
  // whose other end does not exist weighs 0: what would come from there counts as −inf.
  Pair stay, advance, skip;

 private:
  __device__ Real weight(int64_t place) const { return weights_.template at<Real>(record_.weights_offset + place); }
  __device__ Pair pair(int64_t at) const {
    return {exists(0) ? weight(at + first_) : never<Real>(), exists(1) ? weight(at + first_ + 1) : never<Real>()};
  }
  __device__ bool has_other(int32_t step, int32_t which) const {
    const int32_t state = first_ + which;
    return kEnd == ArcEnd::target ? state >= step : state + step < record_.states;
  }
  __device__ Real arc(int64_t kind, int32_t step, int32_t which) const {
    const int32_t source = first_ + which - (kEnd == ArcEnd::target ? step : 0);
    return exists(which) && has_other(step, which) ? weight(kind + source) : Real(0);
  }

  GraphRecord record_;
  WeightsLayout at_;
  Numbers weights_;
  int32_t first_;
  EvenOdd<int32_t> pdf_;
  bool is_ctc_;
};

}  // namespace streamhmm::cuda
