// The driver of semi-Markov Viterbi: forward over all borders, then back from segment to segment; a duration and a
// source are found again on the way back, by the same sums. Chunk by chunk where memory is short.
#include <algorithm>
#include <cmath>
#include <vector>

#include "../semi_markov.h"
#include "checkpoints.h"
#include "segment_recursion.h"
#include "semi_markov_batch.h"

namespace streamhmm {
namespace {

template <class Real>
class BestSegments {
 public:
  BestSegments(const Durations& durations, const DurationTable& table, const ArcTable& arcs,
               const ScoreRows<Real>& rows, const int32_t* pdf, int64_t budget)
      : durations_(durations),
        arcs_(arcs),
        frames_(rows.frames),
        scores_(rows, pdf, static_cast<int32_t>(durations.states)),
        recursion_(kernels().semi_markov_best, table, arcs, rows.frames, false),
        width_(recursion_.padded()),
        chunk_(chunk_borders(frames_ + 1, 3 * width_, recursion_.saved_size(), budget)),
        chunks_((frames_ + chunk_) / chunk_),
        rows_(3 * std::min(chunk_, frames_ + 1) * width_),
        saved_((chunks_ - 1) * recursion_.saved_size()),
        total_(width_) {}

  // Fills `states` and returns the path's score.
  double find(int64_t* states) {
    for (current_ = 0;; ++current_) {
      run_chunk();
      if (current_ == chunks_ - 1) break;
      recursion_.save(begin(current_ + 1), saved(current_ + 1));
    }
    const double total = trace(states);
    if (total == kImpossible) std::fill_n(states, frames_, int64_t{-1});
    return total;
  }

 private:
  enum Row { kInWindow, kEnded, kX };

  // Chunk c holds the rows of borders begin(c) … begin(c+1)−1.
  int64_t begin(int64_t c) const { return std::min(c * chunk_, frames_ + 1); }
  double* saved(int64_t c) { return saved_.data() + (c - 1) * recursion_.saved_size(); }
  double* row(int64_t t, Row which) { return rows_.data() + (3 * (t - begin(current_)) + which) * width_; }

  void run_chunk() {
    for (int64_t t = begin(current_); t < begin(current_ + 1); ++t) {
      double* opened = row(t, kX);
      recursion_.arrive(t, row(t, kInWindow), row(t, kEnded), t < frames_ ? opened : nullptr);
      if (t == frames_) return;
      std::copy_n(recursion_.state().total, width_, total_.data());
      recursion_.leave(t, opened, scores_.row(t));
      for (int64_t j = 0; j < width_; ++j) opened[j] -= total_[j];
    }
  }

  // Makes the chunk of border t current; t is not after it.
  void reach(int64_t t) {
    while (t < begin(current_)) {
      --current_;
      current_ > 0 ? recursion_.restore(begin(current_), saved(current_)) : recursion_.start();
      run_chunk();
    }
  }

  double trace(int64_t* states) {
    int64_t t = frames_;
    int32_t j = best_last();
    if (j < 0) return kImpossible;
    double total = arcs_.final(j);
    for (;;) {
      const int64_t duration = best_duration(t, j);
      if (duration == 0) return kImpossible;
      std::fill_n(states + t - duration, duration, int64_t{j});
      total += durations_.weights[j * durations_.longest + duration - 1];
      for (int64_t end = t; t > end - duration; --t) total += scores_.at(t - 1, j);
      if (t == 0) return total + arcs_.initial(j);
      reach(t);
      const Step step = arcs_.best_into(j, row(t, kEnded));
      if (step.source < 0) return kImpossible;
      total += step.weight;
      j = step.source;
    }
  }

  int32_t best_last() {
    double best = kImpossible;
    int32_t state = -1;
    for (int32_t j = 0; j < durations_.states; ++j) {
      const double total = row(frames_, kEnded)[j] + arcs_.final(j);
      if (total > best) {
        best = total;
        state = j;
      }
    }
    return state;
  }

  // The shortest of the best durations of a segment of j that ends at border t; 0 if there is none. The forward pass
  // has noted their value, and no longer duration is looked at once it is reached.
  int64_t best_duration(int64_t t, int32_t j) {
    const double* weights = durations_.weights + j * durations_.longest;
    const double noted = row(t, kInWindow)[j];
    double best = kImpossible;
    int64_t winner = 0;
    large_.clear();
    for (int64_t d = 1; d <= std::min(durations_.longest, t); ++d) {
      const double score = scores_.at(t - d, j);
      if (score == kImpossible) break;
      if (std::fabs(score) > kLargestSummed && t - d >= begin(current_)) large_.push_back(score);
      double x = x_at(t - d, j);
      for (auto each = large_.rbegin(); each != large_.rend(); ++each) x += *each;
      if (x + weights[d - 1] <= best) continue;
      best = x + weights[d - 1];
      winner = best > kImpossible ? d : 0;
      if (large_.empty() && best == noted) break;
    }
    return winner;
  }

  // X of a border; one before the chunk comes from the checkpoint, with the large scores until then added.
  double x_at(int64_t u, int32_t j) {
    const int64_t first = begin(current_);
    if (u >= first) return row(u, kX)[j];
    const int64_t count = recursion_.saved_rows(first), place = (j / kOctet) * count + u - (first - count);
    return saved(current_)[width_ + place * kOctet + j % kOctet];
  }

  const Durations& durations_;
  const ArcTable& arcs_;
  int64_t frames_;
  SegmentScores<Real> scores_;
  SegmentRecursion recursion_;
  int64_t width_, chunk_, chunks_;
  int64_t current_ = 0;
  Buffer<double> rows_, saved_;
  Buffer<double> total_;
  std::vector<double> large_;  // of the frames of a segment, the last one first
};

template <class Real>
InvalidScore find_batch(const Batch& batch, const Durations& durations, int64_t* states, double* score) {
  std::fill_n(states, batch.batch * batch.frames, int64_t{-1});
  std::fill_n(score, batch.batch, kImpossible);
  const DurationTable table(durations, std::max<int64_t>(batch.frames, 1), false);
  const SharedArcs<Real> arcs(batch, durations, false, false);
  return for_each_sequence<Real>(batch, [&](const Sequence<Real>& sequence) {
    const int64_t b = sequence.index;
    const auto of_graph = arcs.of(b);
    BestSegments<Real> finder(durations, table, *of_graph, sequence.scores, sequence.record.body, sequence.budget);
    score[b] = finder.find(states + b * batch.frames);
  });
}

}  // namespace

InvalidScore semi_markov_viterbi(const Batch& batch, const Durations& durations, int64_t* states, double* score) {
  return batch.is_double ? find_batch<double>(batch, durations, states, score)
                         : find_batch<float>(batch, durations, states, score);
}

}  // namespace streamhmm
