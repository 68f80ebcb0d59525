// The driver of Viterbi under constraints: arc by arc in every family, one frame at a time.
#include "../constrained_viterbi.h"

#include <algorithm>
#include <limits>

#include "as_sparse.h"
#include "checkpoints.h"
#include "constraint.h"
#include "last_state.h"
#include "sequences.h"
#include "sparse_decoder.h"
#include "widened.h"

namespace streamhmm {
namespace {

constexpr double kImpossible = -std::numeric_limits<double>::infinity();

template <class Real>
class ConstrainedPath {
 public:
  ConstrainedPath(const GraphRecord& record, const ScoreRows<Real>& scores, const Real* weights,
                  const Constraint& constraint, int64_t budget)
      : graph_(record, weights),
        scores_(scores),
        constraint_(constraint),
        decoder_(graph_.graph(), std::numeric_limits<double>::infinity()),
        segment_(segment_frames(scores.frames - 1, decoder_.frame_bytes(), decoder_.state_bytes(), budget)),
        segments_(std::max<int64_t>((scores.frames - 2 + segment_) / segment_, 1)),
        pointers_(std::min(segment_, scores.frames) * decoder_.frame_bytes()),
        saved_((segments_ - 1) * decoder_.state_bytes()) {}

  // Fills `states` and returns the path's score.
  double find(int64_t* states) {
    decoder_.start(scores_);
    constraint_.apply(0, decoder_.row());
    for (int64_t s = 0; s < segments_; ++s) {
      if (s < segments_ - 1) decoder_.save(saved_.data() + s * decoder_.state_bytes());
      fill(s);
    }
    const auto& graph = graph_.graph();
    const int32_t last = best_last_state(graph.states, graph.final, [this](int32_t j) { return decoder_.alpha(j); });
    return last < 0 ? kImpossible : trace(last, states);
  }

 private:
  // Segment s holds the back-pointers of frames begin(s) … begin(s+1)−1.
  int64_t begin(int64_t s) const { return std::min(1 + s * segment_, scores_.frames); }
  uint8_t* pointers(int64_t t, int64_t s) { return pointers_.data() + (t - begin(s)) * decoder_.frame_bytes(); }

  void fill(int64_t s) {
    for (int64_t t = begin(s); t < begin(s + 1); ++t) {
      graph_.step_to(t);
      decoder_.advance(scores_, t, t + 1, pointers(t, s));
      constraint_.apply(t, decoder_.row());
    }
  }

  double trace(int32_t state, int64_t* states) {
    double total = static_cast<double>(graph_.graph().final[state]);
    for (int64_t s = segments_ - 1; s >= 0; --s) {
      if (s < segments_ - 1) {
        decoder_.restore(saved_.data() + s * decoder_.state_bytes());
        fill(s);
      }
      for (int64_t t = begin(s + 1) - 1; t >= begin(s); --t) {
        states[t] = state;
        graph_.step_to(t);
        const Step step = decoder_.step(pointers(t, s), state);
        total += emission(t, state) + step.weight;
        state = step.source;
      }
    }
    states[0] = state;
    return total + emission(0, state) + static_cast<double>(graph_.graph().initial[state]);
  }

  double emission(int64_t t, int32_t state) const {
    return static_cast<double>(scores_.data[t * scores_.stride + graph_.graph().pdf[state]]);
  }

  AsSparse<Real> graph_;
  ScoreRows<Real> scores_;
  const Constraint& constraint_;
  SparseDecoder<Real> decoder_;
  int64_t segment_;
  int64_t segments_;
  Buffer<uint8_t> pointers_;
  Buffer<uint8_t> saved_;
};

template <class Real>
double find_path(const Sequence<Real>& sequence, const Constraint& constraint, int64_t* states) {
  if constexpr (sizeof(Real) == sizeof(float)) {
    const float* weights = sequence.weights + sequence.record.weights_offset;
    if (sequence.scan.large || has_large(weights, sequence.record.weights_size)) {
      const Widened wide(sequence.record, sequence.scores, sequence.weights);
      return ConstrainedPath<double>(wide.record(), wide.scores(), wide.weights(), constraint, sequence.budget)
          .find(states);
    }
  }
  return ConstrainedPath<Real>(sequence.record, sequence.scores, sequence.weights, constraint, sequence.budget)
      .find(states);
}

template <class Real>
InvalidScore decode_batch(const Batch& batch, const Constraints& constraints, int64_t* states, double* score) {
  std::fill_n(states, batch.batch * batch.frames, int64_t{-1});
  std::fill_n(score, batch.batch, kImpossible);
  return for_each_sequence<Real>(batch, [&](const Sequence<Real>& sequence) {
    const int64_t b = sequence.index;
    const Constraint constraint(constraints, b, sequence.scores.frames, sequence.record.states);
    score[b] = find_path(sequence, constraint, states + b * batch.frames);
  });
}

}  // namespace

InvalidScore constrained_viterbi(const Batch& batch, const Constraints& constraints, int64_t* states, double* score) {
  return batch.is_double ? decode_batch<double>(batch, constraints, states, score)
                         : decode_batch<float>(batch, constraints, states, score);
}

}  // namespace streamhmm
