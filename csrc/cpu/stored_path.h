// A best path from back-pointers: forward over all frames, back along the winners, segment by segment where memory is
// short.
#pragma once

#include <algorithm>
#include <limits>

#include "../params.h"
#include "buffer.h"
#include "checkpoints.h"
#include "last_state.h"
#include "step.h"

namespace streamhmm {

// The path as it is found, last frame first, and its score, summed in double.
template <class Graph, class Real>
class PathWriter {
 public:
  PathWriter(const Graph& graph, const ScoreRows<Real>& scores, int32_t last_state, int64_t* states)
      : graph_(graph), scores_(scores), states_(states), total_(static_cast<double>(graph.final[last_state])) {}

  void operator()(int64_t t, int32_t state, const Step& step) {
    states_[t] = state;
    total_ += emission(t, state) + step.weight;
  }
  double finish(int32_t first_state) {
    states_[0] = first_state;
    return total_ + emission(0, first_state) + static_cast<double>(graph_.initial[first_state]);
  }

 private:
  double emission(int64_t t, int32_t state) const {
    return static_cast<double>(scores_.data[t * scores_.stride + graph_.pdf[state]]);
  }

  const Graph& graph_;
  const ScoreRows<Real>& scores_;
  int64_t* states_;
  double total_;
};

// Back-pointers of every frame, kept segment by segment as the budget allows.
template <class Decoder, class Real>
class StoredPath {
 public:
  StoredPath(Decoder& decoder, const ScoreRows<Real>& scores, int64_t budget)
      : scores_(scores),
        decoder_(decoder),
        segment_(segment_frames(scores.frames - 1, decoder_.frame_bytes(), decoder_.state_bytes(), budget)),
        segments_(std::max<int64_t>((scores.frames - 2 + segment_) / segment_, 1)),
        pointers_(std::min(segment_, scores.frames) * decoder_.frame_bytes()),
        saved_((segments_ - 1) * decoder_.state_bytes()) {}

  const Decoder& decoder() const { return decoder_; }

  void forward() {
    decoder_.start(scores_);
    for (int64_t s = 0; s < segments_; ++s) {
      if (s < segments_ - 1) decoder_.save(saved_.data() + s * decoder_.state_bytes());
      decoder_.advance(scores_, begin(s), begin(s + 1), pointers_.data());
    }
  }

  // Calls visit(t, state, step) for frames T−1 … 1, `state` being the path's in the last; returns its state in frame 0.
  template <class Visit>
  int32_t back(int32_t state, Visit& visit) {
    for (int64_t s = segments_ - 1; s >= 0; --s) {
      if (s < segments_ - 1) recompute(s);
      state = trace(s, state, visit);
    }
    return state;
  }

 private:
  // Segment s holds the back-pointers of frames begin(s) … begin(s+1)−1.
  int64_t begin(int64_t s) const { return std::min(1 + s * segment_, scores_.frames); }

  void recompute(int64_t s) {
    decoder_.restore(saved_.data() + s * decoder_.state_bytes());
    decoder_.advance(scores_, begin(s), begin(s + 1), pointers_.data());
  }

  template <class Visit>
  int32_t trace(int64_t s, int32_t state, Visit& visit) {
    const int64_t frame_bytes = decoder_.frame_bytes();
    for (int64_t t = begin(s + 1) - 1; t >= begin(s); --t) {
      const Step step = decoder_.step(t, pointers_.data() + (t - begin(s)) * frame_bytes, state);
      visit(t, state, step);
      state = step.source;
    }
    return state;
  }

  ScoreRows<Real> scores_;
  Decoder& decoder_;
  int64_t segment_;
  int64_t segments_;
  Buffer<uint8_t> pointers_;
  Buffer<uint8_t> saved_;
};

// Fills `states` and returns the path's score.
template <class Finder, class Graph, class Real>
double follow(Finder&& finder, const Graph& graph, const ScoreRows<Real>& scores, int64_t* states) {
  finder.forward();
  const auto& decoder = finder.decoder();
  const int32_t last = best_last_state(graph.states, graph.final, [&](int32_t j) { return decoder.alpha(j); });
  if (last < 0) return -std::numeric_limits<double>::infinity();
  PathWriter<Graph, Real> path(graph, scores, last, states);
  return path.finish(finder.back(last, path));
}

}  // namespace streamhmm
