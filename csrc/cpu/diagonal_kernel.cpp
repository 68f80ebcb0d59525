// Densities and moments of diagonal Gaussians, in registers: a few vectors of Gaussians by a few frames or features.
#include "kernels.h"
#include "simd.h"
#include "target.h"

namespace streamhmm {
namespace STREAMHMM_TARGET {
namespace {

template <class Real>
constexpr int kLanes = Vec<Real>::kLanes;

// Vectors of Gaussians at once: two, which hide that an addition takes time, unless one holds a whole group.
template <class Real>
constexpr int kVectors = 2 * kLanes<Real> <= kGaussianGroup ? 2 : 1;

#if defined(__AVX512F__)
constexpr int kTileRows = 8, kTileFeatures = 4;  // 32 registers
#else
constexpr int kTileRows = 4, kTileFeatures = 2;  // 16
#endif

// Densities of kRows rows for the Gaussians from k on.
template <int kRows, class Real>
STREAMHMM_KERNEL void score_tile(const DiagonalDensities<Real>& d, int64_t row, const Real* centred, int64_t k) {
  using V = Vec<Real>;
  V sums[kRows][kVectors<Real>];
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors<Real>; ++v) sums[r][v] = V::load(d.constant + k + v * kLanes<Real>);
  }
  const Real *linear = d.linear + k, *square = d.square + k;
  for (int64_t i = 0; i < d.dims; ++i, linear += d.padded, square += d.padded) {
    V l[kVectors<Real>], q[kVectors<Real>];
    for (int v = 0; v < kVectors<Real>; ++v) {
      l[v] = V::load(linear + v * kLanes<Real>);
      q[v] = V::load(square + v * kLanes<Real>);
    }
    for (int r = 0; r < kRows; ++r) {
      const V x = V::fill(centred[r * d.dims + i]);
      for (int v = 0; v < kVectors<Real>; ++v) {
        sums[r][v] = V::multiply_add(V::multiply_add(q[v], x, l[v]), x, sums[r][v]);
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    Real* out = d.out + (row + r) * d.gaussians;
    for (int v = 0; v < kVectors<Real>; ++v) {
      const int64_t first = k + v * kLanes<Real>, left = d.gaussians - first;
      if (left >= kLanes<Real>) {
        V::store(out + first, sums[r][v]);
      } else if (left > 0) {
        V::store_first(out + first, static_cast<int>(left), sums[r][v]);
      }
    }
  }
}

template <class Real>
void densities(const DiagonalDensities<Real>& d) {
  for (int64_t begin = 0; begin < d.rows; begin += kDensityRows) {
    const int64_t rows = d.rows - begin < kDensityRows ? d.rows - begin : kDensityRows;
    for (int64_t r = 0; r < rows; ++r) {
      const Real* frame = d.frames + (begin + r) * d.stride;
      for (int64_t i = 0; i < d.dims; ++i) d.centred[r * d.dims + i] = frame[i] - d.origin[i];
    }
    for (int64_t k = 0; k < d.gaussians; k += kVectors<Real> * kLanes<Real>) {
      int64_t r = 0;
      for (; r + kTileRows <= rows; r += kTileRows) score_tile<kTileRows>(d, begin + r, d.centred + r * d.dims, k);
      for (; r < rows; ++r) score_tile<1>(d, begin + r, d.centred + r * d.dims, k);
    }
  }
}

// x, x² and the weights of some rows, in double precision and padded with zeros.
template <class Real>
STREAMHMM_KERNEL void spread_rows(const DiagonalMoments<Real>& m, int64_t begin, int64_t rows) {
  for (int64_t r = 0; r < rows; ++r) {
    const Real *frame = m.frames + (begin + r) * m.stride, *weights = m.weights + (begin + r) * m.weights_stride;
    double *x = m.features + r * 2 * m.padded_dims, *squares = x + m.padded_dims, *spread = m.spread + r * m.padded;
    for (int64_t i = 0; i < m.dims; ++i) {
      const double value = static_cast<double>(frame[i]) - static_cast<double>(m.origin[i]);
      x[i] = value;
      squares[i] = value * value;
    }
    for (int64_t i = m.dims; i < m.padded_dims; ++i) x[i] = squares[i] = 0;
    for (int64_t k = 0; k < m.gaussians; ++k) spread[k] = static_cast<double>(weights[k]);
    for (int64_t k = m.gaussians; k < m.padded; ++k) spread[k] = 0;
  }
}

constexpr int kWide = kLanes<double>, kPair = kVectors<double>;

// Adds the weights of the Gaussians from k on.
template <class Real>
STREAMHMM_KERNEL void add_mass(const DiagonalMoments<Real>& m, int64_t rows, int64_t k) {
  using V = Vec<double>;
  V sums[kPair];
  for (int v = 0; v < kPair; ++v) sums[v] = V::load(m.mass + k + v * kWide);
  const double* weights = m.spread + k;
  for (int64_t r = 0; r < rows; ++r, weights += m.padded) {
    for (int v = 0; v < kPair; ++v) sums[v] = V::add(sums[v], V::load(weights + v * kWide));
  }
  for (int v = 0; v < kPair; ++v) V::store(m.mass + k + v * kWide, sums[v]);
}

// Adds w · x and w · x² of kTileFeatures features from i on, for the Gaussians from k on.
template <class Real>
STREAMHMM_KERNEL void add_tile(const DiagonalMoments<Real>& m, int64_t rows, int64_t i, int64_t k) {
  using V = Vec<double>;
  double *total = m.total + i * m.padded + k, *squares = m.squares + i * m.padded + k;
  V first[kTileFeatures][kPair], second[kTileFeatures][kPair];
  for (int f = 0; f < kTileFeatures; ++f) {
    for (int v = 0; v < kPair; ++v) {
      first[f][v] = V::load(total + f * m.padded + v * kWide);
      second[f][v] = V::load(squares + f * m.padded + v * kWide);
    }
  }
  const double *weights = m.spread + k, *x = m.features + i;
  for (int64_t r = 0; r < rows; ++r, weights += m.padded, x += 2 * m.padded_dims) {
    V w[kPair];
    for (int v = 0; v < kPair; ++v) w[v] = V::load(weights + v * kWide);
    for (int f = 0; f < kTileFeatures; ++f) {
      const V value = V::fill(x[f]), square = V::fill(x[m.padded_dims + f]);
      for (int v = 0; v < kPair; ++v) {
        first[f][v] = V::multiply_add(w[v], value, first[f][v]);
        second[f][v] = V::multiply_add(w[v], square, second[f][v]);
      }
    }
  }
  for (int f = 0; f < kTileFeatures; ++f) {
    for (int v = 0; v < kPair; ++v) {
      V::store(total + f * m.padded + v * kWide, first[f][v]);
      V::store(squares + f * m.padded + v * kWide, second[f][v]);
    }
  }
}

template <class Real>
void moments(const DiagonalMoments<Real>& m) {
  static_assert(kFeatureGroup % kTileFeatures == 0 && kGaussianGroup % (kPair * kWide) == 0);
  for (int64_t begin = 0; begin < m.rows; begin += kMomentRows) {
    const int64_t rows = m.rows - begin < kMomentRows ? m.rows - begin : kMomentRows;
    spread_rows(m, begin, rows);
    for (int64_t k = 0; k < m.gaussians; k += kPair * kWide) {
      add_mass(m, rows, k);
      for (int64_t i = 0; i < m.dims; i += kTileFeatures) add_tile(m, rows, i, k);
    }
  }
}

}  // namespace

void fill_diagonal(Kernels& table) {
  table.single_precision.diagonal_densities = densities<float>;
  table.double_precision.diagonal_densities = densities<double>;
  table.single_precision.diagonal_moments = moments<float>;
  table.double_precision.diagonal_moments = moments<double>;
}

}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
