#include "dense_sums.h"

#include "dense_sum_finder.h"
#include "flush_denormals.h"
#include "widened.h"

namespace streamhmm {
namespace {

template <class Real, class Out>
bool sum_tile(const GraphRecord& record, const ScoreRows<Real>* scores, int count, const Real* weights, int64_t budget,
              const Targets<Out>* to, bool forward_only, double* log_likelihood) {
  const FlushDenormals flush;
  DenseSumFinder<Real, Out> finder(dense_graph(record, weights), scores, count, budget, forward_only);
  return finder.log_likelihoods(log_likelihood) && (forward_only || finder.posteriors(to));
}

// Counts are added to; what else a refused attempt has written will be written over.
template <class Real>
void clear_counts(const GraphRecord& record, const Targets<Real>& to) {
  if (to.counts != nullptr) std::fill_n(to.counts, record.weights_size, 0.0);
}

bool sum_in_double(const GraphRecord& record, const ScoreRows<float>& scores, const float* weights, int64_t budget,
                   const Targets<float>& to, double* log_likelihood) {
  const Widened wide(record, scores, weights);
  const ScoreRows<double> in_double = wide.scores();
  return sum_tile<double, float>(wide.record(), &in_double, 1, wide.weights(), budget, &to, false, log_likelihood);
}
bool sum_in_double(const GraphRecord&, const ScoreRows<double>&, const double*, int64_t, const Targets<double>&,
                   double*) {
  return false;  // was tried
}

// One sequence of a tile that was refused: by itself and with the backward pass, which refuses least, where that has
// not been tried; then in double.
template <class Real>
bool sum_again(const Batch& batch, const GraphRecord& record, const ScoreRows<Real>& scores, bool tried,
               const Targets<Real>& to, double* log_likelihood) {
  const BatchRows<Real> rows(batch);
  clear_counts(record, to);
  if (!tried && sum_tile(record, &scores, 1, rows.weights(), rows.budget(), &to, false, log_likelihood)) return true;
  clear_counts(record, to);
  if (sum_in_double(record, scores, rows.weights(), rows.budget(), to, log_likelihood)) return true;
  clear_counts(record, to);
  return false;
}

}  // namespace

template <class Real>
uint32_t dense_sums(const Batch& batch, const GraphRecord& record, const int64_t* sequences, int count,
                    const Sums& sums) {
  const BatchRows<Real> rows(batch);
  ScoreRows<Real> scores[kDenseTile];
  Targets<Real> to[kDenseTile];
  double result[kDenseTile];
  for (int q = 0; q < count; ++q) {
    scores[q] = rows.sequence(sequences[q]);
    to[q] = targets_of<Real>(sums, batch, record, sequences[q]);
  }
  const bool all = sum_tile(record, scores, count, rows.weights(), rows.budget(), to, !to[0].any(), result);
  uint32_t done = 0;
  for (int q = 0; q < count; ++q) {
    if (!all && !sum_again(batch, record, scores[q], count == 1 && to[0].any(), to[q], result + q)) continue;
    clear_behind<Real>(sums, batch, sequences[q], scores[q].frames, record.states);
    if (sums.log_likelihood != nullptr) sums.log_likelihood[sequences[q]] = result[q];
    done |= 1u << q;
  }
  return done;
}

template uint32_t dense_sums<float>(const Batch&, const GraphRecord&, const int64_t*, int, const Sums&);
template uint32_t dense_sums<double>(const Batch&, const GraphRecord&, const int64_t*, int, const Sums&);

}  // namespace streamhmm
