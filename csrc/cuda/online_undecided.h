// Who led to whom in the frames of a stream that are not decided yet, and where the best paths of all survivors meet.
#pragma once

#include "online_survivors.h"

namespace streamhmm::cuda {

// A state that a path passes in a frame.
struct OnlinePoint {
  int64_t frame;
  int32_t state;
};

// A stream's window: the row of a frame has for each state the one that it was reached from.
class OnlineWindow {
 public:
  __device__ OnlineWindow(char* memory, const OnlinePlace& place, int32_t states)
      : rows_(memory + place.window, states, 0, 0), frames_(place.window_frames) {}

  __device__ const char* row(int64_t frame) const { return rows_.row(frame % frames_); }
  __device__ int64_t row_bytes() const { return rows_.row_bytes(); }
  __device__ void set(int64_t frame, int32_t state, int32_t source) const { rows_.set(frame % frames_, state, source); }
  __device__ int32_t get(const char* row, int32_t state) const { return rows_.get(row, state); }

  // The path through `last`, from frame `first` on. By one thread.
  __device__ void trace(int64_t first, OnlinePoint last, int32_t* path) const {
    for (int64_t t = last.frame; t >= first; --t) {
      path[t - first] = last.state;
      if (t > first) last.state = get(row(t), last.state);
    }
  }

 private:
  WinnerRows rows_;
  int64_t frames_;
};

// Whether all survivors come from the state that `best`, one of them, comes from.
template <class Real>
__device__ bool agree(const OnlineSurvivors<Real>& survivors, int32_t best) {
  const int32_t prefix = survivors.ancestor(best);
  bool differ = false;
  for_each_own(survivors.states(),
               [&](int32_t j, int32_t) { differ |= survivors.lives(j) && survivors.ancestor(j) != prefix; });
  return __syncthreads_or(differ) == 0;
}

// The latest point that the paths of all survivors, who agree, pass; `frame` is the latest of all. Ancestors become
// those in the frame behind it. Each thread goes back from its own survivors, and from the best one.
template <class Real>
__device__ OnlinePoint meeting(const OnlineSurvivors<Real>& survivors, const OnlineWindow& window, int64_t frame,
                               int32_t best) {
  int32_t* passes = survivors.scratch();  // that state of the path to each survivor that is looked at
  OnlinePoint point{frame, best};
  bool apart = false;
  for_each_own(survivors.states(), [&](int32_t j, int32_t) {
    passes[j] = j;
    apart |= survivors.lives(j) && j != best;
  });
  while (__syncthreads_or(apart) != 0) {
    const char* row = window.row(point.frame--);
    point.state = window.get(row, point.state);
    apart = false;
    for_each_own(survivors.states(), [&](int32_t j, int32_t) {
      if (!survivors.lives(j)) return;
      survivors.set_ancestor(j, passes[j]);
      passes[j] = window.get(row, passes[j]);
      apart |= passes[j] != point.state;
    });
  }
  return point;
}

}  // namespace streamhmm::cuda
