// What the kernels of diagonal Gaussians work on: see diagonal.h for the formulas.
#pragma once

#include <cstdint>

namespace streamhmm {

// Gaussians and features are padded to whole groups, so that kernels need no masks where they read.
constexpr int64_t kGaussianGroup = 16;
constexpr int64_t kFeatureGroup = 4;
constexpr int64_t kDensityRows = 64;  // rows whose features less the origin are held at once
constexpr int64_t kMomentRows = 32;   // the same, with their squares and weights

// Some rows of frames, and the densities of each.
template <class Real>
struct DiagonalDensities {
  const Real* frames;
  int64_t rows;
  int64_t dims;
  int64_t stride;
  const Real* origin;  // (dims)
  int64_t gaussians;   // K, and `padded` in whole groups
  int64_t padded;
  const Real* constant;  // (padded)
  const Real* linear;    // (dims, padded)
  const Real* square;    // (dims, padded)
  Real* centred;         // (kDensityRows, dims) of scratch
  Real* out;             // (rows, gaussians)
};

// Some rows of frames with their weights, and sums to which these are added.
template <class Real>
struct DiagonalMoments {
  const Real* frames;
  int64_t rows;
  int64_t dims;  // D, and `padded_dims` in whole groups
  int64_t padded_dims;
  int64_t stride;
  const Real* origin;  // (dims)
  const Real* weights;
  int64_t weights_stride;
  int64_t gaussians;  // K, and `padded` in whole groups
  int64_t padded;
  double* features;  // (kMomentRows, 2, padded_dims) of scratch: x and x²
  double* spread;    // (kMomentRows, padded) of scratch: weights
  double* mass;      // (padded)
  double* total;     // (padded_dims, padded)
  double* squares;   // (padded_dims, padded)
};

}  // namespace streamhmm
