// SumsFromLeft: forward sums of a semi-Markov model, chunk by chunk where memory is short. Recursion: ../semi_markov.h.
#pragma once

#include <algorithm>
#include <cmath>

#include "../graph.h"
#include "segment_recursion.h"
#include "semi_markov_batch.h"

namespace streamhmm {

// The sums from the left: the logarithms of Z, and the rows of every border, from the last one back. An offset is taken
// from all scores of a frame, the same on every path, so that no logarithm grows with the frames and loses precision.
template <class Real>
class SumsFromLeft {
 public:
  SumsFromLeft(const DurationTable& table, const ArcTable& arcs, const ScoreRows<Real>& rows, const GraphRecord& record,
               int64_t budget, bool rolling)
      : arcs_(arcs),
        states_(record.states),
        frames_(rows.frames),
        rolling_(rolling),
        scores_(rows, record.body, record.states),
        recursion_(kernels().semi_markov_sum, table, arcs, rows.frames, true),
        width_(recursion_.padded()),
        chunk_(rolling ? frames_ + 1 : chunk_borders(frames_ + 1, 2 * width_, recursion_.saved_size(), budget)),
        chunks_((frames_ + chunk_) / chunk_),
        rows_(2 * (rolling ? 1 : std::min(chunk_, frames_ + 1)) * width_),
        saved_((chunks_ - 1) * recursion_.saved_size()),
        offsets_(frames_, 0.0) {}

  // Without the offsets, whose sum is total_offset().
  double log_likelihood() {
    for (current_ = 0;; ++current_) {
      run_chunk(true);
      if (current_ == chunks_ - 1) break;
      recursion_.save(begin(current_ + 1), saved(current_ + 1));
    }
    double top = kImpossible, sum = 0;
    for (int32_t j = 0; j < states_; ++j) top = std::max(top, ended(frames_)[j] + arcs_.final(j));
    if (top == kImpossible) return top;
    for (int32_t j = 0; j < states_; ++j) sum += std::exp(ended(frames_)[j] + arcs_.final(j) - top);
    return top + std::log(sum);
  }

  // Makes the rows of border t readable; t is not after them.
  void reach(int64_t t) {
    while (t < begin(current_)) {
      --current_;
      current_ > 0 ? recursion_.restore(begin(current_), saved(current_)) : recursion_.start();
      run_chunk(false);
    }
  }
  double offset(int64_t frame) const { return offsets_[frame]; }
  double total_offset() const {
    double total = 0;  // of whole numbers
    for (int64_t t = 0; t < frames_; ++t) total += offsets_[t];
    return total;
  }
  double* ended(int64_t t) { return rows_.data() + (rolling_ ? 0 : 2 * (t - begin(current_))) * width_; }
  double* opened(int64_t t) { return ended(t) + width_; }

 private:
  int64_t begin(int64_t c) const { return std::min(c * chunk_, frames_ + 1); }
  double* saved(int64_t c) { return saved_.data() + (c - 1) * recursion_.saved_size(); }

  void run_chunk(bool first_time) {
    for (int64_t t = begin(current_); t < begin(current_ + 1); ++t) {
      recursion_.arrive(t, nullptr, ended(t), t < frames_ ? opened(t) : nullptr);
      if (t == frames_) return;
      if (first_time) offsets_[t] = whole_part(scores_.row(t)) + whole_part(opened(t));
      recursion_.leave(t, opened(t), scores_.row(t, offsets_[t]));
    }
  }

  // The largest value, rounded; 0 where that is beyond what P holds.
  double whole_part(const double* row) const {
    const double top = *std::max_element(row, row + states_);
    return std::fabs(top) <= kLargestSummed ? std::rint(top) : 0;
  }

  const ArcTable& arcs_;
  int32_t states_;
  int64_t frames_;
  bool rolling_;
  SegmentScores<Real> scores_;
  SegmentRecursion recursion_;
  int64_t width_, chunk_, chunks_;
  int64_t current_ = 0;
  Buffer<double> rows_, saved_, offsets_;
};

}  // namespace streamhmm
