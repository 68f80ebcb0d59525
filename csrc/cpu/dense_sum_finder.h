// DenseSumFinder: forward and backward on a dense graph for a tile of sequences, in the probability domain.
//
// Rows are scaled by powers of two, so that the largest α̂, β̂ of a row lie in [1, 2). What underflows is below 2^−126 of
// that (2^−1022 in double). It can have mattered only if a row shrank much before it was scaled, or if α̂ and β̂ hardly
// overlap: with both factors above 2^−40 (2^−400), what a frame has lost is at most S² · 2^−46 (2^−222) of the
// total. Otherwise the results are refused, and the caller takes numbers of a wider range. Without the backward pass
// the overlap is not known. Then either every transition weighs at least 2^−40 (2^−400) of the heaviest, so that no
// state's future differs by more from that of the row's largest; or every α̂ was well within the range before scaling.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "checkpoints.h"
#include "dense_backward.h"
#include "dense_probabilities.h"
#include "dense_transitions.h"
#include "sum_targets.h"

namespace streamhmm {

template <class Real, class Out>
class DenseSumFinder {
 public:
  // `scores` of up to kDenseTile sequences, the longest first, none empty.
  DenseSumFinder(const DenseGraph<Real>& graph, const ScoreRows<Real>* scores, int count, int64_t budget,
                 bool forward_only)
      : graph_(graph),
        scores_(scores),
        count_(count),
        forward_only_(forward_only),
        row_(dense_row_size(graph.states)),
        pdfs_(graph.pdf, graph.states),
        ahead_(graph, false),
        checks_faintest_(forward_only && (graph.slices > 0 || !ahead_.connected(least()))),
        segment_(forward_only ? std::min<int64_t>(scores[0].frames, kRolling)
                              : segment_frames(scores[0].frames, 2 * count * row_bytes(), count * row_bytes(), budget)),
        segments_((scores[0].frames + segment_ - 1) / segment_),
        alpha_(count * (segment_ + 1) * row_, Real(0)),
        emission_(count * segment_ * row_),
        saved_(forward_only ? 0 : count * segments_ * row_),
        ends_(2 * row_, Real(0)),
        top_(count * kBlock),
        shrunk_(count) {
    initial_top_ = load_end(graph.initial, ends_.data());
    final_top_ = load_end(graph.final, ends_.data() + row_);
  }

  // Fills the log-likelihoods; false if they may be wrong, or a score is NaN or +inf.
  bool log_likelihoods(double* result) {
    std::fill_n(result, count_, initial_top_ + final_top_);
    for (int64_t s = 0; s < segments_; ++s) {
      if (s > 0) save(s);
      if (!fill_segment(s, result)) return false;
    }
    return true;
  }

  // After log_likelihoods. False if the results may be wrong; they may be filled in part then.
  bool posteriors(const Targets<Out>* to) {
    DenseBackward<Real, Out> backward(graph_, scores_[0].columns, to, count_, kLeastExponent);
    for (int64_t s = segments_ - 1; s >= 0; --s) {
      if (s < segments_ - 1) refill(s);
      for (int64_t t = begin(s + 1) - 1; t >= begin(s); --t) {
        if (!step_backward(backward, t, s)) return false;
      }
    }
    for (int q = 0; q < count_; ++q) backward.finish(q);
    return true;
  }

 private:
  static constexpr int64_t kRolling = 16;  // rows kept when nothing has to come back
  static constexpr int64_t kBlock = 16;    // frames whose emissions are made at once
  static constexpr int32_t kLeastExponent = sizeof(Real) == sizeof(float) ? -40 : -400;
  static constexpr Real kFaint = sizeof(Real) == sizeof(float) ? Real(0x1p-90) : Real(0x1p-900);

  // A row's smallest value before it was scaled.
  Real faintest(const Real* row, int32_t exponent) const {
    return std::ldexp(kernels_of<Real>().lowest(row, graph_.states), exponent);
  }
  static Real least() { return std::ldexp(Real(1), kLeastExponent); }

  int64_t row_bytes() const { return row_ * static_cast<int64_t>(sizeof(Real)); }
  int64_t begin(int64_t s) const { return std::min(s * segment_, scores_[0].frames); }
  int active(int64_t t) const {
    int q = count_;
    while (q > 0 && scores_[q - 1].frames <= t) --q;
    return q;
  }
  Real* alpha(int q, int64_t t, int64_t s) { return alpha_.data() + (q * (segment_ + 1) + t - begin(s) + 1) * row_; }
  Real* emission(int q, int64_t t, int64_t s) { return emission_.data() + (q * segment_ + t - begin(s)) * row_; }
  const Real* final() const { return ends_.data() + row_; }

