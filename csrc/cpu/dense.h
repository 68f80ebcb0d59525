// What the kernels of dense graphs work on, shared with their drivers.
//
// Up to kDenseTile sequences of one graph advance together, so that every transition is read once for all of them.
// Transitions stand in panels: kPanelVectors vectors of columns side by side, row after row,
//   panel p = columns p·w … (p+1)·w−1,   w = kPanelVectors · lanes
// the last panel as wide as it needs to be in whole vectors, padded. How wide a vector is only the kernel knows.
#pragma once

#include <cstdint>
#include <type_traits>

#include "../viterbi.h"

namespace streamhmm {

constexpr int32_t kDenseTile = 4;
constexpr int32_t kPanelVectors = 4;
constexpr int64_t kRowUnit = 16;  // rows over the states are padded to a multiple of this

inline int64_t dense_row_size(int64_t states) { return (states + kRowUnit - 1) / kRowUnit * kRowUnit; }

// Some frames, one after the other, within a block of frames with the same offsets. Rows over the states, (row), follow
// each other frame by frame, −inf in the padding.
template <class Real>
struct DenseAdvance {
  int32_t states;
  int64_t frames;
  const Real* panels;  // −inf in the padding
  const int32_t* pdf;  // (row), or null where state s emits column s

  // For each sequence of the tile:
  int32_t sequences;
  const Real* scores[kDenseTile];  // of the first of the frames
  int64_t stride[kDenseTile];
  Real* alpha[kDenseTile];        // the row before them; the frames' own come behind it
  const Real* shift[kDenseTile];  // (tiles, tiles) from [target] to [source], or null: one tile, or double precision
  Real* shifted;                  // (kDenseTile, row) scratch
};

// The way back through such frames: state[q] is where sequence q stands in the last of them, and becomes where it
// stands in the frame before the first.
template <class Real>
struct DenseWalk {
  int32_t states;
  int64_t frames;

  int32_t sequences;
  const Real* alpha[kDenseTile];  // the row before the first frame
  const Real* shift[kDenseTile];  // as above
  const Real*
      column[kDenseTile];     // of state 0: transitions into a state, (row); those into state s lie s · column_step
  int64_t column_step;        // behind. 0: it is the column of the state that the sequence stands in
  int64_t* path[kDenseTile];  // (frames) result
  int32_t state[kDenseTile];
};

// As wide as Real, so that both fill the same vectors.
template <class Real>
using NarrowIndex = std::conditional_t<sizeof(Real) == sizeof(int32_t), int32_t, int64_t>;

// Some frames, one after the other, where all states fit one vector of narrow_lanes numbers. Here every state notes who
// has won its step: a row a frame.
template <class Real>
struct DenseNarrow {
  int32_t states;
  int64_t frames;
  const Real* panels;  // a row of narrow_lanes for each state
  const int32_t* pdf;  // as above

  int32_t sequences;
  const Real* scores[kDenseTile];  // of the first of the frames
  int64_t stride[kDenseTile];
  Real* alpha[kDenseTile];                 // (lanes) in and out
  NarrowIndex<Real>* winners[kDenseTile];  // (frames, lanes)
};

// Some frames of a recursion, one after the other: for each sequence of the tile
//   out_t[j] = (Σ_i out_{t−1}[i] · w_ij) · factors_t[j] · 2^−exponent_t
// the exponent such that the row's largest value lies in [1, 2). Weights are probabilities, 0 in the padding.
template <class Real>
struct DenseProduct {
  int32_t states;
  int64_t frames;
  const Real* panels;
  int32_t sequences;
  const Real* row[kDenseTile];      // out of the frame before
  const Real* factors[kDenseTile];  // (frames, row), or null: all 1
  Real* out[kDenseTile];            // (frames, row)
  int32_t* exponent[kDenseTile];    // (frames) result: kEmptyRow where the row holds nothing
};
constexpr int32_t kEmptyRow = -(1 << 30);

// A state's scores turned into probabilities for some frames: out[t][j] = exp(scores[t][pdf[j]] − top[t]), 0 in the
// padding; top[t] is the largest of the frame's scores, 0 if all are −inf. A score of NaN or +inf gives NaN.
template <class Real>
struct DenseEmissions {
  int32_t states;
  const int32_t* pdf;  // (row), or null where state s emits column s
  const Real* scores;
  int64_t stride;
  int64_t frames;
  Real* out;    // (frames, row)
  double* top;  // (frames)
};

// Some frames going back, from the last to the first: for each sequence of the tile
//   sum_t = Σ_j alpha_t[j] · beta[j]                gamma_t[j] = scale · alpha_t[j] · beta[j] / sum_t
//   emitted_t[j] = emission_t[j] · beta[j]          beta[i] ← (Σ_j w_ij · emitted_t[j]) · 2^−exponent_t
// and so on with the frame before. The first `open` frames lack the last step.
template <class Real>
struct DenseReturn {
  int32_t states;
  int64_t frames;
  int64_t open;        // 1 where the first frame is the sequence's first, else 0
  const Real* panels;  // of the transposed matrix
  int32_t sequences;
  const Real* alpha[kDenseTile];     // (frames, row)
  const Real* emission[kDenseTile];  // (frames, row)
  Real* beta[kDenseTile];            // (row) in and out
  Real* emitted[kDenseTile];         // (frames, row) result
  Real scale[kDenseTile];
  Real* gamma[kDenseTile];  // result, for the states only; rows are gamma_stride apart
  int64_t gamma_stride[kDenseTile];
  Real* sum[kDenseTile];          // (frames) result
  int32_t* exponent[kDenseTile];  // (frames) result, but for open frames
};

}  // namespace streamhmm
