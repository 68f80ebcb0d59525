// The choice of the summer for a sequence, shared by all drivers of sums.
#pragma once

#include <algorithm>
#include <utility>

#include "../graph.h"
#include "arc_summer.h"
#include "batch_rows.h"
#include "dense_log_summer.h"
#include "dense_summer.h"
#include "flush_denormals.h"
#include "linear_summer.h"

namespace streamhmm {

template <class Real>
bool fits_range(const GraphRecord& record, const ScoreRows<Real>& scores, const Real* weights,
                const ColumnsRead& columns) {
  const auto& largest = kernels_of<Real>().largest;
  const ScoreRows<Real> all{weights + record.weights_offset, 1, record.weights_size, record.weights_size};
  const double of_weights = largest(all, nullptr, static_cast<int32_t>(record.weights_size));
  const double of_scores = largest(scores, columns.data(), columns.count());
  return fits_scaled_range(2 * scores.frames + 2, std::max(of_weights, of_scores));
}

template <class Real>
ArcList<Real> all_arcs(const GraphRecord& record, const Real* weights) {
  if (record.family == Family::linear) return arc_list(linear_graph(record, weights));
  return arc_list(sparse_graph(record, weights));
}

// What to try for a dense graph, narrower numbers before wider ones.
enum class DenseNumbers { as_scores, in_double, logarithms };

// Whether use(summer) went right with rows of `Number`.
template <class Number, class Real, class Use>
bool try_dense(const DenseGraph<Real>& graph, const Use& use) {
  const FlushDenormals flush;
  DenseSummer<Real, Number> summer(graph);
  use(summer);
  return summer.right();
}

template <DenseNumbers kFirst, class Real, class Use>
void with_dense_summer(const DenseGraph<Real>& graph, const Use& use) {
  if constexpr (kFirst == DenseNumbers::as_scores) {
    if (try_dense<Real>(graph, use)) return;
  }
  constexpr bool kTried = kFirst == DenseNumbers::as_scores && sizeof(Real) == sizeof(double);
  if constexpr (kFirst != DenseNumbers::logarithms && !kTried) {
    if (try_dense<double>(graph, use)) return;
  }
  DenseLogSummer<Real> summer(graph);
  use(summer);
}

// use(summer) with one that suits the graph's family and whose numbers hold every path's weight. On a dense graph it
// may be used again: what it does then must replace what it did before.
template <DenseNumbers kFirst, class Real, class Use>
void with_summer(const GraphRecord& record, const ScoreRows<Real>& scores, const Real* weights,
                 const ColumnsRead& columns, const Use& use) {
  if (record.family == Family::dense) return with_dense_summer<kFirst>(dense_graph(record, weights), use);
  const bool linear = record.family == Family::linear;
  const bool fits = fits_range(record, scores, weights, columns);
  if (linear && fits) {
    LinearSummer<Real> summer(linear_graph(record, weights), columns, scores);
    return use(summer);
  }
  auto arcs = all_arcs(record, weights);
  if (fits) {
    ArcSummer<Real, Scaled<Real>> summer(std::move(arcs), columns);
    return use(summer);
  }
  ArcSummer<Real, LogNumber> summer(std::move(arcs), columns);
  return use(summer);
}

}  // namespace streamhmm
