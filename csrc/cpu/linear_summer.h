// LinearSummer: forward and backward on a linear graph, a row of numbers at a time. Owns the graph's weights as
// numbers, the backward row and scratch; the driver keeps the forward rows.
#pragma once

#include <algorithm>

#include "../semiring.h"
#include "batch_rows.h"
#include "buffer.h"

namespace streamhmm {

// A row over the states: mantissas, then exponents, each with room in front and behind.
template <class Real>
class RowLayout {
 public:
  explicit RowLayout(int64_t states) : width_((states + kFront + kMargin + 15) / 16 * 16) {}

  int64_t bytes() const { return width_ * static_cast<int64_t>(sizeof(Real) + sizeof(Exponent<Real>)); }
  ScaledRow<Real> row(uint8_t* memory) const {
    Real* mantissa = reinterpret_cast<Real*>(memory);
    return {mantissa + kFront, reinterpret_cast<Exponent<Real>*>(mantissa + width_) + kFront};
  }
  ConstScaledRow<Real> row(const uint8_t* memory) const {
    const auto r = row(const_cast<uint8_t*>(memory));
    return {r.mantissa, r.exponent};
  }
  void clear(uint8_t* memory) const {
    Real* mantissa = reinterpret_cast<Real*>(memory);
    std::fill_n(mantissa, width_, Real(0));
    std::fill_n(reinterpret_cast<Exponent<Real>*>(mantissa + width_), width_, Exponent<Real>(kZeroExponent));
  }
  void clear_margins(uint8_t* memory, int64_t states) const {
    const auto r = row(memory);
    for (int64_t i = 1; i <= kMargin; ++i) {
      r.mantissa[-i] = r.mantissa[states - 1 + i] = 0;
      r.exponent[-i] = r.exponent[states - 1 + i] = kZeroExponent;
    }
  }

 private:
  static constexpr int64_t kFront = 16;
  int64_t width_;
};

template <class Real>
class LinearSummer {
 public:
  using Number = Scaled<Real>;

  LinearSummer(const LinearGraph<Real>& graph, const ColumnsRead& columns)
      : graph_(graph),
        layout_(graph.states),
        columns_(columns),
        pdf_(graph.states),
        emission_m_(columns.count()),
        emission_e_(columns.count()),
        extra_(graph.extras),
        stay_(layout_.bytes()),
        advance_(layout_.bytes()),
        skip_(layout_.bytes()),
        beta_(layout_.bytes()),
        emitted_(layout_.bytes()),
        scratch_(layout_.bytes()) {
    for (int32_t j = 0; j < graph.states; ++j) pdf_[j] = columns.rank(graph.pdf[j]);
    for (int32_t k = 0; k < graph.extras; ++k) extra_[k] = Number::from_log(graph.weight[k]);
    load(stay_, graph.stay, graph.states);
    load(advance_, graph.advance, graph.states - 1);
    if (graph.skip != nullptr) load(skip_, graph.skip, graph.states - 2);
    for (Buffer<uint8_t>* row : {&beta_, &emitted_, &scratch_}) layout_.clear(row->data());
    model_ = {graph.states, pdf_.data(), weights(stay_), weights(advance_), {}};
    if (graph.skip != nullptr) model_.skip = weights(skip_);
  }

  int64_t row_bytes() const { return layout_.bytes(); }

  // The frame of the step that comes next: of no matter here.
  void enter(int64_t) {}

  void start(const Real* scores, uint8_t* out) {
    load(scratch_, graph_.initial, graph_.states);
    emit(scores, scratch_, out);
  }

  void forward(const Real* scores, const uint8_t* previous, uint8_t* out) {
    const auto in = layout_.row(previous);
    const auto sum = layout_.row(scratch_.data());
    kernels_of<Real>().linear_forward(model_, in, sum);
    for (int32_t k = 0; k < graph_.extras; ++k) {
      add(sum, graph_.target[k], number(in, graph_.source[k]) * extra_[k]);
    }
    emit(scores, scratch_, out);
  }

  // Sets Z from the last row; returns its logarithm.
  double finish(const uint8_t* last) {
    const auto row = layout_.row(last);
    total_ = {};
    for (int32_t j = 0; j < graph_.states; ++j) total_ = total_ + number(row, j) * Number::from_log(graph_.final[j]);
    return total_.log();
  }

  void start_backward() { load(beta_, graph_.final, graph_.states); }

