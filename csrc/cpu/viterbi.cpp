// The driver of Viterbi: forward over all frames, back along the winners, segment by segment where memory is short.
#include "../viterbi.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "../graph.h"
#include "batch_rows.h"
#include "checkpoints.h"
#include "dense_tiles.h"
#include "dense_viterbi.h"
#include "linear_decoder.h"
#include "sparse_decoder.h"
#include "thread_pool.h"
#include "widened.h"

namespace streamhmm {
namespace {

constexpr double kImpossible = -std::numeric_limits<double>::infinity();

template <class Graph>
double initial_weight(const Graph& graph, int32_t state) {
  return static_cast<double>(graph.initial[state]);
}

// The best last state, the lowest one among equals; −1 if no path ends.
template <class Decoder, class Graph>
int32_t best_last_state(const Decoder& decoder, const Graph& graph) {
  double best = kImpossible;
  int32_t state = -1;
  for (int32_t j = 0; j < graph.states; ++j) {
    const double total = decoder.alpha(j) + static_cast<double>(graph.final[j]);
    if (total > best) {
      best = total;
      state = j;
    }
  }
  return state;
}

template <class Decoder, class Graph, class Real>
class PathFinder {
 public:
  PathFinder(const Graph& graph, const ScoreRows<Real>& scores, int64_t budget)
      : graph_(graph),
        scores_(scores),
        decoder_(graph),
        segment_(segment_frames(scores.frames - 1, decoder_.frame_bytes(), decoder_.state_bytes(), budget)),
        segments_(std::max<int64_t>((scores.frames - 2 + segment_) / segment_, 1)),
        pointers_(std::min(segment_, scores.frames) * decoder_.frame_bytes()),
        saved_((segments_ - 1) * decoder_.state_bytes()) {}

  // Fills `states` and returns the path's score.
  double find(int64_t* states) {
    forward();
    int32_t state = best_last_state(decoder_, graph_);
    if (state < 0) return kImpossible;
    double total = static_cast<double>(graph_.final[state]);
    for (int64_t s = segments_ - 1; s >= 0; --s) {
      if (s < segments_ - 1) recompute(s);
      state = trace(s, state, states, total);
    }
    states[0] = state;
    return total + emission(0, state) + initial_weight(graph_, state);
  }

 private:
  // Segment s holds the back-pointers of frames begin(s) … begin(s+1)−1.
  int64_t begin(int64_t s) const { return std::min(1 + s * segment_, scores_.frames); }

  void forward() {
    decoder_.start(scores_);
    for (int64_t s = 0; s < segments_; ++s) {
      if (s < segments_ - 1) decoder_.save(saved_.data() + s * decoder_.state_bytes());
      decoder_.advance(scores_, begin(s), begin(s + 1), pointers_.data());
    }
  }

  void recompute(int64_t s) {
    decoder_.restore(saved_.data() + s * decoder_.state_bytes());
    decoder_.advance(scores_, begin(s), begin(s + 1), pointers_.data());
  }

  int32_t trace(int64_t s, int32_t state, int64_t* states, double& total) const {
    for (int64_t t = begin(s + 1) - 1; t >= begin(s); --t) {
      states[t] = state;
      const Step step = decoder_.step(pointers_.data() + (t - begin(s)) * decoder_.frame_bytes(), state);
      total += emission(t, state) + step.weight;
      state = step.source;
    }
    return state;
  }

  double emission(int64_t t, int32_t state) const {
    return static_cast<double>(scores_.data[t * scores_.stride + graph_.pdf[state]]);
  }

  Graph graph_;
  ScoreRows<Real> scores_;
  Decoder decoder_;
  int64_t segment_;
  int64_t segments_;
  Buffer<uint8_t> pointers_;
  Buffer<uint8_t> saved_;
};

template <class Real>
double find_path(const GraphRecord& record, const ScoreRows<Real>& scores, const Real* weights, int64_t budget,
                 int64_t* states) {
  if (record.family == Family::linear) {
    const auto graph = linear_graph(record, weights);
    return PathFinder<LinearDecoder<Real>, LinearGraph<Real>, Real>(graph, scores, budget).find(states);
  }
  const auto graph = sparse_graph(record, weights);
  return PathFinder<SparseDecoder<Real>, SparseGraph<Real>, Real>(graph, scores, budget).find(states);
}

template <class Real>
InvalidScore viterbi_batch(const Batch& batch, int64_t* states, double* score) {
  FirstInvalid invalid;
  const BatchRows<Real> rows(batch);
  std::fill_n(states, batch.batch * batch.frames, int64_t{-1});
  std::fill_n(score, batch.batch, kImpossible);
  if (shares_dense_graph(batch)) {
    dense_viterbi_batch<Real>(batch, invalid, states, score);
    return invalid.result();
  }
  parallel_for(batch.batch, batch.threads, [&](int64_t b) {
    int64_t* out = states + b * batch.frames;
    const ScoreRows<Real> scores = rows.sequence(b);
    if (scores.frames == 0) return;
    const GraphRecord record = graph_record(batch, b);
    if (record.family == Family::dense) return dense_viterbi<Real>(batch, record, &b, 1, invalid, states, score);
    const ScoreScan scan = scan_scores(scores, ColumnsRead(record, batch.columns));
    if (scan.invalid_frame >= 0) return invalid.report(b, scan.invalid_frame);
    if constexpr (sizeof(Real) == sizeof(float)) {
      if (scan.large || has_large(rows.weights() + record.weights_offset, record.weights_size)) {
        const Widened wide(record, scores, rows.weights());
        score[b] = find_path(wide.record(), wide.scores(), wide.weights(), rows.budget(), out);
        return;
      }
    }
    score[b] = find_path(record, scores, rows.weights(), rows.budget(), out);
  });
  return invalid.result();
}

}  // namespace

InvalidScore viterbi(const Batch& batch, int64_t* states, double* score) {
  return batch.is_double ? viterbi_batch<double>(batch, states, score) : viterbi_batch<float>(batch, states, score);
}

}  // namespace streamhmm
