// The driver of forward and backward: segment by segment where memory is short, with the numbers that fit the range.
#include "../forward_backward.h"

#include <algorithm>
#include <limits>

#include "batch_rows.h"
#include "dense_sums.h"
#include "dense_tiles.h"
#include "forward_rows.h"
#include "pdf_summer.h"
#include "sum_targets.h"
#include "thread_pool.h"
#include "with_summer.h"

namespace streamhmm {
namespace {

constexpr double kImpossible = -std::numeric_limits<double>::infinity();

template <class Summer, class Real>
class SumFinder {
 public:
  SumFinder(Summer& summer, const GraphRecord& record, const ScoreRows<Real>& scores, const ColumnsRead& columns,
            int64_t budget, bool forward_only)
      : summer_(summer),
        record_(record),
        scores_(scores),
        rows_(forward_only ? ForwardRows<Summer, Real>::last_only(summer, scores)
                           : ForwardRows<Summer, Real>(summer, scores, budget)),
        by_pdf_(forward_only ? PdfSummer<Real>() : PdfSummer<Real>(record, columns)) {}

  double log_likelihood() { return summer_.finish(rows_.run()); }

  void posteriors(const Targets<Real>& to) {
    summer_.start_backward();
    rows_.backwards([&](int64_t t, const uint8_t* alpha, const uint8_t* previous) {
      summer_.posterior(alpha, by_pdf_.gamma(t));
      deliver(to, t);
      if (t == 0) return;
      summer_.enter(t);
      summer_.backward(scores_.data + t * scores_.stride, previous, to.counts);
    });
  }

 private:
  void deliver(const Targets<Real>& to, int64_t t) {
    const int32_t states = record_.states;
    const Real* gamma = by_pdf_.gamma(t);
    if (to.by_state != nullptr) std::copy_n(gamma, states, to.by_state + t * to.states_wide);
    if (to.by_pdf != nullptr) by_pdf_.deliver(t, scores_.frames, to.by_pdf_scale, to.by_pdf);
    if (to.counts == nullptr) return;
    double* final = to.counts + record_.weights_size - states;
    double* initial = final - states;
    for (int32_t j = 0; t == 0 && j < states; ++j) initial[j] += gamma[j];
    for (int32_t j = 0; t == scores_.frames - 1 && j < states; ++j) final[j] += gamma[j];
  }

  Summer& summer_;
  GraphRecord record_;
  ScoreRows<Real> scores_;
  ForwardRows<Summer, Real> rows_;
  PdfSummer<Real> by_pdf_;
};

template <class Summer, class Real>
double sum_with(Summer& summer, const GraphRecord& record, const ScoreRows<Real>& scores, const ColumnsRead& columns,
                int64_t budget, const Targets<Real>& to) {
  SumFinder<Summer, Real> finder(summer, record, scores, columns, budget, !to.any());
  const double log_likelihood = finder.log_likelihood();
  if (to.any() && log_likelihood > kImpossible) finder.posteriors(to);
  return log_likelihood;
}

template <class Real>
void sum_sequence(const Batch& batch, const Sums& sums, int64_t b, bool dense_tried, FirstInvalid& invalid) {
  const BatchRows<Real> rows(batch);
  const ScoreRows<Real> scores = rows.sequence(b);
  if (scores.frames == 0) return clear_behind<Real>(sums, batch, b, 0, 0);
  const GraphRecord record = graph_record(batch, b);
  if (record.family == Family::dense && !dense_tried && dense_sums<Real>(batch, record, b, sums)) return;
  const ColumnsRead columns(record, batch.columns);
  const int64_t bad = scan_scores(scores, columns).invalid_frame;
  if (bad >= 0) return invalid.report(b, bad);
  const auto to = targets_of<Real>(sums, batch, record, b);
  double result = kImpossible;
  with_summer<DenseNumbers::logarithms>(record, scores, rows.weights(), columns, [&](auto& summer) {
    result = sum_with(summer, record, scores, columns, rows.budget(), to);
  });
  clear_behind<Real>(sums, batch, b, result > kImpossible ? scores.frames : 0, record.states);
  if (sums.log_likelihood != nullptr) sums.log_likelihood[b] = result;
}

template <class Real>
InvalidScore sum_batch(const Batch& batch, const Sums& sums) {
  FirstInvalid invalid;
  Buffer<bool> done(batch.batch, false);
  if (sums.log_likelihood != nullptr) std::fill_n(sums.log_likelihood, batch.batch, kImpossible);
  const bool tiled = shares_dense_graph(batch);
  if (tiled) dense_sums_batch<Real>(batch, sums, done.data());
  if (std::all_of(done.data(), done.data() + batch.batch, [](bool one) { return one; })) return invalid.result();
  parallel_for(batch.batch, batch.threads, [&](int64_t b) {
    if (!done[b]) sum_sequence<Real>(batch, sums, b, tiled, invalid);
  });
  return invalid.result();
}

}  // namespace

InvalidScore forward_backward(const Batch& batch, const Sums& sums) {
  return batch.is_double ? sum_batch<double>(batch, sums) : sum_batch<float>(batch, sums);
}

}  // namespace streamhmm
