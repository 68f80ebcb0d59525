// What is decided of a stream frame by frame: the rules of ../online_viterbi.h. All threads of the block go through it
// alike.
#pragma once

#include "online_undecided.h"

namespace streamhmm::cuda {

// A stream on its way through a chunk, in precision Real.
template <class Real>
class OnlineStream {
 public:
  __device__ OnlineStream(const OnlineOptions& options, const OnlineProgress& progress, const OnlineWindow& window,
                          const OnlineSurvivors<Real>& survivors)
      : options_(options),
        progress_(progress),
        window_(window),
        survivors_(survivors),
        decided_{progress.undecided - 1, -1} {}

  // One frame. score(pdf) is its score.
  template <class Score>
  __device__ void advance(const Score& score) {
    const int64_t t = progress_.frames++;
    if (progress_.enters != 0) {
      survivors_.enter(score);
      progress_.enters = 0;
    } else {
      survivors_.step(t, progress_.undecided == t, score,
                      [&](int32_t j, int32_t source) { window_.set(t, j, source); });
    }
    const bool has_beam = options_.beam < static_cast<double>(__builtin_inf());
    const bool commits = options_.max_lag >= 0 || options_.certainty <= 1;
    const bool settles = commits && progress_.frames % kSettleEvery == 0;
    if (!has_beam && !settles && !is_late()) return;
    best_ = survivors_.best();
    if (has_beam) survivors_.prune(best_.value - options_.beam);
    if (settles) {
      settle();
      while (is_certain()) settle();
    }
    hold_lag();
  }

  // Settles what the chunk has left.
  __device__ void end() {
    best_ = {never<double>(), -1};
    if (progress_.enters != 0) return;
    best_ = survivors_.best();
    settle();
  }

  __device__ const OnlineProgress& progress() const { return progress_; }
  __device__ const OnlineSurvivors<Real>& survivors() const { return survivors_; }
  __device__ int32_t current() const { return best_.index; }
  // The latest point decided on a path; behind it, no path fits what is decided.
  __device__ OnlinePoint decided() const { return decided_; }

 private:
  __device__ bool is_late() const {
    return options_.max_lag >= 0 && progress_.frames - progress_.undecided > options_.max_lag;
  }

  // Decides what all survivors agree on.
  __device__ void settle() {
    if (progress_.undecided == progress_.frames) return;
    if (best_.index < 0) {
      progress_.undecided = progress_.frames;
    } else if (agree(survivors_, best_.index)) {
      decided_ = meeting(survivors_, window_, progress_.frames - 1, best_.index);
      progress_.undecided = decided_.frame + 1;
    }
  }

  // Whether the prefix of the best path is certain; then survivors with another one go.
  __device__ bool is_certain() {
    if (options_.certainty > 1 || best_.index < 0 || progress_.undecided == progress_.frames) return false;
    const int32_t prefix = survivors_.ancestor(best_.index);
    if (!survivors_.is_certain(prefix, options_.certainty, best_.value)) return false;
    survivors_.follow_only(prefix);
    return true;
  }

  __device__ void hold_lag() {
    if (is_late()) settle();
    while (is_late()) {
      survivors_.follow_only(survivors_.ancestor(best_.index));
      settle();
    }
  }

  const OnlineOptions& options_;
  OnlineProgress progress_;
  const OnlineWindow& window_;
  OnlineSurvivors<Real> survivors_;
  Best<double> best_{never<double>(), -1};
  OnlinePoint decided_;
};

}  // namespace streamhmm::cuda
