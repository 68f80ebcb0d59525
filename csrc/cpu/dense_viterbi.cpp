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
bool find_paths(const DenseTransitions<Real>& transitions, const SequenceTile<Real>& tile, int64_t budget, double beam,
                bool checked, Paths& paths) {
  // With a beam too: so few states are one tile, which is never given up.
  if (NarrowPathFinder<Real>::suits(transitions.graph(), tile, budget)) {
    return NarrowPathFinder<Real>(transitions, tile, checked).find(paths.states, paths.score);
  }
  return DensePathFinder<Real>(transitions, tile, budget, beam, checked).find(paths.states, paths.score);
}

// Viterbi for sequences of a batch that share one graph.
template <class Real>
class DenseSearch {
 public:
  DenseSearch(const Batch& batch, const GraphRecord& record, double beam, FirstInvalid& invalid, int64_t* states,
              double* score)
      : batch_(batch),
        record_(record),
        rows_(batch),
        beam_(beam),
        large_(has_large(rows_.weights() + record.weights_offset, record.weights_size)),
        transitions_(dense_graph(record, rows_.weights())),
        invalid_(invalid),
        states_(states),
        score_(score) {}

  void run(const int64_t* sequences, int count) const {
    if (!large_ && run_together(sequences, count)) return;
    for (int q = 0; q < count; ++q) run_carefully(sequences[q]);
  }

 private:
  // False, and no score filled, if scores are not all finite and moderate.
  bool run_together(const int64_t* sequences, int count) const {
    ScoreRows<Real> scores[kDenseTile];
    Paths paths;
    for (int q = 0; q < count; ++q) {
      scores[q] = rows_.sequence(sequences[q]);
      paths.states[q] = path(sequences[q]);
    }
    if (!find_paths<Real>(transitions_, {scores, count}, rows_.budget(), beam_, false, paths)) return false;
    for (int q = 0; q < count; ++q) score_[sequences[q]] = paths.score[q];
    return true;
  }

  // One sequence whose scores have to be looked at first.
  void run_carefully(int64_t b) const {
    const ScoreRows<Real> scores = rows_.sequence(b);
    const ScoreScan scan = scan_scores(scores, ColumnsRead(record_, batch_.columns));
    if (scan.invalid_frame >= 0) return invalid_.report(b, scan.invalid_frame);
    Paths paths{{path(b)}, {}};
    if (sizeof(Real) == sizeof(double) || !(scan.large || large_)) {
      find_paths<Real>(transitions_, {&scores, 1}, rows_.budget(), beam_, true, paths);
    } else {
      find_in_double(scores, paths);
    }
    score_[b] = paths.score[0];
  }

  void find_in_double(const ScoreRows<float>& scores, Paths& paths) const {
    const Widened wide(record_, scores, rows_.weights());
    const ScoreRows<double> in_double = wide.scores();
    const DenseTransitions<double> transitions(dense_graph(wide.record(), wide.weights()));
    find_paths<double>(transitions, {&in_double, 1}, rows_.budget(), beam_, true, paths);
  }
  void find_in_double(const ScoreRows<double>&, Paths&) const {}

  int64_t* path(int64_t b) const { return states_ + b * batch_.frames; }

  const Batch& batch_;
  const GraphRecord& record_;
  BatchRows<Real> rows_;
  double beam_;
  bool large_;  // weights
  DenseTransitions<Real> transitions_;
  FirstInvalid& invalid_;
  int64_t* states_;
  double* score_;
};

}  // namespace

template <class Real>
void dense_viterbi(const Batch& batch, const GraphRecord& record, double beam, int64_t b, FirstInvalid& invalid,
                   int64_t* states, double* score) {
  DenseSearch<Real>(batch, record, beam, invalid, states, score).run(&b, 1);
}

template <class Real>
void dense_viterbi_batch(const Batch& batch, double beam, FirstInvalid& invalid, int64_t* states, double* score) {
  const GraphRecord record = graph_record(batch, 0);
  const DenseTiles<Real> tiles(batch);
  const DenseSearch<Real> search(batch, record, beam, invalid, states, score);
  parallel_for(tiles.count(), batch.threads,
               [&](int64_t tile) { search.run(tiles.sequences(tile), tiles.size(tile)); });
}

template void dense_viterbi<float>(const Batch&, const GraphRecord&, double, int64_t, FirstInvalid&, int64_t*, double*);
template void dense_viterbi<double>(const Batch&, const GraphRecord&, double, int64_t, FirstInvalid&, int64_t*,
                                    double*);
template void dense_viterbi_batch<float>(const Batch&, double, FirstInvalid&, int64_t*, double*);
template void dense_viterbi_batch<double>(const Batch&, double, FirstInvalid&, int64_t*, double*);

}  // namespace streamhmm
