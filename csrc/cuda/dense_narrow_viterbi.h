// Viterbi for a dense graph of few states that the batch shares: 8 to 32 lanes of a warp a sequence, one or two states
// a lane, the transitions into them in registers.
#pragma once

#include <memory>

#include "dense_shape.h"
#include "lane_groups.h"
#include "path_finder.h"

namespace streamhmm::cuda {

constexpr int32_t kMostNarrowStates = 64;  // one tile
constexpr int32_t kPacked = 4;             // frames whose winners share a word

// What is saved of a sequence between segments.
struct NarrowAlpha {
  double offset;
  float alpha[kMostNarrowStates];
};

// What the kernels know beside the batch.
struct NarrowSearch {
  Inspection inspection;
  Selection selection;
  int32_t states;
};

// Winners of frames 4q … 4q+3 of a segment, a byte each, lowest frame in the lowest byte: (batch, quads, states).
struct WinnerWords {
  uint32_t* memory;
  int64_t quads;
  int32_t states;

  __host__ __device__ static int64_t quads_of(int64_t frames) { return (frames + kPacked - 1) / kPacked; }
  __device__ WinnerWords(const Segment& segment, int32_t states_)
      : memory(reinterpret_cast<uint32_t*>(segment.pointers)),
        quads(quads_of(segment.last - segment.first)),
        states(states_) {}
  __device__ uint32_t& at(int64_t b, int64_t quad, int32_t state) const {
    return memory[(b * quads + quad) * states + state];
  }
};

// Frames of the sequence until which a segment goes.
__device__ inline int64_t end_of(const BatchView& view, const NarrowSearch& search, const Segment& segment, int64_t b) {
  if (b >= view.batch || !search.selection.takes(view, search.inspection, b)) return 0;
  const int64_t length = view.length(b);
  return length < segment.last ? length : segment.last;
}

// The ways forward and back with kLanes lanes a sequence and kEach states a lane, in files of their own.
template <int32_t kLanes, int32_t kEach>
void narrow_forward(const DeviceBatch& batch, const NarrowSearch& search, const Segment& segment);
template <int32_t kLanes, int32_t kEach>
void narrow_back(const DeviceBatch& batch, const NarrowSearch& search, const Segment& segment, const Paths& paths);

}  // namespace streamhmm::cuda
