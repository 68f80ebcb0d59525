// SegmentRecursion: owns the working state of the semi-Markov recursion and takes it from border to border.
// SegmentScores: the scores as the recursion reads them, a row of states at a time.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>

#include "../params.h"
#include "semi_markov_tables.h"

namespace streamhmm {

template <class Real>
class SegmentScores {
 public:
  SegmentScores(const ScoreRows<Real>& rows, const int32_t* pdf, int32_t states)
      : rows_(rows), pdf_(pdf), states_(states), row_(octets(states) * kOctet, 0.0) {}

  double at(int64_t frame, int32_t state) const {
    return static_cast<double>(rows_.data[frame * rows_.stride + pdf_[state]]);
  }
  // The scores of all states at a frame, less `offset`.
  const double* row(int64_t frame, double offset = 0) {
    const Real* scores = rows_.data + frame * rows_.stride;
    for (int32_t j = 0; j < states_; ++j) row_[j] = static_cast<double>(scores[pdf_[j]]) - offset;
    return row_.data();
  }

 private:
  ScoreRows<Real> rows_;
  const int32_t* pdf_;
  int32_t states_;
  Buffer<double> row_;
};

class SegmentRecursion {
 public:
  SegmentRecursion(const SemiMarkovKernels& kernels, const DurationTable& durations, const ArcTable& arcs,
                   int64_t frames, bool sums)
      : kernels_(kernels) {
    durations.describe(m_);
    arcs.describe(m_);
    const int64_t longest = std::min(m_.longest, frames), padded = m_.padded();
    m_.rows = std::min(longest + std::max(longest, kSlack), frames) + 2 * kBlock;
    open_ = Buffer<double>(m_.rows * padded);
    if (sums) open_odds_ = Buffer<double>(open_.size());
    window_ = Buffer<double>(kBlock * padded);
    rows_ = Buffer<double>(3 * padded, 0.0);
    m_.open = open_.data();
    m_.open_odds = open_odds_.data();
    m_.window = window_.data();
    m_.total = rows_.data();
    m_.reference = rows_.data() + padded;
    m_.scratch = rows_.data() + 2 * padded;
  }

  int64_t padded() const { return m_.padded(); }
  const SemiMarkov& state() const { return m_; }

  // The same as the kernels'.
  void arrive(int64_t t, double* in_window, double* ended, double* opened) {
    if (t % kBlock == 0) {
      make_room(t);
      if (open_odds_.size() > 0) anchor(t);
      kernels_.begin_block(m_, t);
    }
    kernels_.arrive(m_, t, in_window, ended, opened);
  }
  void leave(int64_t t, const double* opened, const double* scores) { kernels_.leave(m_, t, opened, scores); }

  // What is needed to go on from border t, the first of a block: P, then the X in reach, (groups, X, kOctet).
  int64_t saved_size() const { return (m_.longest + 1) * m_.padded(); }
  int64_t saved_rows(int64_t t) const { return std::min(m_.longest, t); }

  void save(int64_t t, double* out) const {
    std::copy_n(m_.total, m_.padded(), out);
    copy_rows(out + m_.padded(), saved_rows(t), 0, m_.open, m_.rows, t - saved_rows(t) - m_.first, saved_rows(t));
  }
  void start() {
    m_.first = 0;
    std::fill_n(rows_.data(), rows_.size(), 0.0);
  }
  void restore(int64_t t, const double* saved) {
    std::copy_n(saved, m_.padded(), m_.total);
    m_.first = t - saved_rows(t);
    copy_rows(m_.open, m_.rows, 0, saved + m_.padded(), saved_rows(t), 0, saved_rows(t));
    std::fill_n(m_.open_odds, open_odds_.size(), 0.0);
    std::fill_n(m_.reference, m_.padded(), kFar);
  }

 private:
  static constexpr int64_t kSlack = 512;  // borders, at least, between two moves of the X in reach
  static constexpr double kFar = 1e290;   // a reference that the next block replaces
  static constexpr double kMostTotal = 4096;

  // Starts P again from 0 where it has grown, and with it the rounding of its differences.
  void anchor(int64_t t) {
    for (int64_t j = 0; j < m_.padded(); ++j) {
      const double total = m_.total[j];
      if (std::fabs(total) <= kMostTotal) continue;
      double* x = m_.open + ((j / kOctet) * m_.rows + t - saved_rows(t) - m_.first) * kOctet + j % kOctet;
      for (int64_t i = 0; i < saved_rows(t); ++i) x[i * kOctet] += total;
      m_.reference[j] += total;
      m_.total[j] = 0;
    }
  }

  void make_room(int64_t t) {
    if (t - m_.first + kBlock <= m_.rows) return;
    const int64_t kept = saved_rows(t), from = t - kept - m_.first;
    copy_rows(m_.open, m_.rows, 0, m_.open, m_.rows, from, kept);
    if (open_odds_.size() > 0) copy_rows(m_.open_odds, m_.rows, 0, m_.open_odds, m_.rows, from, kept);
    m_.first = t - kept;
  }

  void copy_rows(double* out, int64_t out_rows, int64_t to, const double* in, int64_t in_rows, int64_t from,
                 int64_t count) const {
    for (int64_t g = 0; g < m_.groups; ++g) {
      std::memmove(out + (g * out_rows + to) * kOctet, in + (g * in_rows + from) * kOctet,
                   static_cast<size_t>(count * kOctet) * sizeof(double));
    }
  }

  const SemiMarkovKernels& kernels_;
  SemiMarkov m_{};
  Buffer<double> open_, open_odds_, window_, rows_;
};

}  // namespace streamhmm
