// DenseLogSummer: forward and backward on a dense graph with logarithms in double, for what no other numbers hold. The
// interface of LinearSummer.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "batch_rows.h"
#include "buffer.h"

namespace streamhmm {

template <class Real>
class DenseLogSummer {
 public:
  explicit DenseLogSummer(const DenseGraph<Real>& graph)
      : graph_(graph), step_(graph.transitions), beta_(graph.states), emitted_(graph.states), highest_(graph.states) {}

  int64_t row_bytes() const { return graph_.states * static_cast<int64_t>(sizeof(double)); }

  // Chooses the transitions of the step into a frame.
  void enter(int64_t frame) {
    step_ = graph_.step_to(frame);
    slice_ = graph_.slices > 0 ? frame * graph_.states * int64_t{graph_.states} : 0;
  }

  void start(const Real* scores, uint8_t* out) {
    double* row = numbers(out);
    for (int32_t j = 0; j < graph_.states; ++j) row[j] = static_cast<double>(graph_.initial[j]) + score(scores, j);
  }

  void forward(const Real* scores, const uint8_t* previous, uint8_t* out) {
    const double* in = numbers(previous);
    double* row = numbers(out);
    std::fill_n(highest_.data(), graph_.states, kZero);
    for (int32_t i = 0; i < graph_.states; ++i) {
      for (int32_t j = 0; j < graph_.states; ++j) highest_[j] = std::max(highest_[j], in[i] + weight(i, j));
    }
    std::fill_n(row, graph_.states, 0.0);
    for (int32_t i = 0; i < graph_.states; ++i) {
      for (int32_t j = 0; j < graph_.states; ++j) row[j] += share(in[i] + weight(i, j), highest_[j]);
    }
    for (int32_t j = 0; j < graph_.states; ++j) row[j] = highest_[j] + std::log(row[j]) + score(scores, j);
  }

  double finish(const uint8_t* last) {
    const double* row = numbers(last);
    for (int32_t j = 0; j < graph_.states; ++j) emitted_[j] = row[j] + static_cast<double>(graph_.final[j]);
    return total_ = log_sum(emitted_.data());
  }

  void start_backward() { std::copy_n(graph_.final, graph_.states, beta_.data()); }

  // As if more frames followed, of which nothing is known: β = 1.
  void start_backward_open() { std::fill_n(beta_.data(), graph_.states, 0.0); }

  // Sets Z = Σ_j α[j] · β[j]; returns its logarithm.
  double normalise(const uint8_t* alpha) {
    const double* row = numbers(alpha);
    for (int32_t j = 0; j < graph_.states; ++j) emitted_[j] = row[j] + beta_[j];
    return total_ = log_sum(emitted_.data());
  }

  double log_alpha(const uint8_t* alpha, int32_t state) const { return numbers(alpha)[state]; }

  void posterior(const uint8_t* alpha, Real* out) const {
    const double* row = numbers(alpha);
    for (int32_t j = 0; j < graph_.states; ++j) out[j] = static_cast<Real>(std::exp(row[j] + beta_[j] - total_));
  }

  void backward(const Real* scores, const uint8_t* previous_alpha, double* counts) {
    const double* alpha = numbers(previous_alpha);
    Buffer<double> terms(graph_.states);
    for (int32_t j = 0; j < graph_.states; ++j) emitted_[j] = beta_[j] + score(scores, j);
    for (int32_t i = 0; i < graph_.states; ++i) {
      for (int32_t j = 0; j < graph_.states; ++j) terms[j] = weight(i, j) + emitted_[j];
      for (int32_t j = 0; counts != nullptr && j < graph_.states; ++j) {
        counts[slice_ + int64_t{i} * graph_.states + j] += std::exp(alpha[i] + terms[j] - total_);
      }
      beta_[i] = log_sum(terms.data());
    }
  }

 private:
  static constexpr double kZero = -std::numeric_limits<double>::infinity();

  static double* numbers(uint8_t* memory) { return reinterpret_cast<double*>(memory); }
  static const double* numbers(const uint8_t* memory) { return reinterpret_cast<const double*>(memory); }
  static double share(double value, double top) { return value == kZero ? 0.0 : std::exp(value - top); }

  double weight(int64_t i, int32_t j) const { return static_cast<double>(step_[i * graph_.states + j]); }
  double score(const Real* scores, int32_t state) const { return static_cast<double>(scores[graph_.pdf[state]]); }

  double log_sum(const double* values) const {
    const double top = *std::max_element(values, values + graph_.states);
    double sum = 0;
    for (int32_t j = 0; j < graph_.states; ++j) sum += share(values[j], top);
    return top + std::log(sum);
  }

  DenseGraph<Real> graph_;
  const Real* step_;
  int64_t slice_ = 0;
  Buffer<double> beta_, emitted_, highest_;
  double total_ = kZero;
};

}  // namespace streamhmm
