// The driver of Viterbi under constraints: arc by arc in every family, one frame at a time.
#include "../constrained_viterbi.h"

#include <algorithm>
#include <limits>

#include "as_sparse.h"
#include "constraint.h"
#include "sequences.h"
#include "sparse_decoder.h"
#include "stored_path.h"
#include "widened.h"

namespace streamhmm {
namespace {

constexpr double kImpossible = -std::numeric_limits<double>::infinity();

// SparseDecoder for any graph, with −inf wherever a frame does not allow a state.
template <class Real>
class ConstrainedDecoder {
 public:
  ConstrainedDecoder(AsSparse<Real>& graph, const Constraint& constraint)
      : graph_(graph), constraint_(constraint), decoder_(graph.graph(), std::numeric_limits<double>::infinity()) {}

  int64_t frame_bytes() const { return decoder_.frame_bytes(); }
  int64_t state_bytes() const { return decoder_.state_bytes(); }
  void save(uint8_t* out) const { decoder_.save(out); }
  void restore(const uint8_t* in) { decoder_.restore(in); }
  double alpha(int32_t state) const { return decoder_.alpha(state); }

  void start(const ScoreRows<Real>& scores) {
    decoder_.start(scores);
    constraint_.apply(0, decoder_.row());
  }
  void advance(const ScoreRows<Real>& scores, int64_t first, int64_t last, uint8_t* pointers) {
    for (int64_t t = first; t < last; ++t, pointers += frame_bytes()) {
      graph_.step_to(t);
      decoder_.advance(scores, t, t + 1, pointers);
      constraint_.apply(t, decoder_.row());
    }
  }
  Step step(int64_t t, const uint8_t* frame, int32_t state) {
    graph_.step_to(t);
    return decoder_.step(frame, state);
  }

 private:
  AsSparse<Real>& graph_;
  const Constraint& constraint_;
  SparseDecoder<Real> decoder_;
};

template <class Real>
double find_path(const GraphRecord& record, const ScoreRows<Real>& scores, const Real* weights,
                 const Constraint& constraint, int64_t budget, int64_t* states) {
  AsSparse<Real> graph(record, weights);
  ConstrainedDecoder<Real> decoder(graph, constraint);
  return follow(StoredPath(decoder, scores, budget), graph.graph(), scores, states);
}

template <class Real>
double find_path(const Sequence<Real>& sequence, const Constraint& constraint, int64_t* states) {
  if constexpr (sizeof(Real) == sizeof(float)) {
    const float* weights = sequence.weights + sequence.record.weights_offset;
    if (sequence.scan.large || has_large(weights, sequence.record.weights_size)) {
      const Widened wide(sequence.record, sequence.scores, sequence.weights);
      return find_path(wide.record(), wide.scores(), wide.weights(), constraint, sequence.budget, states);
    }
  }
  return find_path(sequence.record, sequence.scores, sequence.weights, constraint, sequence.budget, states);
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
