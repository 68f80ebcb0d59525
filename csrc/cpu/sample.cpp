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

// States with logarithms of their shares, and the draw among them.
class Urn {
 public:
  explicit Urn(int64_t most) : state_(most), share_(most) {}

  void clear() {
    count_ = 0;
    top_ = kImpossible;
  }
  void put(int32_t state, double log_share) {
    state_[count_] = state;
    share_[count_++] = log_share;
    top_ = std::max(top_, log_share);
  }

  // The first whose cumulative share exceeds `uniform` of the whole; one of them must be possible.
  int32_t draw(double uniform) {
    double total = 0;
    for (int64_t k = 0; k < count_; ++k) total += share_[k] = std::exp(share_[k] - top_);
    double left = uniform * total;
    int32_t chosen = state_[0];
    for (int64_t k = 0; k < count_; ++k) {
      if (share_[k] == 0) continue;
      chosen = state_[k];  // the last possible one where rounding leaves a rest
      left -= share_[k];
      if (left < 0) break;
    }
    return chosen;
  }

 private:
  Buffer<int32_t> state_;
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
    for (int64_t n = 0; n < samples_; ++n) draw_last(last, n * width_ + end);
    rows.backwards([&](int64_t t, const uint8_t*, const uint8_t* previous) {
      for (int64_t n = 0; t > 0 && n < samples_; ++n) draw_source(previous, t, n * width_ + t);
    });
  }

 private:
  void draw_last(const uint8_t* alpha, int64_t place) {
    const int32_t states = sequence_.record.states;
    const Real* end = sequence_.weights + sequence_.record.weights_offset + sequence_.record.weights_size;
    urn_.clear();
    for (int32_t j = 0; j < states; ++j) {
      urn_.put(j, summer_.log_alpha(alpha, j) + static_cast<double>(end[j - states]));
    }
    states_[place] = urn_.draw(uniforms_[place]);
  }

  // The state before the one at `place`, which stands in frame t; `alpha` is the row of t−1.
  void draw_source(const uint8_t* alpha, int64_t t, int64_t place) {
    urn_.clear();
    arcs_.into(static_cast<int32_t>(states_[place]), t,
               [&](int32_t source, double weight) { urn_.put(source, summer_.log_alpha(alpha, source) + weight); });
    states_[place - 1] = urn_.draw(uniforms_[place - 1]);
  }

  Summer& summer_;
  const Sequence<Real>& sequence_;
  IncomingArcs<Real> arcs_;
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
    // In double, so that how sums are rounded, which instruction sets do differently, hardly ever decides a draw.
    with_summer<DenseNumbers::in_double>(
        sequence.record, sequence.scores, sequence.weights, sequence.columns, [&](auto& summer) {
          Sampler<std::decay_t<decltype(summer)>, Real>(summer, sequence, result, batch.frames).draw();
        });
  });
}

}  // namespace

InvalidScore sample(const Batch& batch, const Samples& result) {
  return batch.is_double ? sample_batch<double>(batch, result) : sample_batch<float>(batch, result);
}

}  // namespace streamhmm
