// The driver of Viterbi: forward over all frames, back along the winners, segment by segment where memory is short.
#include "../viterbi.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "../graph.h"
#include "batch_rows.h"
#include "dense_tiles.h"
#include "dense_viterbi.h"
#include "linear_decoder.h"
#include "linear_path.h"
#include "sparse_decoder.h"
#include "stored_path.h"
#include "thread_pool.h"
#include "widened.h"

namespace streamhmm {
namespace {

constexpr double kImpossible = -std::numeric_limits<double>::infinity();

// How a path is looked for.
struct Search {
  double beam;
  int64_t memory_budget;
  int threads;  // that may work on this sequence
};

template <class Real>
double find_path(const LinearGraph<Real>& graph, const ScoreRows<Real>& scores, const Search& search, int64_t* states) {
  if (LinearPath<Real>::suits(graph, scores.frames, search.memory_budget)) {
    return follow(LinearPath<Real>(graph, scores, search.beam, search.threads), graph, scores, states);
  }
  LinearDecoder<Real> decoder(graph, search.beam);
  return follow(StoredPath(decoder, scores, search.memory_budget), graph, scores, states);
}

template <class Real>
double find_path(const SparseGraph<Real>& graph, const ScoreRows<Real>& scores, const Search& search, int64_t* states) {
  SparseDecoder<Real> decoder(graph, search.beam);
  return follow(StoredPath(decoder, scores, search.memory_budget), graph, scores, states);
}

template <class Real>
double find_path(const GraphRecord& record, const ScoreRows<Real>& scores, const Real* weights, const Search& search,
                 int64_t* states) {
  if (record.family == Family::linear) return find_path(linear_graph(record, weights), scores, search, states);
  return find_path(sparse_graph(record, weights), scores, search, states);
}

template <class Real>
InvalidScore viterbi_batch(const Batch& batch, double beam, int64_t* states, double* score) {
  FirstInvalid invalid;
  const BatchRows<Real> rows(batch);
  const Search search{beam, rows.budget(), batch.batch == 1 ? batch.threads : 1};
  std::fill_n(states, batch.batch * batch.frames, int64_t{-1});
  std::fill_n(score, batch.batch, kImpossible);
  if (shares_dense_graph(batch)) {
    dense_viterbi_batch<Real>(batch, beam, invalid, states, score);
    return invalid.result();
  }
  parallel_for(batch.batch, batch.threads, [&](int64_t b) {
    int64_t* out = states + b * batch.frames;
    const ScoreRows<Real> scores = rows.sequence(b);
    if (scores.frames == 0) return;
    const GraphRecord record = graph_record(batch, b);
    if (record.family == Family::dense) {
      return dense_viterbi<Real>(batch, record, beam, b, invalid, states, score);
    }
    const ScoreScan scan = scan_scores(scores, ColumnsRead(record, batch.columns));
    if (scan.invalid_frame >= 0) return invalid.report(b, scan.invalid_frame);
    if constexpr (sizeof(Real) == sizeof(float)) {
      if (scan.large || has_large(rows.weights() + record.weights_offset, record.weights_size)) {
        const Widened wide(record, scores, rows.weights());
        score[b] = find_path(wide.record(), wide.scores(), wide.weights(), search, out);
        return;
      }
    }
    score[b] = find_path(record, scores, rows.weights(), search, out);
  });
  return invalid.result();
}

}  // namespace

InvalidScore viterbi(const Batch& batch, double beam, int64_t* states, double* score) {
  return batch.is_double ? viterbi_batch<double>(batch, beam, states, score)
                         : viterbi_batch<float>(batch, beam, states, score);
}

}  // namespace streamhmm