  // As if more frames followed, of which nothing is known: β = 1.
  void start_backward_open() {
    layout_.clear(beta_.data());
    const auto row = layout_.row(beta_.data());
    for (int32_t j = 0; j < graph_.states; ++j) set(row, j, Number::from_log(0));
  }

  // Sets Z = Σ_j α[j] · β[j]; returns its logarithm.
  double normalise(const uint8_t* alpha) {
    const auto row = layout_.row(alpha);
    total_ = {};
    for (int32_t j = 0; j < graph_.states; ++j) total_ = total_ + number(row, j) * number(weights(beta_), j);
    return total_.log();
  }

  double log_alpha(const uint8_t* alpha, int32_t state) const { return number(layout_.row(alpha), state).log(); }

  void posterior(const uint8_t* alpha, Real* out) const {
    kernels_of<Real>().posterior(graph_.states, layout_.row(alpha), weights(beta_), {total_.mantissa, total_.exponent},
                                 out);
  }

  // β_t → β_{t−1}; `scores` are those of frame t. Adds ξ_t to `counts`, in the order of the packed weights.
  void backward(const Real* scores, const uint8_t* previous_alpha, double* counts) {
    emit(scores, beta_, emitted_.data());
    const auto in = weights(emitted_);
    if (counts != nullptr) count(layout_.row(previous_alpha), in, counts);
    const auto out = layout_.row(beta_.data());
    kernels_of<Real>().linear_backward(model_, in, out);
    for (int32_t k = 0; k < graph_.extras; ++k) {
      add(out, graph_.source[k], number(in, graph_.target[k]) * extra_[k]);
    }
  }

 private:
  ConstScaledRow<Real> weights(const Buffer<uint8_t>& memory) const { return layout_.row(memory.data()); }

  void load(Buffer<uint8_t>& memory, const Real* logs, int32_t count) {
    layout_.clear(memory.data());
    const auto row = layout_.row(memory.data());
    for (int32_t i = 0; i < count; ++i) set(row, i, Number::from_log(logs[i]));
  }

  template <class Row>
  static Number number(const Row& row, int64_t i) {
    return {row.mantissa[i], row.exponent[i]};
  }
  static void set(const ScaledRow<Real>& row, int64_t i, Number value) {
    row.mantissa[i] = value.mantissa;
    row.exponent[i] = value.exponent;
  }
  static void add(const ScaledRow<Real>& row, int64_t i, Number value) { set(row, i, number(row, i) + value); }

  void emit(const Real* scores, const Buffer<uint8_t>& in, uint8_t* out) {
    const ScaledRow<Real> emissions{emission_m_.data(), emission_e_.data()};
    kernels_of<Real>().exponentials(scores, columns_.data(), columns_.count(), emissions);
    layout_.clear_margins(out, graph_.states);
    kernels_of<Real>().emit(model_, {emissions.mantissa, emissions.exponent}, weights(in), layout_.row(out));
  }

  void count(ConstScaledRow<Real> alpha, ConstScaledRow<Real> emitted, double* counts) const {
    const ScaledNumber<Real> total{total_.mantissa, total_.exponent};
    const auto ahead = [&emitted](int k) { return ConstScaledRow<Real>{emitted.mantissa + k, emitted.exponent + k}; };
    const auto& count_arcs = kernels_of<Real>().count;
    const int32_t states = graph_.states;
    count_arcs(states, alpha, model_.stay, ahead(0), total, counts);
    count_arcs(states, alpha, model_.advance, ahead(1), total, counts + states);
    if (graph_.skip != nullptr) count_arcs(states, alpha, model_.skip, ahead(2), total, counts + 2 * int64_t{states});
    double* extra = counts + (graph_.skip != nullptr ? 3 : 2) * int64_t{states};
    for (int32_t k = 0; k < graph_.extras; ++k) {
      extra[k] += ratio(number(alpha, graph_.source[k]) * extra_[k] * number(emitted, graph_.target[k]), total_);
    }
  }

  LinearGraph<Real> graph_;
  RowLayout<Real> layout_;
  const ColumnsRead& columns_;
  Buffer<int32_t> pdf_;
  Buffer<Real> emission_m_;
  Buffer<Exponent<Real>> emission_e_;
  Buffer<Number> extra_;
  Buffer<uint8_t> stay_, advance_, skip_, beta_, emitted_, scratch_;
  LinearSums<Real> model_{};
  Number total_{};
};

}  // namespace streamhmm
