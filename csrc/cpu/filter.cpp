// The driver of filtering and fixed-lag smoothing.
#include "../filter.h"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "forward_rows.h"
#include "sequences.h"
#include "with_summer.h"

namespace streamhmm {
namespace {

constexpr double kImpossible = -std::numeric_limits<double>::infinity();

// Writes one frame's probabilities where they are wanted.
template <class Real>
class Delivery {
 public:
  Delivery(const Batch& batch, const Filtered& result, const Sequence<Real>& sequence)
      : pdf_(sequence.record.body), states_(sequence.record.states), gamma_(states_) {
    width_ = result.by_state != nullptr ? result.states_wide : batch.columns;
    if (result.by_state != nullptr && width_ < states_)
      throw std::invalid_argument("states_wide is below the graph's states");
    by_state_ = result.by_state != nullptr;
    void* all = by_state_ ? result.by_state : result.by_pdf;
    out_ = static_cast<Real*>(all) + sequence.index * batch.frames * width_;
  }

  template <class Summer>
  void operator()(Summer& summer, int64_t t, const uint8_t* alpha) {
    Real* out = out_ + t * width_;
    summer.posterior(alpha, gamma_.data());
    std::fill_n(out, width_, Real(0));
    for (int32_t j = 0; j < states_; ++j) out[by_state_ ? j : pdf_[j]] += gamma_[j];
  }

 private:
  const int32_t* pdf_;
  int32_t states_;
  Buffer<Real> gamma_;
  bool by_state_;
  int64_t width_;
  Real* out_;
};

template <class Summer, class Real>
class WindowFinder {
 public:
  WindowFinder(Summer& summer, const Sequence<Real>& sequence, const Window& window, Delivery<Real>& deliver)
      : summer_(summer),
        scores_(sequence.scores),
        budget_(sequence.budget),
        window_(window),
        deliver_(deliver),
        alpha_(summer.row_bytes()),
        next_(summer.row_bytes()) {}

  void find() {
    const int64_t last = scores_.frames - 1;
    const int64_t shared = window_.end_counts ? last - std::min(last, window_.lag) : scores_.frames;
    for (int64_t t = 0; t < shared; ++t) {
      advance(t);
      look_ahead(t, std::min(t + window_.lag, last));
    }
    if (window_.end_counts) share_one_sweep(shared);
  }

 private:
  const Real* score_row(int64_t t) const { return scores_.data + t * scores_.stride; }

  void advance(int64_t t) {
    if (t == 0) {
      summer_.start(score_row(0), alpha_.data());
      return;
    }
    summer_.enter(t);
    summer_.forward(score_row(t), alpha_.data(), next_.data());
    std::swap(alpha_, next_);
  }

  void look_ahead(int64_t t, int64_t end) {
    summer_.start_backward_open();
    for (int64_t u = end; u > t; --u) step_back(u);
    if (summer_.normalise(alpha_.data()) > kImpossible) deliver_(summer_, t, alpha_.data());
  }

  // Frames `first` … T−1, whose windows all end in T−1.
  void share_one_sweep(int64_t first) {
    ForwardRows<Summer, Real> rows(summer_, scores_, budget_, first, first > 0 ? alpha_.data() : nullptr);
    const bool possible = summer_.finish(rows.run()) > kImpossible;
    if (!possible) return;
    summer_.start_backward();
    rows.backwards([&](int64_t t, const uint8_t* alpha, const uint8_t*) {
      deliver_(summer_, t, alpha);
      if (t > first) step_back(t);
    });
  }

  void step_back(int64_t t) {
    summer_.enter(t);
    summer_.backward(score_row(t), nullptr, nullptr);
  }

  Summer& summer_;
  ScoreRows<Real> scores_;
  int64_t budget_;
  Window window_;
  Delivery<Real>& deliver_;
  Buffer<uint8_t> alpha_, next_;
};

template <class Real>
InvalidScore filter_batch(const Batch& batch, const Window& window, const Filtered& result) {
  return for_each_sequence<Real>(batch, [&](const Sequence<Real>& sequence) {
    Delivery<Real> deliver(batch, result, sequence);
    with_summer<DenseNumbers::as_scores>(
        sequence.record, sequence.scores, sequence.weights, sequence.columns, [&](auto& summer) {
          WindowFinder<std::decay_t<decltype(summer)>, Real>(summer, sequence, window, deliver).find();
        });
  });
}

}  // namespace

InvalidScore filter(const Batch& batch, const Window& window, const Filtered& result) {
  return batch.is_double ? filter_batch<double>(batch, window, result) : filter_batch<float>(batch, window, result);
}

}  // namespace streamhmm
