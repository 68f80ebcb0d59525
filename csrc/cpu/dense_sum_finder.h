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

#include "checkpoints.h"
#include "dense_backward.h"
#include "dense_probabilities.h"
#include "sequence_tile.h"
#include "sum_targets.h"

namespace streamhmm {

template <class Real, class Out>
class DenseSumFinder {
 public:
  DenseSumFinder(const DenseModel<Real>& model, const SequenceTile<Real>& tile, int64_t budget, bool forward_only)
      : model_(model),
        states_(model.graph().states),
        tile_(tile),
        forward_only_(forward_only),
        row_(model.row()),
        segment_(forward_only ? std::min<int64_t>(tile.frames(), kRolling)
                              : segment_frames(tile.frames(), 2 * tile.count() * row_bytes(),
                                               tile.count() * row_bytes(), budget)),
        segments_((tile.frames() + segment_ - 1) / segment_),
        alpha_(tile.count() * (segment_ + 1) * row_),
        emission_(tile.count() * segment_ * row_),
        saved_(forward_only ? 0 : tile.count() * segments_ * row_),
        top_(tile.count() * kBlock),
        exponent_(tile.count() * kBlock) {}

  // Fills the log-likelihoods; false if they may be wrong, or a score is NaN or +inf.
  bool log_likelihoods(double* result) {
    std::fill_n(result, tile_.count(), model_.initial_top() + model_.final_top());
    for (int64_t s = 0; s < segments_; ++s) {
      if (s > 0) save(s);
      if (!fill_segment(s, result)) return false;
    }
    return true;
  }

  // After log_likelihoods. False if the results may be wrong; they may be filled in part then.
  bool posteriors(const Targets<Out>* to) {
    DenseBackward<Real, Out> backward(model_, tile_[0].columns, to, tile_.count(), kLeastExponent);
    for (int64_t s = segments_ - 1; s >= 0; --s) {
      if (s < segments_ - 1) refill(s);
      for (int64_t end = begin(s + 1); end > begin(s);) {
        const int64_t t = return_begin(end - 1, s);
        if (!go_back(backward, t, end, s)) return false;
        end = t;
      }
    }
    for (int q = 0; q < tile_.count(); ++q) backward.finish(q);
    return true;
  }

 private:
  static constexpr int64_t kRolling = 16;  // rows kept when nothing has to come back
  static constexpr int64_t kBlock = 16;    // frames whose emissions are made at once
  static constexpr int32_t kLeastExponent = sizeof(Real) == sizeof(float) ? -40 : -400;
  static constexpr Real kFaint = sizeof(Real) == sizeof(float) ? Real(0x1p-90) : Real(0x1p-900);

  // A row's smallest value before it was scaled.
  Real faintest(const Real* row, int32_t exponent) const {
    return std::ldexp(kernels_of<Real>().lowest(row, states_), exponent);
  }
  static Real least() { return std::ldexp(Real(1), kLeastExponent); }

  int64_t row_bytes() const { return row_ * static_cast<int64_t>(sizeof(Real)); }
  int64_t begin(int64_t s) const { return std::min(s * segment_, tile_.frames()); }
  Real* alpha(int q, int64_t t, int64_t s) { return alpha_.data() + (q * (segment_ + 1) + t - begin(s) + 1) * row_; }
  int32_t* exponent(int q, int64_t t, int64_t s) { return exponent_.data() + q * kBlock + (t - begin(s)) % kBlock; }
  Real* emission(int q, int64_t t, int64_t s) { return emission_.data() + (q * segment_ + t - begin(s)) * row_; }

  // The run that begins with frame t ends before this one: emissions are there, and no sequence ends within.
  int64_t run_end(int64_t t, int64_t s) const {
    if (t == 0 || model_.ahead().varies()) return t + 1;
    const int64_t block = begin(s) + ((t - begin(s)) / kBlock + 1) * kBlock;
    return std::min({block, begin(s + 1), tile_.same_until(t)});
  }
  // The first frame of the run that ends with frame t on the way back.
  int64_t return_begin(int64_t t, int64_t s) const {
    if (model_.back().varies()) return t;
    return std::max({begin(s), t - DenseBackward<Real, Out>::kMostFrames + 1, tile_.same_from(t)});
  }

  void save(int64_t s) {
    for (int q = 0; q < tile_.active(begin(s)); ++q) {
      const Real* last = alpha(q, begin(s) - 1, s - 1);
      if (!forward_only_) std::copy_n(last, row_, saved_.data() + (q * segments_ + s) * row_);
      std::copy_n(last, row_, alpha(q, begin(s) - 1, s));
    }
  }

