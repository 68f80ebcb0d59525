// DenseBackward: the backward rows of a tile of sequences, with the posteriors and counts that they give together with
// the forward rows, a run of frames at a time.
#pragma once

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <vector>

#include "dense_counts.h"
#include "dense_probabilities.h"
#include "sum_targets.h"

namespace streamhmm {

template <class Real, class Out>
class DenseBackward {
 public:
  static constexpr int64_t kMostFrames = 16;  // in a run

  DenseBackward(const DenseModel<Real>& model, int64_t columns, const Targets<Out>* to, int count,
                int32_t least_exponent)
      : model_(model),
        graph_(model.graph()),
        to_(to),
        columns_(columns),
        least_exponent_(least_exponent),
        least_(std::ldexp(Real(1), least_exponent)),
        row_(model.row()),
        beta_(count * row_, Real(0)),
        emitted_(count * kRows * row_),
        gamma_(count * kMostFrames * row_),
        sum_(count * kMostFrames),
        exponent_(count * kRows),
        counts_(count) {
    for (int q = 0; q < count; ++q) {
      if (to[q].counts != nullptr && graph_.slices == 0) counts_[q] = DenseCounts<Real>(graph_.states);
    }
  }

  // Before the run that sequence q ends with.
  void start(int q) {
    std::copy_n(model_.final(), row_, beta(q));
    starts_[q] = true;
  }

  // Results of frames t … t + frames − 1 of the tile's first `active` sequences from their α̂ and emissions, and β̂ of
  // the frame before. False if they may be wrong.
  bool run(int64_t t, int64_t frames, int active, Real* const* alpha, Real* const* emission) {
    for (int q = 0; q < active; ++q) {
      if (to_[q].counts != nullptr) keep_last(q, frames);
    }
    const DenseReturn<Real> d = describe(t, frames, active, alpha, emission);
    kernels_of<Real>().dense_return(d);
    for (int q = 0; q < active; ++q) {
      if (!right(q, d)) return false;
      deliver(to_[q], t, d, q);
      if (to_[q].counts != nullptr) count(q, t, d);
      starts_[q] = false;
    }
    return true;
  }

  // After frame 0.
  void finish(int q) {
    if (to_[q].counts == nullptr || graph_.slices > 0) return;
    counts_[q].deliver(step_to(0).matrix.data(), to_[q].counts);
  }

 private:
  static constexpr int64_t kRows = kMostFrames + 1;  // behind a run's own stands the one that came after it

  Real* beta(int q) { return beta_.data() + q * row_; }
  Real* emitted(int q) { return emitted_.data() + q * kRows * row_; }
  Real* sum(int q) { return sum_.data() + q * kMostFrames; }
  int32_t* exponent(int q) { return exponent_.data() + q * kRows; }

  // Where transitions vary, the one into the frame before stays.
  const StepProbabilities<Real>& step_to(int64_t t) { return model_.back().step_to(t, step_[t % 2]); }

  double* initial_counts(int q) const {
    return to_[q].counts + std::max<int64_t>(graph_.slices, 1) * graph_.states * graph_.states;
  }

  // A run for the kernel.
  DenseReturn<Real> describe(int64_t t, int64_t frames, int active, Real* const* alpha, Real* const* emission) {
    DenseReturn<Real> d{};
    d.states = graph_.states;
    d.frames = frames;
    d.open = t == 0 ? 1 : 0;
    d.panels = step_to(t).panels.data();
    d.sequences = active;
    for (int q = 0; q < active; ++q) {
      const Targets<Out>& to = to_[q];
      d.alpha[q] = alpha[q];
      d.emission[q] = emission[q];
      d.beta[q] = beta(q);
      d.emitted[q] = emitted(q);
      d.scale[q] = to.by_state != nullptr ? Real(1) : static_cast<Real>(to.by_pdf_scale);
      d.gamma[q] = direct_gamma(to, t, d.gamma_stride[q]);
      if (d.gamma[q] == nullptr) {
        d.gamma[q] = gamma_.data() + q * kMostFrames * row_;
        d.gamma_stride[q] = row_;
      }
      d.sum[q] = sum(q);
      d.exponent[q] = exponent(q);
    }
    return d;
  }

