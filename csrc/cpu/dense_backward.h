// DenseBackward: the backward row of each sequence of a tile, with the posteriors and counts that it gives together
// with a forward row.
#pragma once

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <vector>

#include "dense_counts.h"
#include "dense_probabilities.h"
#include "dense_transitions.h"
#include "sum_targets.h"

namespace streamhmm {

template <class Real, class Out>
class DenseBackward {
 public:
  DenseBackward(const DenseGraph<Real>& graph, int64_t columns, const Targets<Out>* to, int count,
                int32_t least_exponent)
      : graph_(graph),
        to_(to),
        columns_(columns),
        least_exponent_(least_exponent),
        least_(std::ldexp(Real(1), least_exponent)),
        own_columns_(DensePdfs(graph.pdf, graph.states).data() == nullptr),
        row_(dense_row_size(graph.states)),
        back_(graph, true),
        beta_(count * row_, Real(0)),
        emitted_(count * row_, Real(0)),
        emitted_ahead_(row_, Real(0)),
        gamma_(row_),
        shrunk_(count, Real(1)),
        counts_(count) {
    for (int q = 0; q < count; ++q) {
      if (to[q].counts != nullptr && graph.slices == 0) counts_[q] = DenseCounts<Real>(graph.states);
    }
  }

  void start(int q, const Real* final) { std::copy_n(final, row_, beta(q)); }

  // Results of frame t from its α̂; `last`: it is the sequence's last. False if they may be wrong.
  bool meet(int q, int64_t t, bool last, const Real* alpha, const Real* emission) {
    const Targets<Out>& to = to_[q];
    if (to.counts != nullptr && !last) std::copy_n(emitted(q), row_, emitted_ahead_.data());
    const Real scale = to.by_state != nullptr ? Real(1) : static_cast<Real>(to.by_pdf_scale);
    DenseMeeting<Real> d{graph_.states, alpha, beta(q), emission, scale, gamma_row(to, t), emitted(q), 0};
    kernels_of<Real>().dense_meet(d);
    if (!(d.sum >= least_)) return false;
    deliver(to, t, d.gamma);
    if (to.counts != nullptr) count(q, t, last, alpha, d.sum);
    return true;
  }

  // β̂_t → β̂_{t−1} for the tile's first `active` sequences. False if it may be wrong.
  bool step(int64_t t, int active) {
    DenseProduct<Real> d{};
    d.states = graph_.states;
    d.panels = back_.step_to(t);
    d.sequences = active;
    for (int q = 0; q < active; ++q) {
      d.rows[q] = emitted(q);
      d.out[q] = beta(q);
    }
    kernels_of<Real>().dense_product(d);
    bool right = true;
    for (int q = 0; q < active; ++q) {
      right &= d.exponent[q] >= least_exponent_;
      shrunk_[q] = std::ldexp(Real(1), -std::max(d.exponent[q], least_exponent_));
    }
    return right;
  }

  // After frame 0.
  void finish(int q) {
    if (to_[q].counts != nullptr && graph_.slices == 0) counts_[q].deliver(back_.matrix(), to_[q].counts);
  }

 private:
  Real* beta(int q) { return beta_.data() + q * row_; }
  Real* emitted(int q) { return emitted_.data() + q * row_; }

  // γ goes straight to where it is wanted, if it can.
  Real* gamma_row(const Targets<Out>& to, int64_t t) {
    if constexpr (std::is_same_v<Real, Out>) {
      if (to.by_state != nullptr) return to.by_state + t * to.states_wide;
      if (to.by_pdf != nullptr && own_columns_) return to.by_pdf + t * columns_;
    }
    return gamma_.data();
  }

  void deliver(const Targets<Out>& to, int64_t t, const Real* gamma) const {
    if (to.by_state != nullptr) {
      Out* out = to.by_state + t * to.states_wide;
      for (int32_t j = 0; static_cast<void*>(out) != gamma && j < graph_.states; ++j)
        out[j] = static_cast<Out>(gamma[j]);
    }
    if (to.by_pdf == nullptr) return;
    Out* out = to.by_pdf + t * columns_;
    if (static_cast<void*>(out) == gamma) {
      std::fill(out + graph_.states, out + columns_, Out(0));
      return;
    }
    std::fill_n(out, columns_, Out(0));
    for (int32_t j = 0; j < graph_.states; ++j) out[graph_.pdf[j]] += static_cast<Out>(gamma[j]);
  }

  // ξ of the step into frame t + 1, and γ at the ends.
  void count(int q, int64_t t, bool last, const Real* alpha, Real sum) {
    const int64_t states = graph_.states;
    double* initial = to_[q].counts + std::max<int64_t>(graph_.slices, 1) * states * states;
    double* final = initial + states;
    if (!last) count_step(q, t + 1, alpha, shrunk_[q] / sum);
    const auto gamma = [&](int32_t j) { return static_cast<double>(alpha[j] * beta(q)[j] / sum); };
    for (int32_t j = 0; t == 0 && j < states; ++j) initial[j] += gamma(j);
    for (int32_t j = 0; last && j < states; ++j) final[j] += gamma(j);
  }

  void count_step(int q, int64_t frame, const Real* alpha, Real share) {
    const Real* emitted = emitted_ahead_.data();
    if (graph_.slices == 0) return counts_[q].add(alpha, share, emitted);
    const int64_t states = graph_.states;
    double* counts = to_[q].counts + frame * states * states;
    const Real* matrix = back_.matrix();
    for (int64_t i = 0; i < states; ++i) {
      for (int64_t j = 0; j < states; ++j) {
        counts[i * states + j] += static_cast<double>(alpha[i] * share * matrix[i * states + j] * emitted[j]);
      }
    }
  }

  DenseGraph<Real> graph_;
  const Targets<Out>* to_;
  int64_t columns_;
  int32_t least_exponent_;
  Real least_;
  bool own_columns_;  // state s emits column s
  int64_t row_;
  DenseProbabilities<Real> back_;
  Buffer<Real> beta_, emitted_, emitted_ahead_, gamma_;
  Buffer<Real> shrunk_;  // what the last step into β̂ was multiplied by
  std::vector<DenseCounts<Real>> counts_;
};

}  // namespace streamhmm
