// The table of kernels that exist once per instruction set. Each file *_kernel.cpp is compiled once per set and defines
// its kernels in a namespace of the set's name; kernel_table_kernel.cpp collects them.
#pragma once

#include <cstdint>

#include "../params.h"
#include "dense.h"
#include "diagonal_rows.h"
#include "dtw_strip.h"
#include "linear_sums.h"
#include "linear_viterbi.h"
#include "online_tile.h"
#include "pdf_sums.h"
#include "semi_markov.h"

namespace streamhmm {

// What is unusual about a sequence's scores.
struct ScoreScan {
  int64_t invalid_frame;  // the first with NaN or +inf, or −1
  bool large;             // some finite score exceeds kLargestSingle, up or down
};

template <class Real>
struct KernelsOf {
  // The kernel that advances α over a stretch of frames and states of a graph, with slots or without, and writes their
  // back-pointers or not.
  LinearRun<Real> (*linear_viterbi)(const LinearViterbi<Real>& decoder, int64_t columns, bool slots, bool trace);

  // tops[k] = the largest α of tile k, for tiles first … last−1
  void (*tile_tops)(const Real* alpha, int32_t first, int32_t last, Real* tops);

  // α −= moved[k] in tile k, for tiles first … last−1; moved = −inf empties the tile.
  void (*lower_tiles)(Real* alpha, int32_t first, int32_t last, const Real* moved);

  // One tile of OnlineViterbi in one frame, see online_tile.h. Returns the largest of its next α.
  Real (*online_step)(const OnlineTile<Real>& tile);

  // α of a tile below `least` become −inf. Returns how many finite ones are left.
  int32_t (*online_prune)(Real* alpha, Real least);

  // Looks at the columns of all frames.
  ScoreScan (*scan)(const ScoreRows<Real>& scores, const int32_t* columns, int32_t count);

  // Cells that the panels of a square matrix take, and the panels of one or of its transpose.
  int64_t (*panel_cells)(int32_t states);
  void (*pack_panels)(const Real* matrix, int32_t states, bool transposed, Real padding, Real* out);

  // α of one frame of a dense graph. Whether a score was NaN, infinite or beyond ±kLargestSingle.
  bool (*dense_advance)(const DenseAdvance<Real>& d);

  // The same for a few states and many frames, see DenseNarrow. `narrow_lanes`: the most states it can take.
  int32_t narrow_lanes;
  bool (*dense_narrow)(const DenseNarrow<Real>& d);

  // The way back, see DenseWalk: each step leads to the lowest state that wins it.
  void (*dense_walk_back)(DenseWalk<Real>& d);

  // Forward and backward on a dense graph, see dense.h.
  void (*dense_product)(const DenseProduct<Real>& product);
  void (*dense_return)(const DenseReturn<Real>& way_back);
  void (*dense_emissions)(const DenseEmissions<Real>& emissions);

  // row[j] ·= factors[j] · 2^−exponent, as in DenseProduct. Returns the exponent.
  int32_t (*scale_row)(Real* row, const Real* factors, int32_t states);

  // Σ_j a[j] · b[j]
  Real (*inner_product)(const Real* a, const Real* b, int32_t states);

  // The smallest value of a row.
  Real (*lowest)(const Real* row, int32_t states);

  // counts[i][j] = Σ_t alpha[t][i] · emitted[t][j], all in rows.
  void (*dense_counts)(const Real* alpha, const Real* emitted, int32_t frames, int32_t states, Real* counts);

  // out[i] = exp(row[i] − top), top the largest of the row or more
  void (*exponentials_below)(const Real* row, Real top, int64_t count, Real* out);

  // out[i] = exp(row[columns[i]]); without columns exp(row[i]). `out` and `columns` have room for whole groups of
  // kGroup, where `columns` may repeat one; what stands in `out` behind `count` afterwards has no meaning.
  void (*exponentials)(const Real* row, const int32_t* columns, int32_t count, ScaledRow<Real> out);

  // out[j] = (Σ_i in[i] · w_ij) · emissions[pdf[j]]; in and out differ
  void (*linear_forward)(const LinearSums<Real>& model, ConstScaledRow<Real> emissions, ConstScaledRow<Real> in,
                         ScaledRow<Real> out);

  // out[j] = in[j] · emissions[pdf[j]]
  void (*linear_emit)(const LinearSums<Real>& model, ConstScaledRow<Real> emissions, ConstScaledRow<Real> in,
                      ScaledRow<Real> out);

  // out[i] = Σ_j w_ij · in[j]; in and out differ
  void (*linear_backward)(const LinearSums<Real>& model, ConstScaledRow<Real> in, ScaledRow<Real> out);

  // out[j] = a[j] · b[j] / total
  void (*posterior)(int32_t states, ConstScaledRow<Real> a, ConstScaledRow<Real> b, ScaledNumber<Real> total,
                    Real* out);

  // counts[arc i -> j] += a[i] · w_ij · b[j] / total, in the order of the packed weights
  void (*count)(const LinearSums<Real>& model, const ExtraArcs<Real>& extras, ConstScaledRow<Real> a,
                ConstScaledRow<Real> b, ScaledNumber<Real> total, double* counts);

  // out[t, v] = scale · Σ_{j: pdf(j) = v} gamma[t, j] for the first frames of a block
  void (*sum_by_pdf)(const PdfSums<Real>& sums, int64_t frames, Real scale, Real* out);

  // The largest finite |score| in the columns of all frames; `columns` is not read where there are no others.
  double (*largest)(const ScoreRows<Real>& scores, const int32_t* columns, int32_t count);

  // out[n][k] = constant[k] + Σ_d (linear[d][k] + square[d][k] · x_d) · x_d with x = frames[n] − origin
  void (*diagonal_densities)(const DiagonalDensities<Real>& d);

  // mass[k] += Σ_n w_nk, total[d][k] += Σ_n w_nk · x_nd, squares[d][k] += Σ_n w_nk · x_nd², with x as above; one row
  // after the other in every sum
  void (*diagonal_moments)(const DiagonalMoments<Real>& m);

  // Arithmetic in registers alone, for rates.h: `steps` steps from the numbers w and b, their sum into result.
  // Returns the cells computed.
  int64_t (*add_max)(int64_t steps, Real w, Real b, double* result);
  int64_t (*multiply_add)(int64_t steps, Real w, Real b, double* result);
  DtwKernels<Real> dtw;
};

struct Kernels {
  const char* name;
  KernelsOf<float> single_precision;
  KernelsOf<double> double_precision;
  SemiMarkovKernels semi_markov_best;
  SemiMarkovKernels semi_markov_sum;
  SegmentCounting segment_counting;
};

const Kernels& kernels();

template <class Real>
const KernelsOf<Real>& kernels_of();
template <>
inline const KernelsOf<float>& kernels_of<float>() {
  return kernels().single_precision;
}
template <>
inline const KernelsOf<double>& kernels_of<double>() {
  return kernels().double_precision;
}

}  // namespace streamhmm
