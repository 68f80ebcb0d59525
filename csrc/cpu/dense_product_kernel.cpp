// The product of rows with a matrix, by which forward and backward on a dense graph step from frame to frame in the
// probability domain. The recursions are those of ../forward_backward.h, each row scaled by a power of two.
#include "dense.h"
#include "exponential.h"
#include "kernels.h"
#include "simd.h"

namespace streamhmm {
namespace STREAMHMM_TARGET {
namespace {

template <class Real>
STREAMHMM_KERNEL int64_t padded(int64_t states) {
  return (states + Vec<Real>::kLanes - 1) / Vec<Real>::kLanes * Vec<Real>::kLanes;
}

// Sums side by side, so that none waits for the one before; as many for one sequence as for a tile, so that the results
// are the same.
template <int kVectors>
constexpr int kChains = kVectors == 1   ? 4
                        : kVectors == 2 ? 2
                                        : 1;

template <class Real, int kSequences, int kVectors>
STREAMHMM_KERNEL void add_row(const Real* const* rows, const Real* weights, int64_t i, Vec<Real> (*sum)[kVectors]) {
  using V = Vec<Real>;
  V weight[kVectors];
  for (int v = 0; v < kVectors; ++v) weight[v] = V::load(weights + v * V::kLanes);
  for (int q = 0; q < kSequences; ++q) {
    const V from = V::fill(rows[q][i]);
    for (int v = 0; v < kVectors; ++v) sum[q][v] = V::multiply_add(from, weight[v], sum[q][v]);
  }
}

template <class Real, int kSequences, int kVectors>
STREAMHMM_KERNEL void sum_of_panel(const DenseProduct<Real>& d, const Real* panel, Vec<Real> (*sum)[kVectors]) {
  using V = Vec<Real>;
  constexpr int kMany = kChains<kVectors>;
  constexpr int64_t kWidth = kVectors * V::kLanes;
  V chain[kMany][kSequences][kVectors];
  for (int c = 0; c < kMany; ++c) {
    for (int q = 0; q < kSequences; ++q) {
      for (int v = 0; v < kVectors; ++v) chain[c][q][v] = V::fill(0);
    }
  }
  int64_t i = 0;
  for (; i + kMany <= d.states; i += kMany) {
    for (int c = 0; c < kMany; ++c) {
      add_row<Real, kSequences, kVectors>(d.rows, panel + (i + c) * kWidth, i + c, chain[c]);
    }
  }
  for (; i < d.states; ++i) add_row<Real, kSequences, kVectors>(d.rows, panel + i * kWidth, i, chain[0]);
  for (int q = 0; q < kSequences; ++q) {
    for (int v = 0; v < kVectors; ++v) {
      sum[q][v] = chain[0][q][v];
      for (int c = 1; c < kMany; ++c) sum[q][v] = V::add(sum[q][v], chain[c][q][v]);
    }
  }
}

template <class Real, int kSequences, int kVectors>
STREAMHMM_KERNEL void product_panel(const DenseProduct<Real>& d, const Real* panel, int64_t first, Vec<Real>* highest) {
  using V = Vec<Real>;
  V sum[kSequences][kVectors];
  sum_of_panel<Real, kSequences, kVectors>(d, panel, sum);
  for (int q = 0; q < kSequences; ++q) {
    for (int v = 0; v < kVectors; ++v) {
      const int64_t at = first + v * V::kLanes;
      if (d.factors[q] != nullptr) sum[q][v] = V::mul(sum[q][v], V::load(d.factors[q] + at));
      highest[q] = V::max(highest[q], sum[q][v]);
      V::store(d.out[q] + at, sum[q][v]);
    }
  }
}

template <class Real>
STREAMHMM_KERNEL int32_t exponent_of_row(Vec<Real> highest) {
  const Real top = Vec<Real>::largest_lane(highest);
  return top > 0 ? exponent_of(top) : kEmptyRow;
}

template <class Real>
STREAMHMM_KERNEL void shrink(Real* row, int32_t exponent, int64_t states) {
  using V = Vec<Real>;
  if (exponent == kEmptyRow) return;
  const V factor = V::fill(power_of_two<Real>(-exponent));
  for (int64_t j = 0; j < states; j += V::kLanes) V::store(row + j, V::mul(V::load(row + j), factor));
}

template <class Real, int kSequences>
void product_of_tile(DenseProduct<Real>& d) {
  constexpr int64_t kLanes = Vec<Real>::kLanes, kWidth = kPanelVectors * kLanes;
  const int64_t end = padded<Real>(d.states);
  const Real* panel = d.panels;
  Vec<Real> highest[kSequences];
  for (int q = 0; q < kSequences; ++q) highest[q] = Vec<Real>::fill(0);
  for (int64_t first = 0; first < end; first += kWidth) {
    const int64_t width = end - first < kWidth ? end - first : kWidth;
    switch (width / kLanes) {
      case 1:
        product_panel<Real, kSequences, 1>(d, panel, first, highest);
        break;
      case 2:
        product_panel<Real, kSequences, 2>(d, panel, first, highest);
        break;
      case 3:
        product_panel<Real, kSequences, 3>(d, panel, first, highest);
        break;
      default:
        product_panel<Real, kSequences, 4>(d, panel, first, highest);
        break;
    }
    panel += width * d.states;
  }
  for (int q = 0; q < kSequences; ++q) d.exponent[q] = exponent_of_row(highest[q]);
  for (int q = 0; q < kSequences; ++q) shrink(d.out[q], d.exponent[q], d.states);
}

template <class Real>
void product(DenseProduct<Real>& d) {
  switch (d.sequences) {
    case 1:
      return product_of_tile<Real, 1>(d);
    case 2:
      return product_of_tile<Real, 2>(d);
    case 3:
      return product_of_tile<Real, 3>(d);
    default:
      return product_of_tile<Real, 4>(d);
  }
}

template <class Real>
int32_t scale_row(Real* row, const Real* factors, int32_t states) {
  using V = Vec<Real>;
  V highest = V::fill(0);
  for (int64_t j = 0; j < states; j += V::kLanes) {
    const V x = V::mul(V::load(row + j), V::load(factors + j));
    highest = V::max(highest, x);
    V::store(row + j, x);
  }
  const int32_t exponent = exponent_of_row(highest);
  shrink(row, exponent, states);
  return exponent;
}

template <class Real>
void fill(KernelsOf<Real>& table) {
  table.dense_product = product<Real>;
  table.scale_row = scale_row<Real>;
}

}  // namespace

void fill_dense_product(Kernels& table) {
  fill(table.single_precision);
  fill(table.double_precision);
}

}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