  // `result`: the log-likelihoods to add to, or null where α̂ is only wanted again.
  bool fill_segment(int64_t s, double* result) {
    for (int64_t t = begin(s); t < begin(s + 1);) {
      emit(t, s);
      const int64_t end = run_end(t, s);
      const double weighed = t > 0 ? step_forward(t, end, s) : start();
      for (int q = 0; q < tile_.active(t); ++q) {
        if (!right(q, t, end, s)) return false;
        if (result != nullptr && !add_up(q, t, end, s, weighed, result[q])) return false;
      }
      t = end;
    }
    return true;
  }

  void refill(int64_t s) {
    for (int q = 0; s > 0 && q < tile_.active(begin(s)); ++q) {
      std::copy_n(saved_.data() + (q * segments_ + s) * row_, row_, alpha(q, begin(s) - 1, s));
    }
    fill_segment(s, nullptr);
  }

  // Frames t … end−1 are of one run.
  bool go_back(DenseBackward<Real, Out>& backward, int64_t t, int64_t end, int64_t s) {
    Real* alphas[kDenseTile];
    Real* emissions[kDenseTile];
    for (int q = 0; q < tile_.active(t); ++q) {
      if (end == tile_[q].frames) backward.start(q);
      alphas[q] = alpha(q, t, s);
      emissions[q] = emission(q, t, s);
    }
    return backward.run(t, end - t, tile_.active(t), alphas, emissions);
  }

  // Emissions of frame t and those behind it, a block of frames at a time. Where a score is NaN or +inf, so is the sum.
  void emit(int64_t t, int64_t s) {
    if ((t - begin(s)) % kBlock != 0) return;
    for (int q = 0; q < tile_.active(t); ++q) {
      const int64_t end = std::min({begin(s + 1), tile_[q].frames, t + kBlock});
      const Real* scores = tile_.scores(q, t);
      const DenseEmissions<Real> block{states_,           model_.pdfs(),           scores, tile_[q].stride, end - t,
                                       emission(q, t, s), top_.data() + q * kBlock};
      kernels_of<Real>().dense_emissions(block);
    }
  }

  // α̂ of frame 0.
  double start() {
    for (int q = 0; q < tile_.count(); ++q) {
      std::copy_n(model_.initial(), row_, alpha(q, 0, 0));
      *exponent(q, 0, 0) = kernels_of<Real>().scale_row(alpha(q, 0, 0), emission(q, 0, 0), states_);
    }
    checks_faintest_ = forward_only_ && !connected();
    return 0;
  }
  // Whether every transition of any step weighs enough.
  bool connected() { return !model_.ahead().varies() && model_.ahead().step_to(0, step_).connected(least()); }

  // α̂ of frames t … end−1, of one run; returns the logarithm by which each step's transitions were divided.
  double step_forward(int64_t t, int64_t end, int64_t s) {
    const StepProbabilities<Real>& step = model_.ahead().step_to(t, step_);
    DenseProduct<Real> d{};
    d.states = states_;
    d.frames = end - t;
    d.panels = step.panels.data();
    d.sequences = tile_.active(t);
    for (int q = 0; q < d.sequences; ++q) {
      d.row[q] = alpha(q, t - 1, s);
      d.factors[q] = emission(q, t, s);
      d.out[q] = alpha(q, t, s);
      d.exponent[q] = exponent(q, t, s);
    }
    kernels_of<Real>().dense_product(d);
    return step.top;
  }

  bool right(int q, int64_t t, int64_t end, int64_t s) {
    const int32_t* shrunk = exponent(q, t, s);
    bool result = true;
    for (int64_t i = 0; i < end - t; ++i) {
      result &= shrunk[i] >= kLeastExponent;
      result &= !checks_faintest_ || faintest(alpha(q, t + i, s), shrunk[i]) >= kFaint;
    }
    return result;
  }

  // Adds the part of frames t … end−1 to a log-likelihood. False if it may be wrong.
  bool add_up(int q, int64_t t, int64_t end, int64_t s, double weighed, double& result) {
    const int32_t* shrunk = exponent(q, t, s);
    const double* top = top_.data() + q * kBlock + (t - begin(s)) % kBlock;
    for (int64_t i = 0; i < end - t; ++i) result += top[i] + shrunk[i] * kLogOfTwo + weighed;
    if (end < tile_[q].frames) return true;
    const Real last = kernels_of<Real>().inner_product(alpha(q, end - 1, s), model_.final(), states_);
    result += std::log(static_cast<double>(last));
    return last >= least();
  }

  static constexpr double kLogOfTwo = 0.693147180559945309417;

  const DenseModel<Real>& model_;
  int32_t states_;
  const SequenceTile<Real>& tile_;
  bool forward_only_;
  int64_t row_;
  int64_t segment_;
  int64_t segments_;
  bool checks_faintest_ = false;
  StepProbabilities<Real> step_;  // the step at hand, where transitions vary
  Buffer<Real> alpha_, emission_, saved_;
  Buffer<double> top_;        // of the block's emissions
  Buffer<int32_t> exponent_;  // by which the block's rows were scaled
};

}  // namespace streamhmm
