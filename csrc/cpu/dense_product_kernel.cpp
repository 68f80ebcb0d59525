// Forward on a dense graph in the probability domain, and backward with what it gives together with forward. The
// recursions are those of ../forward_backward.h, each row scaled by a power of two.
#include "dense_product.h"
#include "kernels.h"

namespace streamhmm {
namespace STREAMHMM_TARGET {
namespace {

template <class Real, int kSequences>
void product_of_tile(const DenseProduct<Real>& d) {
  const int64_t row = dense_row_size(d.states);
  ProductRows<Real, kSequences> r;
  for (int q = 0; q < kSequences; ++q) r.row[q] = d.row[q];
  for (int64_t t = 0; t < d.frames; ++t) {
    for (int q = 0; q < kSequences; ++q) {
      r.factors[q] = d.factors[q] != nullptr ? d.factors[q] + t * row : nullptr;
      r.out[q] = d.out[q] + t * row;
      r.exponent[q] = d.exponent[q] + t;
    }
    multiply<Real, kSequences>(r, d.panels, d.states);
    for (int q = 0; q < kSequences; ++q) r.row[q] = r.out[q];
  }
}

template <class Real>
void product(const DenseProduct<Real>& d) {
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

// Frame t of sequence q: what α and β give where they meet, and β with the frame's emissions.
template <class Real>
STREAMHMM_KERNEL void meet(const DenseReturn<Real>& d, int q, int64_t t) {
  using V = Vec<Real>;
  const int64_t row = dense_row_size(d.states);
  const Real *alpha = d.alpha[q] + t * row, *emission = d.emission[q] + t * row, *beta = d.beta[q];
  Real *emitted = d.emitted[q] + t * row, *gamma = d.gamma[q] + t * d.gamma_stride[q];
  V sum = V::fill(0);
  for (int64_t j = 0; j < d.states; j += V::kLanes) {
    const V b = V::load(beta + j);
    sum = V::multiply_add(V::load(alpha + j), b, sum);
    V::store(emitted + j, V::mul(b, V::load(emission + j)));
  }
  d.sum[q][t] = V::sum_of_lanes(sum);
  const V share = V::fill(d.scale[q] / d.sum[q][t]);
  int64_t j = 0;
  for (; j + V::kLanes <= d.states; j += V::kLanes) {
    V::store(gamma + j, V::mul(V::mul(V::load(alpha + j), V::load(beta + j)), share));
  }
  if (j == d.states) return;
  const V last = V::mul(V::mul(V::load(alpha + j), V::load(beta + j)), share);
  V::store_first(gamma + j, static_cast<int>(d.states - j), last);
}

template <class Real, int kSequences>
void return_of_tile(const DenseReturn<Real>& d) {
  const int64_t row = dense_row_size(d.states);
  ProductRows<Real, kSequences> r;
  for (int64_t t = d.frames - 1; t >= 0; --t) {
    for (int q = 0; q < kSequences; ++q) {
      meet(d, q, t);
      r.row[q] = d.emitted[q] + t * row;
      r.factors[q] = nullptr;
      r.out[q] = d.beta[q];
      r.exponent[q] = d.exponent[q] + t;
    }
    if (t >= d.open) multiply<Real, kSequences>(r, d.panels, d.states);
  }
}

template <class Real>
void go_back(const DenseReturn<Real>& d) {
  switch (d.sequences) {
    case 1:
      return return_of_tile<Real, 1>(d);
    case 2:
      return return_of_tile<Real, 2>(d);
    case 3:
      return return_of_tile<Real, 3>(d);
    default:
      return return_of_tile<Real, 4>(d);
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
  int32_t exponent;
  const V scale = scale_of<Real>(highest, exponent);
  shrink(row, scale, states);
  return exponent;
}

template <class Real>
void fill(KernelsOf<Real>& table) {
  table.dense_product = product<Real>;
  table.dense_return = go_back<Real>;
  table.scale_row = scale_row<Real>;
}

}  // namespace

void fill_dense_product(Kernels& table) {
  fill(table.single_precision);
  fill(table.double_precision);
}

}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
