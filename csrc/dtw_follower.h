// Online dynamic time warping: where in a reference a live stream of frames is. One row of the recursion in dtw.h per
// frame, over a window of the reference; nothing of earlier frames is kept.
//
//   D[i, j]     as in dtw.h for j in window i, +inf elsewhere
//   position i  = ends_at(D[i, :])                               the open end of what has been heard
//   window 0    = 0 … window, all of the reference with open_begin;   window i = position i−1 ± window
#pragma once

#include <cstdint>
#include <memory>

#include "dtw.h"

namespace streamhmm {

struct DtwReference {
  const void* frames;  // (size, dims) contiguous, float or double; copied
  bool is_double;
  int64_t size;
  int64_t dims;
  Metric metric;
  int32_t pattern;
  int64_t window;  // frames of the reference to either side of the position
  bool open_begin;
};

class DtwFollower {
 public:
  virtual ~DtwFollower() = default;

  // frames (count, dims), contiguous, of the reference's type. For each: its position, and D there.
  virtual void push(const void* frames, int64_t count, int64_t* positions, double* costs) = 0;

  // D of all frames against the whole reference.
  virtual double distance() const = 0;
};

std::unique_ptr<DtwFollower> make_follower(const DtwReference& reference);

}  // namespace streamhmm
