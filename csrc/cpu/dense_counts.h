// Expected counts of a dense graph's arcs, ξ summed over time: frames are collected and added up as a product of
// matrices.
#pragma once

#include <algorithm>

#include "buffer.h"
#include "dense.h"
#include "isa.h"

namespace streamhmm {

template <class Real>
class DenseCounts {
 public:
  DenseCounts() = default;
  explicit DenseCounts(int32_t states)
      : states_(states),
        row_(dense_row_size(states)),
        alpha_(kFrames * row_, Real(0)),
        emitted_(kFrames * row_, Real(0)),
        block_(row_ * row_),
        total_(int64_t{states} * states, 0.0) {}

  // Σ ξ without the weights: alpha[i] · share · emitted[j].
  void add(const Real* alpha, Real share, const Real* emitted) {
    Real* to = alpha_.data() + frames_ * row_;
    for (int32_t i = 0; i < states_; ++i) to[i] = alpha[i] * share;
    std::copy_n(emitted, states_, emitted_.data() + frames_ * row_);
    if (++frames_ == kFrames) add_up();
  }

  // Adds the counts times the weights' probabilities.
  void deliver(const Real* matrix, double* counts) {
    add_up();
    for (int64_t cell = 0; cell < total_.size(); ++cell)
      counts[cell] += total_[cell] * static_cast<double>(matrix[cell]);
  }

 private:
  static constexpr int32_t kFrames = 64;  // few enough for single precision and the fastest cache

  void add_up() {
    kernels_of<Real>().dense_counts(alpha_.data(), emitted_.data(), frames_, states_, block_.data());
    for (int64_t i = 0; i < states_; ++i) {
      for (int64_t j = 0; j < states_; ++j) total_[i * states_ + j] += static_cast<double>(block_[i * row_ + j]);
    }
    frames_ = 0;
  }

  int32_t states_ = 0;
  int64_t row_ = 0;
  int32_t frames_ = 0;
  Buffer<Real> alpha_, emitted_, block_;
  Buffer<double> total_;
};

}  // namespace streamhmm
