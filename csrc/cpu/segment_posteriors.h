// SegmentPosteriors: occupancy and expected counts of a semi-Markov model. Recursion: ../semi_markov.h.
#pragma once

#include <algorithm>
#include <cmath>

#include "sum_targets.h"
#include "sums_from_left.h"

namespace streamhmm {

// Where one sequence's results go; null pointers are left out. by_pdf is added to, and not scaled.
template <class Real>
struct SegmentTargets : Targets<Real> {
  int64_t counts_size;
  double* segments;  // (states, segments_longest)
  int64_t segments_longest;
};

// The sums from the right, and what follows from both.
template <class Real>
class SegmentPosteriors {
 public:
  SegmentPosteriors(const DurationTable& table, const ArcTable& arcs, const ArcTable& turned,
                    const ScoreRows<Real>& rows, const GraphRecord& record, SumsFromLeft<Real>& left, double total,
                    const SegmentTargets<Real>& to)
      : table_(table),
        arcs_(arcs),
        record_(record),
        frames_(rows.frames),
        columns_(rows.columns),
        scores_(rows, record.body, record.states),
        left_(left),
        total_(total),
        to_(to),
        recursion_(kernels().semi_markov_sum, table, turned, rows.frames, true),
        width_(recursion_.padded()),
        rows_(6 * width_, 0.0),
        arc_counts_(to.counts == nullptr ? 0 : std::max(arcs.matrix_size(), arcs.count()), 0.0),
        segment_counts_(to.segments == nullptr ? 0 : table.size(), 0.0) {}

  void run() {
    for (int64_t t = frames_; t >= 0; --t) {
      left_.reach(t);
      const int64_t place = frames_ - t;  // as the recursion counts
      recursion_.arrive(place, nullptr, begun(), t > 0 ? follows() : nullptr);
      pass_border(t);
      if (t > 0) recursion_.leave(place, follows(), scores_.row(t - 1, left_.offset(t - 1)));
    }
    deliver_counts();
  }

 private:
  double* begun() { return rows_.data(); }
  double* follows() { return rows_.data() + width_; }
  double* occupancy() { return rows_.data() + 2 * width_; }
  double* scratch() { return rows_.data() + 3 * width_; }
  double* flow() { return rows_.data() + 4 * width_; }
  double* zeros() { return rows_.data() + 5 * width_; }

  // exp(a + b − Z)
  const double* probabilities(const double* a, const double* b) {
    for (int64_t j = 0; j < width_; ++j) scratch()[j] = a[j] + b[j] - total_;
    kernels().segment_counting.exponentials(scratch(), zeros(), width_, flow());
    return flow();
  }

  void pass_border(int64_t t) {
    if (t < frames_) {
      const double* begins = probabilities(left_.opened(t), begun());
      for (int32_t j = 0; j < record_.states; ++j) occupancy()[j] -= begins[j];
      if (t == 0 && to_.counts != nullptr) std::copy_n(begins, record_.states, initial_counts());
      if (to_.segments != nullptr) count_segments(t);
      if (t > 0 && to_.counts != nullptr) count_arcs(t);
    }
    if (t == 0) return;
    const double* ends = probabilities(left_.ended(t), follows());
    for (int32_t j = 0; j < record_.states; ++j) {
      occupancy()[j] = std::clamp(occupancy()[j] + ends[j], 0.0, 1.0);  // rounding may carry it past either end
    }
    if (t == frames_ && to_.counts != nullptr) std::copy_n(ends, record_.states, initial_counts() + record_.states);
    deliver(t - 1);
  }

  double* initial_counts() const { return to_.counts + to_.counts_size - 2 * record_.states; }

  void deliver(int64_t frame) {
    for (int32_t j = 0; to_.by_state != nullptr && j < record_.states; ++j) {
      to_.by_state[frame * to_.states_wide + j] = static_cast<Real>(occupancy()[j]);
    }
    for (int32_t j = 0; to_.by_pdf != nullptr && j < record_.states; ++j) {
      to_.by_pdf[frame * columns_ + record_.body[j]] += static_cast<Real>(occupancy()[j]);
    }
  }

  void count_segments(int64_t t) {
    const SemiMarkov& m = recursion_.state();
    for (int64_t j = 0; j < width_; ++j) scratch()[j] = left_.opened(t)[j] + m.total[j] - total_;
    kernels().segment_counting.count_durations(m, frames_ - t, scratch(), segment_counts_.data());
  }

  void count_arcs(int64_t t) {
    const double* ended = left_.ended(t);
    for (int64_t j = 0; j < width_; ++j) scratch()[j] = begun()[j] - total_;
    if (arcs_.is_matrix()) {
      SemiMarkov m = recursion_.state();
      arcs_.describe(m);
      return kernels().segment_counting.count_arcs(m, ended, scratch(), arc_counts_.data());
    }
    for (int64_t k = 0; k < arcs_.count(); ++k) {
      const Arc& arc = arcs_.arc(k);
      arc_counts_[k] += std::exp(ended[arc.source] + arc.weight + scratch()[arc.target]);
    }
  }

  void deliver_counts() {
    for (int64_t k = 0; to_.counts != nullptr && k < arcs_.count(); ++k) {
      const Arc& arc = arcs_.arc(k);
      if (!(arc.weight > kImpossible)) continue;
      const double count = arcs_.is_matrix() ? arc_counts_[arcs_.matrix_place(arc)] * arcs_.share(arc) : arc_counts_[k];
      to_.counts[arc.place] += count;
    }
    for (int64_t j = 0; to_.segments != nullptr && j < record_.states; ++j) {
      for (int64_t d = 1; d <= table_.longest(); ++d) {
        to_.segments[j * to_.segments_longest + d - 1] = segment_counts_[table_.place(j, d)];
      }
    }
  }

  const DurationTable& table_;
  const ArcTable& arcs_;
  const GraphRecord& record_;
  int64_t frames_, columns_;
  SegmentScores<Real> scores_;
  SumsFromLeft<Real>& left_;
  double total_;
  SegmentTargets<Real> to_;
  SegmentRecursion recursion_;
  int64_t width_;
  Buffer<double> rows_, arc_counts_, segment_counts_;
};

}  // namespace streamhmm
