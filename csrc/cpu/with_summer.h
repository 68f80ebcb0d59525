// The choice of the summer for a sequence, shared by all drivers of sums.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "../graph.h"
#include "arc_summer.h"
#include "batch_rows.h"
#include "dense_log_summer.h"
#include "linear_summer.h"

namespace streamhmm {

// The largest finite |value|.
template <class Real>
double largest_magnitude(const Real* values, int64_t count) {
  double largest = 0;
  for (int64_t i = 0; i < count; ++i) {
    const double value = std::fabs(static_cast<double>(values[i]));
    if (value > largest && value < std::numeric_limits<double>::infinity()) largest = value;
  }
  return largest;
}

template <class Real>
bool fits_range(const GraphRecord& record, const ScoreRows<Real>& scores, const Real* weights,
                const ColumnsRead& columns) {
  double largest = largest_magnitude(weights + record.weights_offset, record.weights_size);
  for (int64_t t = 0; t < scores.frames; ++t) {
    const Real* row = scores.data + t * scores.stride;
    for (int32_t i = 0; i < columns.count(); ++i) {
      largest = std::max(largest, largest_magnitude(row + columns.data()[i], 1));
    }
  }
  return fits_scaled_range(2 * scores.frames + 2, largest);
}

template <class Real>
ArcList<Real> all_arcs(const GraphRecord& record, const Real* weights) {
  if (record.family == Family::linear) return arc_list(linear_graph(record, weights));
  return arc_list(sparse_graph(record, weights));
}

// use(summer) with one that suits the graph's family and whose numbers hold every path's weight.
template <class Real, class Use>
auto with_summer(const GraphRecord& record, const ScoreRows<Real>& scores, const Real* weights,
                 const ColumnsRead& columns, Use use) {
  if (record.family == Family::dense) {
    DenseLogSummer<Real> summer(dense_graph(record, weights));
    return use(summer);
  }
  const bool linear = record.family == Family::linear;
  const bool fits = fits_range(record, scores, weights, columns);
  if (linear && fits) {
    LinearSummer<Real> summer(linear_graph(record, weights), columns);
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
