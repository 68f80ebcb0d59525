// How a long sequence is cut so that what grows with frames × states fits a budget: states of the recursion are kept at
// the first frame of every segment, and a segment is computed once more when its turn comes.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace streamhmm {

// Frames a segment. `frame_bytes` is needed for every frame of one segment, `state_bytes` for every segment. The whole
// if that fits the budget; else the longest segment that fits; else the one that needs the least memory.
inline int64_t segment_frames(int64_t frames, int64_t frame_bytes, int64_t state_bytes, int64_t budget) {
  frames = std::max<int64_t>(frames, 1);
  if (frames <= budget / std::max<int64_t>(frame_bytes, 1)) return frames;
  const double f = static_cast<double>(frame_bytes), s = static_cast<double>(state_bytes);
  const double n = static_cast<double>(frames), b = static_cast<double>(budget) - s;  // ceil() costs up to one state
  const double discriminant = b * b - 4 * f * s * n;
  const double length = b > 0 && discriminant > 0 ? (b + std::sqrt(discriminant)) / (2 * f) : std::sqrt(n * s / f);
  return std::clamp<int64_t>(static_cast<int64_t>(length), 1, frames);
}

}  // namespace streamhmm
