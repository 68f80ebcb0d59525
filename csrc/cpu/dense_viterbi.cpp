#include "dense_viterbi.h"

#include <cmath>

#include "dense_path_finder.h"
#include "dense_tiles.h"
#include "narrow_path_finder.h"
#include "thread_pool.h"
#include "widened.h"

namespace streamhmm {
namespace {

// Where the results of a tile go.
struct Paths {
  int64_t* states[kDenseTile];
  double score[kDenseTile];
};

template <class Real>
bool find_paths(const GraphRecord& record, const ScoreRows<Real>* scores, int count, const Real* weights,
                int64_t budget, double beam, bool checked, Paths& paths) {
  const auto graph = dense_graph(record, weights);
  // With a beam too: so few states are one tile, which is never given up.
  if (NarrowPathFinder<Real>::suits(graph, scores[0].frames, count, budget)) {
    return NarrowPathFinder<Real>(graph, scores, count, checked).find(paths.states, paths.score);
  }
  return DensePathFinder<Real>(graph, scores, count, budget, beam, checked).find(paths.states, paths.score);
}

// One sequence whose scores have to be looked at first.
template <class Real>
void find_carefully(const Batch& batch, const GraphRecord& record, double beam, int64_t b, FirstInvalid& invalid,
                    Paths& path) {
  const BatchRows<Real> rows(batch);
  const ScoreRows<Real> scores = rows.sequence(b);
  const ScoreScan scan = scan_scores(scores, ColumnsRead(record, batch.columns));
  if (scan.invalid_frame >= 0) return invalid.report(b, scan.invalid_frame);
  if constexpr (sizeof(Real) == sizeof(float)) {
    if (scan.large || has_large(rows.weights() + record.weights_offset, record.weights_size)) {
      const Widened wide(record, scores, rows.weights());
      const ScoreRows<double> in_double = wide.scores();
      find_paths<double>(wide.record(), &in_double, 1, wide.weights(), rows.budget(), beam, true, path);
      return;
    }
  }
  find_paths<Real>(record, &scores, 1, rows.weights(), rows.budget(), beam, true, path);
}

}  // namespace

template <class Real>
void dense_viterbi(const Batch& batch, const GraphRecord& record, double beam, const int64_t* sequences, int count,
                   FirstInvalid& invalid, int64_t* states, double* score) {
  const BatchRows<Real> rows(batch);
  ScoreRows<Real> scores[kDenseTile];
  Paths paths;
  for (int q = 0; q < count; ++q) {
    scores[q] = rows.sequence(sequences[q]);
    paths.states[q] = states + sequences[q] * batch.frames;
  }
  const bool moderate =
      sizeof(Real) == sizeof(double) || !has_large(rows.weights() + record.weights_offset, record.weights_size);
  if (moderate && find_paths(record, scores, count, rows.weights(), rows.budget(), beam, false, paths)) {
    for (int q = 0; q < count; ++q) score[sequences[q]] = paths.score[q];
    return;
  }
  for (int q = 0; q < count; ++q) {
    Paths path;
    path.states[0] = paths.states[q];
    path.score[0] = score[sequences[q]];
    find_carefully<Real>(batch, record, beam, sequences[q], invalid, path);
    score[sequences[q]] = path.score[0];
  }
}

template <class Real>
void dense_viterbi_batch(const Batch& batch, double beam, FirstInvalid& invalid, int64_t* states, double* score) {
  const GraphRecord record = graph_record(batch, 0);
  const DenseTiles<Real> tiles(batch);
  parallel_for(tiles.count(), batch.threads, [&](int64_t tile) {
    dense_viterbi<Real>(batch, record, beam, tiles.sequences(tile), tiles.size(tile), invalid, states, score);
  });
}

template void dense_viterbi<float>(const Batch&, const GraphRecord&, double, const int64_t*, int, FirstInvalid&,
                                   int64_t*, double*);
template void dense_viterbi<double>(const Batch&, const GraphRecord&, double, const int64_t*, int, FirstInvalid&,
                                    int64_t*, double*);
template void dense_viterbi_batch<float>(const Batch&, double, FirstInvalid&, int64_t*, double*);
template void dense_viterbi_batch<double>(const Batch&, double, FirstInvalid&, int64_t*, double*);

}  // namespace streamhmm
