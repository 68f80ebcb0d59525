// Gaussians with diagonal covariances. With x_n = frame n less the origin:
//   densities:  out[n, k] = c_k + Σ_d (l_dk + q_dk · x_nd) · x_nd
//   moments:    mass[k] = Σ_n w_nk,  total[k, d] = Σ_n w_nk · x_nd,  squares[k, d] = Σ_n w_nk · x_nd²
// Moments are summed in double precision, in an order that depends on the sizes alone, not on the threads.
#pragma once

#include <cstdint>

namespace streamhmm {

// Rows of features, float or double, `stride` elements apart; a row's own elements are contiguous.
struct FrameRows {
  const void* frames;  // (count, dims)
  bool is_double;
  int64_t count;
  int64_t dims;
  int64_t stride;
  const void* origin;  // (dims), or null: zeros
  int32_t threads;
};

// `gaussians` log-densities as polynomials of the features, of the frames' type.
struct DiagonalGaussians {
  int64_t gaussians;
  const void* constant;  // (gaussians)
  const void* linear;    // (dims, gaussians)
  const void* square;    // (dims, gaussians)
};

// Weights of the frames, of their type, with rows `stride` elements apart, and where their sums go.
struct WeightedSums {
  int64_t gaussians;
  const void* weights;  // (count, gaussians)
  int64_t stride;
  double* mass;     // (gaussians)
  double* total;    // (gaussians, dims)
  double* squares;  // (gaussians, dims)
};

// Writes out (count, gaussians), of the frames' type.
void diagonal_densities(const FrameRows& frames, const DiagonalGaussians& model, void* out);

void diagonal_moments(const FrameRows& frames, const WeightedSums& sums);

}  // namespace streamhmm
