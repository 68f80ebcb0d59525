// ArcSummer: forward and backward arc by arc, for sparse graphs, and with LogNumber for what no other summer can hold.
// The same interface as LinearSummer.
#pragma once

#include <algorithm>
#include <utility>

#include "../semiring.h"
#include "arc_list.h"
#include "batch_rows.h"

namespace streamhmm {

template <class Real, class Number>
class ArcSummer {
 public:
  ArcSummer(ArcList<Real> graph, const ColumnsRead& columns)
      : graph_(std::move(graph)),
        columns_(columns),
        emission_(columns.count()),
        weight_(graph_.count),
        beta_(graph_.states),
        emitted_(graph_.states) {
    for (int64_t k = 0; k < graph_.count; ++k) weight_[k] = Number::from_log(graph_.arcs[k].weight);
  }

  int64_t row_bytes() const { return graph_.states * static_cast<int64_t>(sizeof(Number)); }

  void enter(int64_t) {}

  void start(const Real* scores, uint8_t* out) {
    Number* row = numbers(out);
    for (int32_t j = 0; j < graph_.states; ++j) row[j] = Number::from_log(static_cast<double>(graph_.initial[j]));
    emit(scores, row, row);
  }

  void forward(const Real* scores, const uint8_t* previous, uint8_t* out) {
    const Number* in = numbers(previous);
    Number* row = numbers(out);
    std::fill_n(row, graph_.states, Number{});
    for (int64_t k = 0; k < graph_.count; ++k) {
      const Arc& arc = graph_.arcs[k];
      row[arc.target] = row[arc.target] + in[arc.source] * weight_[k];
    }
    emit(scores, row, row);
  }

  double finish(const uint8_t* last) {
    const Number* row = numbers(last);
    total_ = Number{};
    for (int32_t j = 0; j < graph_.states; ++j) {
      total_ = total_ + row[j] * Number::from_log(static_cast<double>(graph_.final[j]));
    }
    return total_.log();
  }

  void start_backward() {
    for (int32_t j = 0; j < graph_.states; ++j) beta_[j] = Number::from_log(static_cast<double>(graph_.final[j]));
  }

  // As if more frames followed, of which nothing is known: β = 1.
  void start_backward_open() { std::fill_n(beta_.data(), graph_.states, Number::from_log(0)); }

  // Sets Z = Σ_j α[j] · β[j]; returns its logarithm.
  double normalise(const uint8_t* alpha) {
    const Number* row = numbers(alpha);
    total_ = Number{};
    for (int32_t j = 0; j < graph_.states; ++j) total_ = total_ + row[j] * beta_[j];
    return total_.log();
  }

  double log_alpha(const uint8_t* alpha, int32_t state) const { return numbers(alpha)[state].log(); }

  void posterior(const uint8_t* alpha, Real* out) const {
    const Number* row = numbers(alpha);
    for (int32_t j = 0; j < graph_.states; ++j) out[j] = static_cast<Real>(ratio(row[j] * beta_[j], total_));
  }

  void backward(const Real* scores, const uint8_t* previous_alpha, double* counts) {
    emit(scores, beta_.data(), emitted_.data());
    std::fill_n(beta_.data(), graph_.states, Number{});
    const Number* alpha = numbers(previous_alpha);
    for (int64_t k = 0; k < graph_.count; ++k) {
      const Arc& arc = graph_.arcs[k];
      const Number rest = weight_[k] * emitted_[arc.target];
      if (counts != nullptr) counts[arc.place] += ratio(alpha[arc.source] * rest, total_);
      beta_[arc.source] = beta_[arc.source] + rest;
    }
  }

 private:
  static Number* numbers(uint8_t* memory) { return reinterpret_cast<Number*>(memory); }
  static const Number* numbers(const uint8_t* memory) { return reinterpret_cast<const Number*>(memory); }

  void emit(const Real* scores, const Number* in, Number* out) {
    for (int32_t i = 0; i < columns_.count(); ++i) {
      emission_[i] = Number::from_log(static_cast<double>(scores[columns_.data()[i]]));
    }
    for (int32_t j = 0; j < graph_.states; ++j) out[j] = in[j] * emission_[columns_.rank(graph_.pdf[j])];
  }

  ArcList<Real> graph_;
  const ColumnsRead& columns_;
  Buffer<Number> emission_, weight_, beta_, emitted_;
  Number total_{};
};

}  // namespace streamhmm
