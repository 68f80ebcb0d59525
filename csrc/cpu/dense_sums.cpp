#include "dense_sums.h"

#include "dense_sum_finder.h"
#include "dense_tiles.h"
#include "flush_denormals.h"
#include "thread_pool.h"
#include "widened.h"

namespace streamhmm {
namespace {

template <class Real, class Out>
bool sum_tile(const DenseModel<Real>& model, const SequenceTile<Real>& tile, int64_t budget, const Targets<Out>* to,
              bool forward_only, double* log_likelihood) {
  const FlushDenormals flush;
  DenseSumFinder<Real, Out> finder(model, tile, budget, forward_only);
  return finder.log_likelihoods(log_likelihood) && (forward_only || finder.posteriors(to));
}

bool sum_in_double(const GraphRecord& record, const ScoreRows<float>& scores, const float* weights, int64_t budget,
                   const Targets<float>& to, double* log_likelihood) {
  const Widened wide(record, scores, weights);
  const ScoreRows<double> in_double = wide.scores();
  const DenseModel<double> model(dense_graph(wide.record(), wide.weights()), false);
  return sum_tile<double, float>(model, {&in_double, 1}, budget, &to, false, log_likelihood);
}
bool sum_in_double(const GraphRecord&, const ScoreRows<double>&, const double*, int64_t, const Targets<double>&,
                   double*) {
  return false;  // was tried
}

// Sums for sequences of a batch that share one graph.
template <class Real>
class DenseSums {
 public:
  DenseSums(const Batch& batch, const GraphRecord& record, const Sums& sums)
      : batch_(batch),
        record_(record),
        sums_(sums),
        rows_(batch),
        forward_only_(sums.forward_only()),
        model_(dense_graph(record, rows_.weights()), forward_only_) {}

  // Returns a bit for each of them that is done. For the others nothing is filled.
  uint32_t run(const int64_t* sequences, int count) const {
    ScoreRows<Real> scores[kDenseTile];
    Targets<Real> to[kDenseTile];
    double result[kDenseTile];
    for (int q = 0; q < count; ++q) {
      scores[q] = rows_.sequence(sequences[q]);
      to[q] = targets_of<Real>(sums_, batch_, record_, sequences[q]);
    }
    const bool all = sum_tile<Real, Real>(model_, {scores, count}, rows_.budget(), to, forward_only_, result);
    uint32_t done = 0;
    for (int q = 0; q < count; ++q) {
      if (!all && !run_again(scores[q], count == 1 && !forward_only_, to[q], result + q)) continue;
      clear_behind<Real>(sums_, batch_, sequences[q], scores[q].frames, record_.states);
      if (sums_.log_likelihood != nullptr) sums_.log_likelihood[sequences[q]] = result[q];
      done |= 1u << q;
    }
    return done;
  }

 private:
  // One sequence of a tile that was refused: by itself and with the backward pass, which refuses least, where that has
  // not been tried; then in double.
  bool run_again(const ScoreRows<Real>& scores, bool tried, const Targets<Real>& to, double* log_likelihood) const {
    clear_counts(to);
    if (!tried) {
      const DenseModel<Real> model(dense_graph(record_, rows_.weights()), false);
      if (sum_tile<Real, Real>(model, {&scores, 1}, rows_.budget(), &to, false, log_likelihood)) return true;
    }
    clear_counts(to);
    if (sum_in_double(record_, scores, rows_.weights(), rows_.budget(), to, log_likelihood)) return true;
    clear_counts(to);
    return false;
  }

  // Counts are added to; what else a refused attempt has written will be written over.
  void clear_counts(const Targets<Real>& to) const {
    if (to.counts != nullptr) std::fill_n(to.counts, record_.weights_size, 0.0);
  }

  const Batch& batch_;
  const GraphRecord& record_;
  const Sums& sums_;
  BatchRows<Real> rows_;
  bool forward_only_;
  DenseModel<Real> model_;
};

}  // namespace

template <class Real>
bool dense_sums(const Batch& batch, const GraphRecord& record, int64_t b, const Sums& sums) {
  return DenseSums<Real>(batch, record, sums).run(&b, 1) != 0;
}

template <class Real>
void dense_sums_batch(const Batch& batch, const Sums& sums, bool* done) {
  const GraphRecord record = graph_record(batch, 0);
  const DenseTiles<Real> tiles(batch);
  const DenseSums<Real> all(batch, record, sums);
  parallel_for(tiles.count(), batch.threads, [&](int64_t tile) {
    const uint32_t summed = all.run(tiles.sequences(tile), tiles.size(tile));
    for (int q = 0; q < tiles.size(tile); ++q) done[tiles.sequences(tile)[q]] = summed >> q & 1;
  });
}

template bool dense_sums<float>(const Batch&, const GraphRecord&, int64_t, const Sums&);
template bool dense_sums<double>(const Batch&, const GraphRecord&, int64_t, const Sums&);
template void dense_sums_batch<float>(const Batch&, const Sums&, bool*);
template void dense_sums_batch<double>(const Batch&, const Sums&, bool*);

}  // namespace streamhmm
