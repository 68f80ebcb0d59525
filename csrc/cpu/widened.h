// A single-precision problem in double, for what single precision can't hold.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "../graph.h"
#include "buffer.h"

namespace streamhmm {

inline bool has_large(const float* weights, int64_t count) {
  bool large = false;
  for (int64_t i = 0; i < count; ++i) {
    const double size = std::fabs(static_cast<double>(weights[i]));
    large |= size > kLargestSingle && size < std::numeric_limits<double>::infinity();
  }
  return large;
}
inline bool has_large(const double*, int64_t) { return false; }

class Widened {
 public:
  Widened(const GraphRecord& record, const ScoreRows<float>& scores, const float* weights)
      : record_(record),
        scores_(scores.frames * scores.columns),
        weights_(record.weights_size),
        rows_{scores_.data(), scores.frames, scores.columns, scores.columns} {
    for (int64_t t = 0; t < scores.frames; ++t) {
      std::copy_n(scores.data + t * scores.stride, scores.columns, scores_.data() + t * scores.columns);
    }
    std::copy_n(weights + record.weights_offset, record.weights_size, weights_.data());
    record_.weights_offset = 0;
  }

  const GraphRecord& record() const { return record_; }
  const ScoreRows<double>& scores() const { return rows_; }
  const double* weights() const { return weights_.data(); }

 private:
  GraphRecord record_;
  Buffer<double> scores_;
  Buffer<double> weights_;
  ScoreRows<double> rows_;
};

}  // namespace streamhmm