  // The first row of the last run becomes what comes after this one.
  void keep_last(int q, int64_t frames) {
    std::copy_n(emitted(q), row_, emitted(q) + frames * row_);
    exponent(q)[frames] = exponent(q)[0];
  }

  // Where γ goes straight to, or null.
  Real* direct_gamma(const Targets<Out>& to, int64_t t, int64_t& stride) const {
    if constexpr (std::is_same_v<Real, Out>) {
      if (to.by_state != nullptr) {
        stride = to.states_wide;
        return to.by_state + t * stride;
      }
      if (to.by_pdf != nullptr && model_.pdfs() == nullptr) {
        stride = columns_;
        return to.by_pdf + t * stride;
      }
    }
    return nullptr;
  }

  bool right(int q, const DenseReturn<Real>& d) const {
    bool result = true;
    for (int64_t i = 0; i < d.frames; ++i) {
      result &= d.sum[q][i] >= least_;
      result &= i < d.open || d.exponent[q][i] >= least_exponent_;
    }
    return result;
  }

  void deliver(const Targets<Out>& to, int64_t t, const DenseReturn<Real>& d, int q) const {
    for (int64_t i = 0; i < d.frames; ++i) {
      const Real* gamma = d.gamma[q] + i * d.gamma_stride[q];
      if (to.by_state != nullptr) deliver_states(gamma, to.by_state + (t + i) * to.states_wide);
      if (to.by_pdf != nullptr) deliver_pdfs(gamma, to.by_pdf + (t + i) * columns_);
    }
  }
  void deliver_states(const Real* gamma, Out* out) const {
    if (static_cast<const void*>(out) == gamma) return;
    for (int32_t j = 0; j < graph_.states; ++j) out[j] = static_cast<Out>(gamma[j]);
  }
  void deliver_pdfs(const Real* gamma, Out* out) const {
    if (static_cast<const void*>(out) == gamma) {
      std::fill(out + graph_.states, out + columns_, Out(0));
      return;
    }
    std::fill_n(out, columns_, Out(0));
    for (int32_t j = 0; j < graph_.states; ++j) out[graph_.pdf[j]] += static_cast<Out>(gamma[j]);
  }

  // ξ of the steps out of the run's frames, and γ at both ends.
  void count(int q, int64_t t, const DenseReturn<Real>& d) {
    for (int64_t i = d.frames - 1; i >= 0; --i) {
      const Real* alpha = d.alpha[q] + i * row_;
      if (starts_[q] && i == d.frames - 1) {
        count_end(alpha, model_.final(), d.sum[q][i], initial_counts(q) + graph_.states);
      } else {
        const Real shrunk = std::ldexp(Real(1), -std::max(exponent(q)[i + 1], least_exponent_));
        count_step(q, t + i + 1, alpha, shrunk / d.sum[q][i], emitted(q) + (i + 1) * row_);
      }
    }
    if (t == 0) count_end(d.alpha[q], beta(q), d.sum[q][0], initial_counts(q));
  }

  void count_end(const Real* alpha, const Real* beta, Real sum, double* out) const {
    for (int32_t j = 0; j < graph_.states; ++j) out[j] += static_cast<double>(alpha[j] * beta[j] / sum);
  }

  void count_step(int q, int64_t frame, const Real* alpha, Real share, const Real* emitted) {
    if (graph_.slices == 0) return counts_[q].add(alpha, share, emitted);
    const int64_t states = graph_.states;
    double* counts = to_[q].counts + frame * states * states;
    const Real* matrix = step_to(frame).matrix.data();
    for (int64_t i = 0; i < states; ++i) {
      for (int64_t j = 0; j < states; ++j) {
        counts[i * states + j] += static_cast<double>(alpha[i] * share * matrix[i * states + j] * emitted[j]);
      }
    }
  }

  const DenseModel<Real>& model_;
  const DenseGraph<Real>& graph_;
  const Targets<Out>* to_;
  int64_t columns_;
  int32_t least_exponent_;
  Real least_;
  int64_t row_;
  StepProbabilities<Real> step_[2];
  Buffer<Real> beta_, emitted_, gamma_, sum_;
  Buffer<int32_t> exponent_;
  bool starts_[kDenseTile] = {};
  std::vector<DenseCounts<Real>> counts_;
};

}  // namespace streamhmm
