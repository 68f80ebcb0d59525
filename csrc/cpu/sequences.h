// The sequences of a batch, each made ready for a driver, in parallel.
#pragma once

#include "batch_rows.h"
#include "thread_pool.h"

namespace streamhmm {

template <class Real>
struct Sequence {
  int64_t index;
  const GraphRecord& record;
  const ScoreRows<Real>& scores;
  const Real* weights;
  const ColumnsRead& columns;
  ScoreScan scan;
  int64_t budget;  // bytes for what grows with frames × states
};

// use(sequence) for each that has frames and valid scores; returns the first of those that have not.
template <class Real, class Use>
InvalidScore for_each_sequence(const Batch& batch, const Use& use) {
  FirstInvalid invalid;
  const BatchRows<Real> rows(batch);
  parallel_for(batch.batch, batch.threads, [&](int64_t b) {
    const ScoreRows<Real> scores = rows.sequence(b);
    if (scores.frames == 0) return;
    const GraphRecord record = graph_record(batch, b);
    const ColumnsRead columns(record, batch.columns);
    const ScoreScan scan = scan_scores(scores, columns);
    if (scan.invalid_frame >= 0) return invalid.report(b, scan.invalid_frame);
    use({b, record, scores, rows.weights(), columns, scan, rows.budget()});
  });
  return invalid.result();
}

}  // namespace streamhmm
