// LinearSummer: forward and backward on a linear graph, a row of numbers at a time. Owns the graph's weights as
// numbers, the backward row and scratch; the driver keeps the forward rows.
#pragma once

#include <algorithm>
#include <limits>

#include "batch_rows.h"
#include "emission_rows.h"
#include "extra_layers.h"
#include "number_row.h"

namespace streamhmm {

template <class Real>
class LinearSummer {
 public:
  using Number = Scaled<Real>;

  // `scores` are those of the sequence, if it is known beforehand.
  LinearSummer(const LinearGraph<Real>& graph, const ColumnsRead& columns, const ScoreRows<Real>& scores = {})
      : states_(graph.states),
        layout_(graph.states),
        pdf_(linear_groups(graph.states) * kGroup, 0),
        narrow_pdf_(pdf_.size()),
        emissions_(columns, scores),
        initial_(graph.states, graph.initial, graph.states),
        final_(graph.states, graph.final, graph.states),
        stay_(graph.states, graph.stay, graph.states),
        advance_(graph.states, graph.advance, graph.states - 1),
        skip_(graph.states, graph.skip, graph.skip != nullptr ? graph.states - 2 : 0),
        extra_(graph.extras, graph.weight, graph.extras),
        source_(linear_groups(graph.extras) * kGroup, 0),
        target_(source_.size(), 0),
        into_(graph.states, graph.extras, graph.target, graph.source, extra_),
        out_of_(graph.states, graph.extras, graph.source, graph.target, extra_),
        beta_(graph.states),
        emitted_(graph.states) {
    for (int32_t j = 0; j < states_; ++j) pdf_[j] = columns.rank(graph.pdf[j]);
    for (int64_t j = 0; j < pdf_.size(); ++j) narrow_pdf_[j] = narrow_pdf_of(pdf_[j]);
    std::copy_n(graph.source, graph.extras, source_.data());
    std::copy_n(graph.target, graph.extras, target_.data());
    extras_ = {graph.extras, source_.data(), target_.data(), constant(extra_)};
    model_ = {states_,
              pdf_.data(),
              narrow_pdf_.data(),
              columns.count(),
              constant(stay_),
              constant(advance_),
              graph.skip != nullptr ? constant(skip_) : ConstScaledRow<Real>{},
              nullptr,
              nullptr,
              into_.lend(),
              out_of_.lend()};
    if (masks_suffice(graph)) set_masks();
  }

  int64_t row_bytes() const { return layout_.bytes(); }

  // The frame of the step that comes next: of no matter here.
  void enter(int64_t) {}

  void start(const Real* scores, uint8_t* out) {
    kernels_of<Real>().linear_emit(model_, emissions_.at(scores), constant(initial_), layout_.row(out));
  }

  void forward(const Real* scores, const uint8_t* previous, uint8_t* out) {
    kernels_of<Real>().linear_forward(model_, emissions_.at(scores), layout_.row(previous), layout_.row(out));
  }

  // Sets Z from the last row; returns its logarithm.
  double finish(const uint8_t* last) {
    const auto row = layout_.row(last);
    total_ = {};
    for (int32_t j = 0; j < states_; ++j) {
      const Number end = final_[j];
      if (!end.is_zero()) total_ = total_ + Number{row.mantissa[j], row.exponent[j]} * end;
    }
    return total_.log();
  }

  void start_backward() { beta_.copy(final_); }

  // As if more frames followed, of which nothing is known: β = 1.
  void start_backward_open() {
    beta_.copy(final_);  // zeros behind the states
    std::fill_n(beta_.row().mantissa, states_, Real(1));
    std::fill_n(beta_.row().exponent, states_, Exponent<Real>(0));
  }

  // Sets Z = Σ_j α[j] · β[j]; returns its logarithm.
  double normalise(const uint8_t* alpha) {
    const auto row = layout_.row(alpha);
    total_ = {};
    for (int32_t j = 0; j < states_; ++j) total_ = total_ + Number{row.mantissa[j], row.exponent[j]} * beta_[j];
    return total_.log();
  }

  double log_alpha(const uint8_t* alpha, int32_t state) const {
    const auto row = layout_.row(alpha);
    return Number{row.mantissa[state], row.exponent[state]}.log();
  }

  void posterior(const uint8_t* alpha, Real* out) const {
    kernels_of<Real>().posterior(states_, layout_.row(alpha), beta_.row(), {total_.mantissa, total_.exponent}, out);
  }

  // β_t → β_{t−1}; `scores` are those of frame t. Adds ξ_t to `counts`, in the order of the packed weights.
  void backward(const Real* scores, const uint8_t* previous_alpha, double* counts) {
    const auto& kernels = kernels_of<Real>();
    kernels.linear_emit(model_, emissions_.at(scores), constant(beta_), emitted_.row());
    if (counts != nullptr) {
      kernels.count(model_, extras_, layout_.row(previous_alpha), constant(emitted_),
                    {total_.mantissa, total_.exponent}, counts);
    }
    kernels.linear_backward(model_, constant(emitted_), beta_.row());
  }

 private:
  static constexpr Real kNever = -std::numeric_limits<Real>::infinity();

  static ConstScaledRow<Real> constant(const NumberRow<Real>& numbers) { return numbers.row(); }

  // Whether every arc of the band weighs 0 or −inf.
  static bool masks_suffice(const LinearGraph<Real>& graph) {
    const auto suffices = [](const Real* weights, int32_t count) {
      return std::all_of(weights, weights + std::max(count, 0), [](Real w) { return w == 0 || w == kNever; });
    };
    return suffices(graph.stay, graph.states) && suffices(graph.advance, graph.states - 1) &&
           (graph.skip == nullptr || suffices(graph.skip, graph.states - 2));
  }

  void set_masks() {
    entering_ = Buffer<BandMask>(linear_groups(states_), BandMask{});
    leaving_ = Buffer<BandMask>(linear_groups(states_), BandMask{});
    for (int32_t i = 0; i < states_; ++i) {
      set_bit(stay_, i, 0, &BandMask::stay);
      set_bit(advance_, i, 1, &BandMask::advance);
      set_bit(skip_, i, 2, &BandMask::skip);
    }
    model_.entering = entering_.data();
    model_.leaving = leaving_.data();
  }

  void set_bit(const NumberRow<Real>& weight, int32_t source, int32_t step, uint16_t BandMask::* kind) {
    if (weight[source].is_zero()) return;
    const int32_t target = source + step;
    leaving_[source / kGroup].*kind |= static_cast<uint16_t>(1u << source % kGroup);
    entering_[target / kGroup].*kind |= static_cast<uint16_t>(1u << target % kGroup);
  }

  int32_t states_;
  RowLayout<Real> layout_;
  Buffer<int32_t> pdf_;
  Buffer<uint8_t> narrow_pdf_;
  EmissionRows<Real> emissions_;
  NumberRow<Real> initial_, final_, stay_, advance_, skip_, extra_;
  Buffer<int32_t> source_, target_;
  ExtraLayers<Real> into_, out_of_;
  NumberRow<Real> beta_, emitted_;
  Buffer<BandMask> entering_, leaving_;
  ExtraArcs<Real> extras_{};
  LinearSums<Real> model_{};
  Number total_{};
};

}  // namespace streamhmm