  double load_end(const Real* weights, Real* out) const {
    const Real top = *std::max_element(weights, weights + graph_.states);
    const Real usable = top == -std::numeric_limits<Real>::infinity() ? Real(0) : top;
    kernels_of<Real>().exponentials_below(weights, usable, graph_.states, out);
    return static_cast<double>(usable);
  }

  void save(int64_t s) {
    for (int q = 0; q < active(begin(s)); ++q) {
      const Real* last = alpha(q, begin(s) - 1, s - 1);
      if (!forward_only_) std::copy_n(last, row_, saved_.data() + (q * segments_ + s) * row_);
      std::copy_n(last, row_, alpha(q, begin(s) - 1, s));
    }
  }

  // `result`: the log-likelihoods to add to, or null where α̂ is only wanted again.
  bool fill_segment(int64_t s, double* result) {
    for (int64_t t = begin(s); t < begin(s + 1); ++t) {
      if (!emit(t, s) || !step_forward(t, s)) return false;
      if (result != nullptr && !add_up(t, s, result)) return false;
    }
    return true;
  }

  void refill(int64_t s) {
    for (int q = 0; s > 0 && q < active(begin(s)); ++q) {
      std::copy_n(saved_.data() + (q * segments_ + s) * row_, row_, alpha(q, begin(s) - 1, s));
    }
    fill_segment(s, nullptr);
  }

  bool step_backward(DenseBackward<Real, Out>& backward, int64_t t, int64_t s) {
    for (int q = 0; q < active(t); ++q) {
      const bool last = t == scores_[q].frames - 1;
      if (last) backward.start(q, final());
      if (!backward.meet(q, t, last, alpha(q, t, s), emission(q, t, s))) return false;
    }
    return t == 0 || backward.step(t, active(t));
  }

  // Emissions of frame t and those behind it, a block of frames at a time. False if a score is NaN or +inf.
  bool emit(int64_t t, int64_t s) {
    const int64_t from_begin = t - begin(s);
    if (from_begin % kBlock != 0) return true;
    for (int q = 0; q < active(t); ++q) {
      const int64_t end = std::min({begin(s + 1), scores_[q].frames, t + kBlock});
      const Real* scores = scores_[q].data + t * scores_[q].stride;
      const DenseEmissions<Real> block{
          graph_.states, pdfs_.data(), scores, scores_[q].stride, end - t, emission(q, t, s), top_.data() + q * kBlock};
      if (kernels_of<Real>().dense_emissions(block)) return false;
    }
    return true;
  }

  bool step_forward(int64_t t, int64_t s) {
    DenseProduct<Real> d{};
    d.states = graph_.states;
    d.sequences = active(t);
    for (int q = 0; q < d.sequences; ++q) {
      d.rows[q] = alpha(q, t - 1, s);
      d.factors[q] = emission(q, t, s);
      d.out[q] = alpha(q, t, s);
    }
    if (t > 0) {
      d.panels = ahead_.step_to(t);
      kernels_of<Real>().dense_product(d);
    }
    bool right = true;
    for (int q = 0; q < d.sequences; ++q) {
      if (t == 0) {
        std::copy_n(ends_.data(), row_, d.out[q]);
        d.exponent[q] = kernels_of<Real>().scale_row(d.out[q], d.factors[q], graph_.states);
      }
      right &= d.exponent[q] >= kLeastExponent;
      right &= !checks_faintest_ || faintest(d.out[q], d.exponent[q]) >= kFaint;
      shrunk_[q] = d.exponent[q];
    }
    return right;
  }

  // Adds frame t's part to the log-likelihoods. False if they may be wrong.
  bool add_up(int64_t t, int64_t s, double* result) {
    bool right = true;
    for (int q = 0; q < active(t); ++q) {
      result[q] += top_[q * kBlock + (t - begin(s)) % kBlock] + shrunk_[q] * kLogOfTwo + (t > 0 ? ahead_.top() : 0.0);
      if (t < scores_[q].frames - 1) continue;
      const Real end = kernels_of<Real>().inner_product(alpha(q, t, s), final(), graph_.states);
      result[q] += std::log(static_cast<double>(end));
      right &= end >= least();
    }
    return right;
  }

  static constexpr double kLogOfTwo = 0.693147180559945309417;

  DenseGraph<Real> graph_;
  const ScoreRows<Real>* scores_;
  int count_;
  bool forward_only_;
  int64_t row_;
  DensePdfs pdfs_;
  DenseProbabilities<Real> ahead_;
  bool checks_faintest_;
  int64_t segment_;
  int64_t segments_;
  Buffer<Real> alpha_, emission_, saved_, ends_;
  Buffer<double> top_;      // of the block's emissions
  Buffer<int32_t> shrunk_;  // exponents by which the last step was scaled
  double initial_top_ = 0, final_top_ = 0;
};

}  // namespace streamhmm
