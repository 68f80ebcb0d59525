// The driver of sampling: rows forward, then every sample one frame back at a time.
#include "../sample.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "forward_rows.h"
#include "incoming_arcs.h"
#include "sequences.h"
#include "with_summer.h"

namespace streamhmm {
namespace {

constexpr double kImpossible = -std::numeric_limits<double>::infinity();

// Choices with logarithms of their shares, and the draw among them.
class Urn {
 public:
  explicit Urn(int64_t most) : share_(most) {}

  void clear() {
    count_ = 0;
    top_ = kImpossible;
  }
  void put(double log_share) {
    share_[count_++] = log_share;
    top_ = std::max(top_, log_share);
  }

  // The first choice whose cumulative share exceeds `uniform` of the whole; some choice must be possible.
  int64_t draw(double uniform) {
    double total = 0;
    for (int64_t k = 0; k < count_; ++k) total += share_[k] = std::exp(share_[k] - top_);
    double left = uniform * total;
    int64_t chosen = 0;
    for (int64_t k = 0; k < count_; ++k) {
      if (share_[k] == 0) continue;
      chosen = k;  // the last possible one where rounding leaves a rest
      left -= share_[k];
      if (left < 0) break;
    }
    return chosen;
  }

 private:
  Buffer<double> share_;
  int64_t count_ = 0;
  double top_ = kImpossible;
};

template <class Summer, class Real>
class Sampler {
 public:
  Sampler(Summer& summer, const Sequence<Real>& sequence, const Samples& result, int64_t frames_wide)
      : summer_(summer),
        sequence_(sequence),
        arcs_(sequence.record, sequence.weights),
        urn_(std::max<int64_t>(arcs_.most(), sequence.record.states)),
        samples_(result.samples),
        width_(frames_wide) {
    const int64_t offset = sequence.index * samples_ * width_;
    states_ = result.states + offset;
    uniforms_ = result.uniforms + offset;
  }

  void draw() {
    ForwardRows<Summer, Real> rows(summer_, sequence_.scores, sequence_.budget);
    const uint8_t* last = rows.run();
    if (!(summer_.finish(last) > kImpossible)) return;
    const int64_t end = sequence_.scores.frames - 1;
    for (int64_t n = 0; n < samples_; ++n) states_[n * width_ + end] = draw_last(last, uniforms_[n * width_ + end]);
    rows.backwards([&](int64_t t, const uint8_t*, const uint8_t* previous) {
      for (int64_t n = 0; t > 0 && n < samples_; ++n) {
        const int64_t here = n * width_ + t;
        states_[here - 1] = draw_source(previous, static_cast<int32_t>(states_[here]), uniforms_[here - 1]);
      }
    });
  }

 private:
  int32_t draw_last(const uint8_t* alpha, double uniform) {
    const Real* final =
        sequence_.weights + sequence_.record.weights_offset + sequence_.record.weights_size - sequence_.record.states;
    urn_.clear();
    for (int32_t j = 0; j < sequence_.record.states; ++j) {
      urn_.put(summer_.log_alpha(alpha, j) + static_cast<double>(final[j]));
    }
    return static_cast<int32_t>(urn_.draw(uniform));
  }

  int32_t draw_source(const uint8_t* alpha, int32_t state, double uniform) {
    urn_.clear();
    for (const IncomingArc* arc = arcs_.begin(state); arc != arcs_.end(state); ++arc) {
      urn_.put(summer_.log_alpha(alpha, arc->source) + arc->weight);
    }
    return arcs_.begin(state)[urn_.draw(uniform)].source;
  }

  Summer& summer_;
  const Sequence<Real>& sequence_;
  IncomingArcs arcs_;
  Urn urn_;
  int64_t samples_;
  int64_t width_;
  int64_t* states_;
  const double* uniforms_;
};

template <class Real>
InvalidScore sample_batch(const Batch& batch, const Samples& result) {
  std::fill_n(result.states, batch.batch * result.samples * batch.frames, int64_t{-1});
  return for_each_sequence<Real>(batch, [&](const Sequence<Real>& sequence) {
    with_summer(sequence.record, sequence.scores, sequence.weights, sequence.columns, [&](auto& summer) {
      Sampler<std::decay_t<decltype(summer)>, Real>(summer, sequence, result, batch.frames).draw();
    });
  });
}

}  // namespace

InvalidScore sample(const Batch& batch, const Samples& result) {
  return batch.is_double ? sample_batch<double>(batch, result) : sample_batch<float>(batch, result);
}

}  // namespace streamhmm
