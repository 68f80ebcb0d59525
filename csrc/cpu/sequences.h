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
    const int64_t bad = scan_scores(scores, columns).invalid_frame;
    if (bad >= 0) return invalid.report(b, bad);
    use({b, record, scores, rows.weights(), columns, rows.budget()});
  });
  return invalid.result();
}

}  // namespace streamhmm
