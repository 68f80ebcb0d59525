// Where the costs of a tile come from: a matrix, or the distances between frames of features.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "../dtw_band.h"
#include "buffer.h"
#include "dtw_strip.h"
#include "isa.h"

namespace streamhmm {

// The columns that each lane of a strip may visit, and the column of lane 0 in step 0.
struct StripColumns {
  int64_t row;  // of lane 0
  int64_t first;
  Columns lanes[kStrip];

  // Whether all lanes are where they may be in all these steps.
  bool whole(int64_t step, int64_t count) const {
    bool result = true;
    for (int lane = 0; lane < kStrip; ++lane) {
      const int64_t column = first - lane + step;
      result &= lanes[lane].first <= column && column + count <= lanes[lane].last;
    }
    return result;
  }

  // The steps among `step` … step + count − 1, counted from `step`, in which a lane is where it may be.
  Columns steps(int lane, int64_t step, int64_t count) const {
    const int64_t offset = first - lane + step;
    const int64_t begin = std::clamp<int64_t>(lanes[lane].first - offset, 0, count);
    return {begin, std::clamp<int64_t>(lanes[lane].last - offset, begin, count)};
  }
};

template <class Real>
void forbid_steps(Real* tile, int lane, int64_t first, int64_t last) {
  for (int64_t k = first; k < last; ++k) tile[k * kStrip + lane] = std::numeric_limits<Real>::infinity();
}

template <class Real>
class MatrixCosts {
 public:
  MatrixCosts(const Real* costs, int64_t stride) : costs_(costs), stride_(stride) {}

  void enter(const StripColumns&) {}

  // Writes tile (count, kStrip), +inf outside the band. Returns false if a cost inside it is NaN or −inf.
  bool fill(const StripColumns& strip, int64_t step, int64_t count, Real* tile) const {
    if (strip.whole(step, count)) {
      // a lane further down and a column further left
      kernels_of<Real>().dtw.gather(row(strip.row) + strip.first + step, stride_ - 1, count, tile);
    } else {
      fill_lanes(strip, step, count, tile);
    }
    return !kernels_of<Real>().dtw.has_invalid(tile, count * kStrip);
  }

  const Real* row(int64_t i) const { return costs_ + i * stride_; }

 private:
  void fill_lanes(const StripColumns& strip, int64_t step, int64_t count, Real* tile) const {
    for (int lane = 0; lane < kStrip; ++lane) {
      const Columns inside = strip.steps(lane, step, count);
      forbid_steps(tile, lane, 0, inside.first);
      forbid_steps(tile, lane, inside.last, count);
      if (inside.first == inside.last) continue;
      const int64_t column = strip.first - lane + step + inside.first;
      kernels_of<Real>().dtw.spread(row(strip.row + lane) + column, inside.last - inside.first,
                                    tile + inside.first * kStrip + lane);
    }
  }

  const Real* costs_;
  int64_t stride_;
};

// 1 / |frame| for the cosine (0 for a frame of zeros, which is at right angles to every other), 1 for other metrics.
template <class Real>
double scale_of(Metric metric, const Real* frame, int64_t dims) {
  if (metric != Metric::cosine) return 1;
  double sum = 0;
  for (int64_t d = 0; d < dims; ++d) sum += static_cast<double>(frame[d]) * static_cast<double>(frame[d]);
  return sum > 0 ? 1 / std::sqrt(sum) : 0;
}

template <class Real>
Real scaled(Real value, double scale) {
  return static_cast<Real>(static_cast<double>(value) * scale);
}

template <class Real>
class FeatureCosts {
 public:
  FeatureCosts(const DtwBatch& batch, const Real* x, int64_t rows, const Real* y, int64_t columns)
      : metric_(batch.metric),
        dims_(batch.dims),
        x_(x),
        x_stride_(batch.x_stride),
        rows_(rows),
        columns_(columns),
        lanes_(dims_ * kStrip),
        reversed_(dims_ * (columns + 2 * kMargin)) {
    for (int64_t d = 0; d < dims_; ++d) {
      std::fill_n(reversed(d), kMargin, Real{0});
      std::fill_n(reversed(d) + kMargin + columns_, kMargin, Real{0});
    }
    for (int64_t j = 0; j < columns_; ++j) {
      const Real* frame = y + j * batch.y_stride;
      const double scale = scale_of(metric_, frame, dims_);
      for (int64_t d = 0; d < dims_; ++d) reversed(d)[kMargin + columns_ - 1 - j] = scaled(frame[d], scale);
    }
  }

  void enter(const StripColumns& strip) {
    std::fill_n(lanes_.data(), lanes_.size(), Real{0});
    const int64_t count = std::min<int64_t>(kStrip, rows_ - strip.row);
    for (int64_t lane = 0; lane < count; ++lane) {
      const Real* frame = x_ + (strip.row + lane) * x_stride_;
      const double scale = scale_of(metric_, frame, dims_);
      for (int64_t d = 0; d < dims_; ++d) lanes_[d * kStrip + lane] = scaled(frame[d], scale);
    }
  }

  bool fill(const StripColumns& strip, int64_t step, int64_t count, Real* tile) const {
    const Real* y = reversed_.data() + kMargin + columns_ - 1 - (strip.first + step);
    const DtwFeatures<Real> features = {lanes_.data(), y, columns_ + 2 * kMargin, dims_};
    kernels_of<Real>().dtw.tile_distances[static_cast<int32_t>(metric_)](features, count, tile);
    if (strip.whole(step, count)) return true;
    for (int lane = 0; lane < kStrip; ++lane) {
      const Columns inside = strip.steps(lane, step, count);
      forbid_steps(tile, lane, 0, inside.first);
      forbid_steps(tile, lane, inside.last, count);
    }
    return true;
  }

 private:
  static constexpr int64_t kMargin = 2 * kStrip;  // lanes before the first column and behind the last

  Real* reversed(int64_t d) { return reversed_.data() + d * (columns_ + 2 * kMargin); }

  Metric metric_;
  int64_t dims_;
  const Real* x_;
  int64_t x_stride_;
  int64_t rows_;
  int64_t columns_;
  Buffer<Real> lanes_;     // (dims, kStrip) frames of x
  Buffer<Real> reversed_;  // (dims, columns + 2 kMargin) frames of y, the last one first
};

}  // namespace streamhmm
