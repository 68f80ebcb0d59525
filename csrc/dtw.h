// Dynamic time warping (Sakoe and Chiba 1978): the cheapest monotonous path through a matrix of costs.
//
//   D[i, j]  = min over the moves (r, s, w) of the step pattern of D[i−r, j−s] + w · cost[i, j]     i < N, j < M
//   D[0, 0]  = cost[0, 0];  with open_begin  D[0, j] may also be cost[0, j]: the path starts there
//   distance = D[N−1, M−1]; with open_end    D[N−1, j] where a path of this pattern is cheapest, see ends_at
//
// All sums run in double, in the order of the path, so distance is the path's own. Ties: a start wins over every move,
// an earlier move of the pattern over a later one, the lowest j at an open end. A cost of +inf forbids a cell; so does
// a band. cost[i, j] is given, or a metric of features x (N, dims) and y (M, dims), summed over the dimensions in
// ascending order in the features' own precision, at least float.
#pragma once

#include <cstdint>

#include "both.h"

namespace streamhmm {

// From cell (i − rows, j − columns) to (i, j), whose cost counts `weight` times.
struct Move {
  int32_t rows;
  int32_t columns;
  double weight;
};

// What a distance is divided by: nothing, N, or N + the frames of y that the path spans.
enum class PerFrame { undefined, rows, both };

struct StepPattern {
  const char* name;
  Move moves[3];
  PerFrame per_frame;
};

// Names, moves and their order as in Giorgino's package dtw (J. Stat. Softw. 31(7), 2009). A new pattern is one line:
// moves (1, 0), (1, 1), (1, 2) and (0, 1) with weights above 0; repeat one where there are only two.
constexpr StepPattern kStepPatterns[] = {
    {"symmetric1", {{1, 1, 1}, {0, 1, 1}, {1, 0, 1}}, PerFrame::undefined},
    {"symmetric2", {{1, 1, 2}, {0, 1, 1}, {1, 0, 1}}, PerFrame::both},
    {"asymmetric", {{1, 0, 1}, {1, 1, 1}, {1, 2, 1}}, PerFrame::rows},
};
constexpr int32_t kStepPatternCount = sizeof(kStepPatterns) / sizeof(kStepPatterns[0]);

enum class Metric : int32_t { euclidean, sqeuclidean, cityblock, cosine };
constexpr int32_t kMetricCount = 4;

// Which cells a path may visit.
//   sakoe_chiba: |i·(M−1) − j·(N−1)| ≤ width·max(N−1, M−1), that is `width` frames of the shorter sequence off the
//                diagonal between the corners
//   itakura:     from either corner, the slope of the line to (i, j) is between 1/width and width frames of y a frame
//   of x
struct Band {
  enum class Shape : int32_t { none, sakoe_chiba, itakura };
  Shape shape;
  double width;
};

// A batch of pairs. Strides count elements; the last axis is contiguous.
struct DtwBatch {
  const void* x;  // (batch, rows, dims), or the costs (batch, rows, columns) if y is null; float or double
  const void* y;  // (batch, columns, dims)
  bool is_double;
  int64_t batch;
  int64_t rows;
  int64_t columns;
  int64_t dims;
  int64_t x_batch_stride;
  int64_t x_stride;
  int64_t y_batch_stride;
  int64_t y_stride;
  const int64_t* x_lengths;  // (batch), or null: all `rows` long
  const int64_t* y_lengths;  // (batch), or null: all `columns` long
  Metric metric;
  int32_t pattern;  // index into kStepPatterns
  Band band;
  bool open_begin;
  bool open_end;
  int64_t memory_budget;  // bytes for back-pointers
  int32_t threads;
};

struct InvalidCost {
  int64_t sequence = -1;  // −1: all costs valid
  int64_t row = -1;
  int64_t column = -1;
};

// Where results go. A path is written to the end of its rows + columns − 1 places.
struct DtwResult {
  int64_t* path;       // (batch, rows + columns − 1, 2)
  int64_t* path_size;  // (batch)  cells of the path; 0 where there is none
  double* distance;    // (batch)  +inf where there is no path
  double* normalized;  // (batch)  NaN where the pattern defines none
};

// Returns the first NaN or −inf among the given costs inside the band, by row, then column.
InvalidCost dtw(const DtwBatch& batch, const DtwResult& result);

// What a distance of `rows` frames of x against `columns` frames of y is divided by; NaN where the pattern says
// nothing.
STREAMHMM_BOTH constexpr double frames_of(PerFrame per_frame, int64_t rows, int64_t columns) {
  return per_frame == PerFrame::rows   ? static_cast<double>(rows)
         : per_frame == PerFrame::both ? static_cast<double>(rows + columns)
                                       : __builtin_nan("");
}

// The lowest j in first … last−1 whose D[rows−1, j] is least, divided by its frames where paths to different columns
// span different numbers of them: those of a pattern per N + M that start in column 0. −1 if all are +inf.
int64_t ends_at(const double* last_row, int64_t first, int64_t last, int64_t rows, PerFrame per_frame, bool open_begin);

}  // namespace streamhmm
