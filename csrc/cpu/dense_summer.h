// DenseSummer: forward and backward on a dense graph in the probability domain, a row at a time. The interface of
// LinearSummer; `Number` is what it computes with, at least as wide as the scores.
//
// A row is mantissas, the largest of them in [1, 2), and one logarithm for all: α[j] = mantissa[j] · exp(log_scale).
// What underflows in a step with S states is below S · 2^−125 (2^−1021 in double) before the row is scaled. With rows
// that shrink by at most 2^−40 (2^−400) a step, and α̂ and β̂ that overlap as much where they meet, it can't matter
//   * if every transition of the step on from there weighs at least 2^−40 (2^−400) of the heaviest: then no state's
//     future weighs more than 2^40 times another's, and the loss is below S² · 2^−44 (2^−220) of the total;
//   * or if every value of the row was at least 2^−100 (2^−960) before it was scaled: then the loss is below S · 2^−25
//     (2^−61) of each.
// Otherwise the results are refused, see right(). FlushDenormals must be in force.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "dense_probabilities.h"

namespace streamhmm {

template <class Real, class Number>
class DenseSummer {
 public:
  explicit DenseSummer(const DenseGraph<Real>& graph)
      : model_(graph, false),
        states_(graph.states),
        row_(model_.row()),
        beta_(row_, Number(0)),
        emission_(row_, Number(0)),
        emitted_(row_, Number(0)),
        scores_(row_) {}

  // Whether the results so far are. Those that are not are −inf and 0.
  bool right() const { return right_; }

  int64_t row_bytes() const { return kHeaderBytes + row_ * static_cast<int64_t>(sizeof(Number)); }

  // Chooses the transitions of the step into a frame.
  void enter(int64_t frame) { frame_ = frame; }

  void start(const Real* scores, uint8_t* out) {
    const double top = emit(scores);
    std::copy_n(model_.initial(), row_, mantissas(out));
    const int32_t exponent = kernels_of<Number>().scale_row(mantissas(out), emission_.data(), states_);
    check(exponent);
    header(out) = {model_.initial_top() + top + exponent * kLogOfTwo, exponent};
  }

  void forward(const Real* scores, const uint8_t* previous, uint8_t* out) {
    const double top = emit(scores);
    const auto& step = model_.ahead().step_to(frame_, ahead_);
    const int32_t exponent = multiply(step, mantissas(previous), emission_.data(), mantissas(out));
    if (!step.connected(kLeast)) check_faintest(mantissas(previous), header(previous).exponent);
    header(out) = {header(previous).log_scale + top + step.top + exponent * kLogOfTwo, exponent};
  }

  // The logarithm of Z from the last row.
  double finish(const uint8_t* last) { return log_total(last, model_.final(), model_.final_top()); }

  void start_backward() {
    std::copy_n(model_.final(), row_, beta_.data());
    log_beta_ = model_.final_top();
  }

  // As if more frames followed, of which nothing is known: β = 1.
  void start_backward_open() {
    std::fill_n(beta_.data(), states_, Number(1));
    std::fill(beta_.data() + states_, beta_.data() + row_, Number(0));
    log_beta_ = 0;
  }

  // The logarithm of Z = Σ_j α[j] · β[j].
  double normalise(const uint8_t* alpha) { return log_total(alpha, beta_.data(), log_beta_); }

  double log_alpha(const uint8_t* alpha, int32_t state) const {
    return std::log(static_cast<double>(mantissas(alpha)[state])) + header(alpha).log_scale;
  }

  void posterior(const uint8_t* alpha, Real* out) {
    const Number sum = meet(mantissas(alpha), beta_.data());
    const Number share = right_ ? 1 / sum : Number(0);
    for (int32_t j = 0; j < states_; ++j) out[j] = static_cast<Real>(mantissas(alpha)[j] * beta_[j] * share);
  }

