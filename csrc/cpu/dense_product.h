// The product of a tile's rows with a matrix in panels, for the kernels that step from frame to frame in the
// probability domain. Each row is scaled by a power of two.
#pragma once

#include "dense.h"
#include "exponential.h"
#include "simd.h"

namespace streamhmm {
namespace STREAMHMM_TARGET {

template <class Real>
STREAMHMM_KERNEL int64_t whole_vectors(int64_t states) {
  return (states + Vec<Real>::kLanes - 1) / Vec<Real>::kLanes * Vec<Real>::kLanes;
}

// What one product reads and writes for each of the sequences.
template <class Real, int kSequences>
struct ProductRows {
  const Real* row[kSequences];
  const Real* factors[kSequences];  // the first null: all 1
  Real* out[kSequences];
  int32_t* exponent[kSequences];
};

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
STREAMHMM_KERNEL void sum_of_panel(const Real* const* rows, const Real* panel, int64_t states,
                                   Vec<Real> (*sum)[kVectors]) {
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
  for (; i + kMany <= states; i += kMany) {
    for (int c = 0; c < kMany; ++c) {
      add_row<Real, kSequences, kVectors>(rows, panel + (i + c) * kWidth, i + c, chain[c]);
    }
  }
  for (; i < states; ++i) add_row<Real, kSequences, kVectors>(rows, panel + i * kWidth, i, chain[0]);
  for (int q = 0; q < kSequences; ++q) {
    for (int v = 0; v < kVectors; ++v) {
      sum[q][v] = chain[0][q][v];
      for (int c = 1; c < kMany; ++c) sum[q][v] = V::add(sum[q][v], chain[c][q][v]);
    }
  }
}

template <class Real, int kSequences, int kVectors>
STREAMHMM_KERNEL void multiply_panel(const ProductRows<Real, kSequences>& r, const Real* panel, int64_t states,
                                     int64_t first, Vec<Real> (*sum)[kVectors]) {
  using V = Vec<Real>;
  sum_of_panel<Real, kSequences, kVectors>(r.row, panel, states, sum);
  if (r.factors[0] == nullptr) return;
  for (int q = 0; q < kSequences; ++q) {
    for (int v = 0; v < kVectors; ++v) {
      sum[q][v] = V::mul(sum[q][v], V::load(r.factors[q] + first + v * V::kLanes));
    }
  }
}

// What scales a row so that its largest value lies in [1, 2), and the exponent of that.
template <class Real>
STREAMHMM_KERNEL Vec<Real> scale_of(Vec<Real> highest, int32_t& exponent) {
  using E = ExponentialOf<Real>;
  using V = Vec<Real>;
  typedef typename E::Integer Integers __attribute__((vector_size(V::kLanes * sizeof(Real))));
  const V top = V::fill(V::largest_lane(highest));
  Integers bits;
  __builtin_memcpy(&bits, &top, sizeof bits);
  bits = bits >> E::kShift;  // never negative
  exponent = bits[0] > 0 ? static_cast<int32_t>(bits[0]) - static_cast<int32_t>(E::kBias) : kEmptyRow;
  bits = (2 * E::kBias - bits) << E::kShift;
  V scale;
  __builtin_memcpy(&scale, &bits, sizeof scale);
  return scale;
}

// A row that one panel holds is scaled before it is stored.
template <class Real, int kSequences, int kVectors>
STREAMHMM_KERNEL void multiply_narrow(const ProductRows<Real, kSequences>& r, const Real* panel, int64_t states) {
  using V = Vec<Real>;
  V sum[kSequences][kVectors];
  multiply_panel<Real, kSequences, kVectors>(r, panel, states, 0, sum);
  for (int q = 0; q < kSequences; ++q) {
    V highest = sum[q][0];
    for (int v = 1; v < kVectors; ++v) highest = V::max(highest, sum[q][v]);
    const V scale = scale_of<Real>(highest, *r.exponent[q]);
    for (int v = 0; v < kVectors; ++v) V::store(r.out[q] + v * V::kLanes, V::mul(sum[q][v], scale));
  }
}

template <class Real, int kSequences, int kVectors>
STREAMHMM_KERNEL void multiply_part(const ProductRows<Real, kSequences>& r, const Real* panel, int64_t states,
                                    int64_t first, Vec<Real>* highest) {
  using V = Vec<Real>;
  V sum[kSequences][kVectors];
  multiply_panel<Real, kSequences, kVectors>(r, panel, states, first, sum);
  for (int q = 0; q < kSequences; ++q) {
    for (int v = 0; v < kVectors; ++v) {
      highest[q] = V::max(highest[q], sum[q][v]);
      V::store(r.out[q] + first + v * V::kLanes, sum[q][v]);
    }
  }
}

template <class Real>
STREAMHMM_KERNEL void shrink(Real* row, Vec<Real> scale, int64_t states) {
  using V = Vec<Real>;
  for (int64_t j = 0; j < states; j += V::kLanes) V::store(row + j, V::mul(V::load(row + j), scale));
}

template <class Real, int kSequences>
STREAMHMM_KERNEL void multiply_wide(const ProductRows<Real, kSequences>& r, const Real* panel, int64_t states) {
  using V = Vec<Real>;
  constexpr int64_t kWidth = kPanelVectors * V::kLanes;
  const int64_t end = whole_vectors<Real>(states);
  V highest[kSequences];
  for (int q = 0; q < kSequences; ++q) highest[q] = V::fill(0);
  int64_t first = 0;
  for (; first + kWidth <= end; first += kWidth, panel += kWidth * states) {
    multiply_part<Real, kSequences, 4>(r, panel, states, first, highest);
  }
  switch ((end - first) / V::kLanes) {
    case 1:
      multiply_part<Real, kSequences, 1>(r, panel, states, first, highest);
      break;
    case 2:
      multiply_part<Real, kSequences, 2>(r, panel, states, first, highest);
      break;
    case 3:
      multiply_part<Real, kSequences, 3>(r, panel, states, first, highest);
      break;
    default:
      break;
  }
  for (int q = 0; q < kSequences; ++q) {
    const V scale = scale_of<Real>(highest[q], *r.exponent[q]);
    shrink(r.out[q], scale, states);
  }
}

template <class Real, int kSequences>
STREAMHMM_KERNEL void multiply(const ProductRows<Real, kSequences>& r, const Real* panels, int64_t states) {
  switch (whole_vectors<Real>(states) / Vec<Real>::kLanes) {
    case 1:
      return multiply_narrow<Real, kSequences, 1>(r, panels, states);
    case 2:
      return multiply_narrow<Real, kSequences, 2>(r, panels, states);
    case 3:
      return multiply_narrow<Real, kSequences, 3>(r, panels, states);
    case 4:
      return multiply_narrow<Real, kSequences, 4>(r, panels, states);
    default:
      return multiply_wide<Real, kSequences>(r, panels, states);
  }
}

}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
