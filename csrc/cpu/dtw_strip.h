// The work of dynamic time warping is cut into strips of kStrip rows. A strip is crossed in steps: in step s, lane r
// stands at row r of the strip and column first + s − r, so that all cells of a step lie on an anti-diagonal and depend
// on earlier steps only. A tile is some consecutive steps of a strip with their costs. Here is what drivers and kernels
// share.
#pragma once

#include <cstdint>

#include "../dtw.h"

namespace streamhmm {

constexpr int32_t kStrip = 32;
constexpr int64_t kTileSteps = 64;

// D of the cells that the next step reads, per lane at (i, j).
struct DtwFront {
  double left[kStrip];    // D[i, j−1]
  double above1[kStrip];  // D[i−1, j−1]
  double above2[kStrip];  // D[i−1, j−2]
};

template <class Real>
struct DtwTile {
  const Real* costs;  // (steps, kStrip); +inf outside the band
  int64_t steps;
  const double* above;  // (steps) D of the row above lane 0; in the first strip, what a path starts with
  double* below;        // (steps) receives D of `out_lane`
  uint32_t* pointers;   // (steps, 2) the lanes' winning moves, lower and upper bit; 3 where the path starts
  int32_t out_lane;
  bool starts;  // the first strip
};

// Frames of x for the lanes of a strip, and of y in reverse, so that what the lanes of a step meet is contiguous:
// lane r meets y[d · y_stride + r] in the first step, y[d · y_stride + r − s] in step s.
template <class Real>
struct DtwFeatures {
  const Real* x;  // (dims, kStrip)
  const Real* y;
  int64_t y_stride;
  int64_t dims;
};

// One frame against many: column c of y (dims, y_stride).
template <class Real>
struct DtwRow {
  const Real* x;  // (dims)
  const Real* y;
  int64_t y_stride;
  int64_t dims;
};

template <class Real>
struct DtwKernels {
  // Crosses a tile with the step pattern of that index.
  void (*advance)(int32_t pattern, const DtwTile<Real>& tile, DtwFront& front);

  // out[s, r] = metric(x of lane r, y that it meets in step s); by Metric
  void (*tile_distances[kMetricCount])(const DtwFeatures<Real>& features, int64_t steps, Real* out);

  // out[c] = metric(x, y of column c); by Metric
  void (*row_distances[kMetricCount])(const DtwRow<Real>& row, int64_t count, Real* out);

  // Whether some cost is NaN or −inf.
  bool (*has_invalid)(const Real* costs, int64_t count);

  // out[k · kStrip] = costs[k]
  void (*spread)(const Real* costs, int64_t count, Real* out);

  // out[s, r] = costs[r · stride + s], all lanes
  void (*gather)(const Real* costs, int64_t stride, int64_t steps, Real* out);
};

}  // namespace streamhmm
