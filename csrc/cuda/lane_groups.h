// A warp divided into groups of lanes, each with a sequence of its own. All groups go through the same frames together,
// as many as the longest sequence has, so that a warp operation always has all lanes.
#pragma once

#include "batch.h"
#include "block.h"

namespace streamhmm::cuda {

// kLanes lanes a sequence. Blocks of one warp.
template <int32_t kLanes>
struct LaneGroup {
  static constexpr int32_t kSequences = kWarp / kLanes;  // of a warp

  int32_t lane;  // in the group
  int64_t b;     // the sequence
  bool takes_part;

  __device__ explicit LaneGroup(int64_t batch)
      : lane(lane_of_thread() % kLanes),
        b(int64_t{blockIdx.x} * kSequences + lane_of_thread() / kLanes),
        takes_part(b < batch) {}

  static unsigned blocks(int64_t batch) { return static_cast<unsigned>((batch + kSequences - 1) / kSequences); }
};

// The scores of some frames in one column, loaded while those before are worked on.
template <int32_t kCount>
struct ScoreColumn {
  float score[kCount];

  // Frames first … last−1 from row `index` on, 0 behind them.
  __device__ void load(const BatchView& view, int64_t index, int64_t first, int64_t last) {
    switch (view.scores.type) {
      case NumberType::float32:
        return fill(view, index, last - first,
                    [&](int64_t at) { return static_cast<const float*>(view.scores.data)[at]; });
      case NumberType::float16:
        return fill(view, index, last - first,
                    [&](int64_t at) { return from_float16(static_cast<const uint16_t*>(view.scores.data)[at]); });
      default:
        return fill(view, index, last - first,
                    [&](int64_t at) { return from_bfloat16(static_cast<const uint16_t*>(view.scores.data)[at]); });
    }
  }

 private:
  template <class Read>
  __device__ void fill(const BatchView& view, int64_t index, int64_t count, const Read& read) {
#pragma unroll
    for (int32_t u = 0; u < kCount; ++u) score[u] = u < count ? read(index + u * view.frame_stride) : 0;
  }
};

}  // namespace streamhmm::cuda