  // β_t → β_{t−1}; `scores` are those of frame t. Counts are left to dense_sums.
  void backward(const Real* scores, const uint8_t*, double*) {
    const double top = emit(scores);
    for (int64_t j = 0; j < row_; ++j) emitted_[j] = emission_[j] * beta_[j];
    const auto& step = model_.back().step_to(frame_, back_);
    const int32_t exponent = multiply(step, emitted_.data(), nullptr, beta_.data());
    if (!step.connected(kLeast)) check_faintest(beta_.data(), exponent);
    log_beta_ += top + step.top + exponent * kLogOfTwo;
  }

 private:
  static constexpr bool kSingle = sizeof(Number) == sizeof(float);
  static constexpr int32_t kLeastExponent = kSingle ? -40 : -400;
  static constexpr Number kLeast = kSingle ? Number(0x1p-40) : Number(0x1p-400);
  static constexpr int32_t kFaintExponent = kSingle ? -100 : -960;
  static constexpr int64_t kHeaderBytes = 64;  // the mantissas stand in whole cache lines
  static constexpr double kLogOfTwo = 0.693147180559945309417;

  struct Header {
    double log_scale;
    int32_t exponent;  // by which the row was scaled last
  };

  static Number* mantissas(uint8_t* row) { return reinterpret_cast<Number*>(row + kHeaderBytes); }
  static const Number* mantissas(const uint8_t* row) { return reinterpret_cast<const Number*>(row + kHeaderBytes); }
  static Header& header(uint8_t* row) { return *reinterpret_cast<Header*>(row); }
  static const Header& header(const uint8_t* row) { return *reinterpret_cast<const Header*>(row); }

  // Fills emission_; returns the largest score.
  double emit(const Real* scores) {
    DenseEmissions<Number> d{states_, nullptr, nullptr, 0, 1, emission_.data(), &top_};
    if constexpr (std::is_same_v<Real, Number>) {
      d.pdf = model_.pdfs();
      d.scores = scores;
    } else {
      for (int32_t j = 0; j < states_; ++j) scores_[j] = static_cast<Number>(scores[model_.graph().pdf[j]]);
      d.scores = scores_.data();
    }
    kernels_of<Number>().dense_emissions(d);
    return top_;
  }

  // One product; returns the exponent by which `out` was scaled.
  int32_t multiply(const StepProbabilities<Number>& step, const Number* row, const Number* factors, Number* out) {
    int32_t exponent = 0;
    DenseProduct<Number> d{};
    d.states = states_;
    d.frames = 1;
    d.panels = step.panels.data();
    d.sequences = 1;
    d.row[0] = row;
    d.factors[0] = factors;
    d.out[0] = out;
    d.exponent[0] = &exponent;
    kernels_of<Number>().dense_product(d);
    check(exponent);
    return exponent;
  }

  void check(int32_t exponent) { right_ &= exponent >= kLeastExponent; }
  void check_faintest(const Number* row, int32_t exponent) {
    if (right_) right_ = kernels_of<Number>().lowest(row, states_) >= std::ldexp(Number(1), kFaintExponent - exponent);
  }

  Number meet(const Number* alpha, const Number* beta) {
    const Number sum = kernels_of<Number>().inner_product(alpha, beta, states_);
    right_ &= sum >= kLeast;
    return sum;
  }

  double log_total(const uint8_t* alpha, const Number* beta, double log_beta) {
    const Number sum = meet(mantissas(alpha), beta);
    if (!right_) return -std::numeric_limits<double>::infinity();
    return std::log(static_cast<double>(sum)) + header(alpha).log_scale + log_beta;
  }

  DenseModel<Number, Real> model_;
  int32_t states_;
  int64_t row_;
  StepProbabilities<Number> ahead_, back_;  // of the step at hand, where transitions vary
  Buffer<Number> beta_, emission_, emitted_, scores_;
  double log_beta_ = 0, top_ = 0;
  int64_t frame_ = 0;
  bool right_ = true;
};

}  // namespace streamhmm
