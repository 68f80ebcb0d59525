// NarrowPathFinder: Viterbi on a dense graph of few states for a tile of sequences, block of frames by block of frames.
// The same results as DensePathFinder, and the same interface.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "buffer.h"
#include "dense_path_score.h"
#include "dense_transitions.h"
#include "last_state.h"
#include "sequence_tile.h"
#include "tile_offsets.h"

namespace streamhmm {

template <class Real>
class NarrowPathFinder {
 public:
  // Whether it can take the graph, and within the budget.
  static bool suits(const DenseGraph<Real>& graph, const SequenceTile<Real>& tile, int64_t budget) {
    const int64_t lanes = kernels_of<Real>().narrow_lanes;
    return graph.slices == 0 && graph.states <= std::min<int64_t>(lanes, kTile) &&
           tile.frames() * tile.count() * lanes * static_cast<int64_t>(sizeof(Real)) <= budget;
  }

  NarrowPathFinder(const DenseTransitions<Real>& transitions, const SequenceTile<Real>& tile, bool checked)
      : transitions_(transitions),
        graph_(transitions.graph()),
        tile_(tile),
        checked_(checked),
        lanes_(kernels_of<Real>().narrow_lanes),
        alpha_(tile.count() * lanes_, kNever),
        winners_(tile.count() * tile.frames() * lanes_),
        offset_(tile.count(), 0.0),
        moved_(1) {}

  bool find(int64_t* const* states, double* score) {
    if (!start() && !checked_) return false;
    int64_t t = 1;
    while (t < tile_.frames()) {
      const int64_t end = block_end(t);
      if (advance(t, end) && !checked_) return false;
      t = end;
    }
    trace(states);
    for (int q = 0; q < tile_.count(); ++q) score[q] = score_of_path(graph_, tile_[q], states[q]);
    return true;
  }

 private:
  static constexpr Real kNever = -std::numeric_limits<Real>::infinity();

  Real* alpha(int q) { return alpha_.data() + q * lanes_; }
  NarrowIndex<Real>* winners(int q, int64_t t) { return winners_.data() + (q * tile_.frames() + t) * lanes_; }

  // As far as no α is moved and no sequence ends.
  int64_t block_end(int64_t t) const {
    const int64_t next = (t / kRecentre + 1) * kRecentre;
    return std::min(next, tile_.same_until(t));
  }

  bool start() {
    bool usual = true;
    for (int q = 0; q < tile_.count(); ++q) {
      for (int32_t j = 0; j < graph_.states; ++j) {
        const Real score = tile_[q].data[graph_.pdf[j]];
        usual &= std::fabs(score) <= Real(kLargestSingle);
        alpha(q)[j] = graph_.initial[j] + score;
      }
    }
    return usual;
  }

  bool advance(int64_t t, int64_t end) {
    DenseNarrow<Real> d{};
    d.states = graph_.states;
    d.frames = end - t;
    d.panels = transitions_.panels();
    d.pdf = transitions_.pdfs();
    d.sequences = tile_.active(t);
    for (int q = 0; q < d.sequences; ++q) {
      if (sizeof(Real) == sizeof(float) && t % kRecentre == 0) {
        recentre(alpha(q), graph_.states, std::numeric_limits<double>::infinity(), offset_.data() + q, moved_.data());
      }
      d.scores[q] = tile_.scores(q, t);
      d.stride[q] = tile_[q].stride;
      d.alpha[q] = alpha(q);
      d.winners[q] = winners(q, t);
    }
    return kernels_of<Real>().dense_narrow(d);
  }

  // All sequences at once: a step back waits for the one before it, but not for those of other sequences.
  void trace(int64_t* const* states) {
    int64_t last[kDenseTile], state[kDenseTile];
    for (int q = 0; q < tile_.count(); ++q) {
      last[q] = best_last_state(graph_.states, graph_.final,
                                [&](int32_t j) { return offset_[q] + static_cast<double>(alpha(q)[j]); });
      state[q] = std::max<int64_t>(last[q], 0);
    }
    for (int64_t t = tile_.frames() - 1; t > 0;) {
      const int running = tile_.active(t);
      const int64_t others = std::max<int64_t>(tile_.same_from(t), 1);
      for (; t >= others; --t) {
        for (int q = 0; q < running; ++q) {
          states[q][t] = state[q];
          state[q] = winners(q, t)[state[q]];
        }
      }
    }
    for (int q = 0; q < tile_.count(); ++q) {
      states[q][0] = state[q];
      if (last[q] < 0) std::fill_n(states[q], tile_[q].frames, int64_t{-1});
    }
  }

  const DenseTransitions<Real>& transitions_;
  const DenseGraph<Real>& graph_;
  const SequenceTile<Real>& tile_;
  bool checked_;
  int64_t lanes_;
  Buffer<Real> alpha_;
  Buffer<NarrowIndex<Real>> winners_;
  Buffer<double> offset_;
  Buffer<Real> moved_;
};

}  // namespace streamhmm
