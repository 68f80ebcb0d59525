// How many frames at a time fit a memory budget.
#pragma once

#include <algorithm>
#include <cstdint>

#include "../viterbi.h"

namespace streamhmm::cuda {

// The frames of a segment, a multiple of `unit` or all of them: as many as fit with what is saved between segments;
// where none do, those that need the least.
inline int64_t segment_frames(int64_t frames, int64_t frame_bytes, int64_t saved_bytes, int64_t budget,
                              int64_t unit = kRecentre) {
  int64_t best = std::max<int64_t>(frames, 1), least = INT64_MAX;
  for (int64_t segments = 1; segments <= frames / unit + 1; ++segments) {
    const int64_t each = (frames + segments - 1) / segments;
    const int64_t size = segments == 1 ? best : (each + unit - 1) / unit * unit;
    const int64_t bytes = size * frame_bytes + (segments + 1) * saved_bytes;
    if (bytes <= budget) return size;
    if (bytes < least) {
      least = bytes;
      best = size;
    }
  }
  return best;
}

}  // namespace streamhmm::cuda
