// The way back along the best segments. A duration and a source are found again on the way, by the same sums.
#pragma once

#include "semi_markov_recursion.h"

namespace streamhmm::cuda {

// Borders first … last−1, of which three rows are kept, each a number a state.
struct BorderRows {
  enum Row { kInWindow, kEnded, kX };  // ended without P, ended, X
  int64_t first, last;
  const char* from;  // what was saved before border `first`; null for the first of all
  char* to;          // where to save what border `last` needs
  double* rows;      // (batch, last − first, 3, states), or null

  __device__ double* row(int64_t b, int64_t states, int64_t t, Row which) const {
    return rows + ((b * (last - first) + t - first) * 3 + which) * states;
  }
};

// Where the way back stands.
struct Trace {
  int64_t border;  // a segment of `next` begins here; −1: the path is found; −2: there is none
  int32_t next;
  double total;  // of what lies behind
};
constexpr int64_t kTraced = -1, kNoPath = -2;

// Goes back through the borders of one launch after the other, the last ones first; begins where the sequences end.
void trace_segments(const DeviceBatch& batch, const SegmentPlan& plan, const BorderRows& borders, Trace* traces,
                    int64_t* states);

// Scores, and states −1 where there is none.
void finish_traces(const DeviceBatch& batch, const SegmentPlan& plan, const Trace* traces, int64_t* states,
                   double* score);

}  // namespace streamhmm::cuda
