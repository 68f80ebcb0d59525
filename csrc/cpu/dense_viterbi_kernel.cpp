// Viterbi on a dense graph:
//
//   next[j] = max_i ((previous[i] + shift(tile i → tile j)) + w_ij) + scores[pdf[j]]
//
// Nothing notes which i has won: dense_walk_kernel.cpp finds it again for the one state a frame that a path passes.
#include "dense.h"
#include "kernels.h"
#include "magnitude.h"

namespace streamhmm {
namespace STREAMHMM_TARGET {
namespace {

template <class Real>
STREAMHMM_KERNEL int64_t vectors(int64_t states) {
  return (states + Vec<Real>::kLanes - 1) / Vec<Real>::kLanes;
}

template <class Real>
int64_t panel_cells(int32_t states) {
  return vectors<Real>(states) * Vec<Real>::kLanes * states;
}

template <class Real>
void pack_panels(const Real* matrix, int32_t states, bool transposed, Real padding, Real* out) {
  constexpr int64_t kLanes = Vec<Real>::kLanes, kWidth = kPanelVectors * kLanes;
  const int64_t size = states, padded = vectors<Real>(states) * kLanes;
  const int64_t down = transposed ? 1 : size, across = transposed ? size : 1;
  for (int64_t first = 0; first < padded; first += kWidth) {
    const int64_t width = padded - first < kWidth ? padded - first : kWidth;
    const int64_t filled = size - first < width ? size - first : width;
    for (int64_t i = 0; i < size; ++i, out += width) {
      for (int64_t c = 0; c < filled; ++c) out[c] = matrix[i * down + (first + c) * across];
      for (int64_t c = filled; c < width; ++c) out[c] = padding;
    }
  }
}

constexpr int64_t kFramesAhead = 2;  // that scores are asked for beforehand

// Enough maxima side by side that none waits for the one before.
template <int kSequences, int kVectors>
constexpr int kChains = kSequences * kVectors >= 8 ? 1 : 8 / (kSequences * kVectors);

template <class Real, int kSequences, int kVectors>
STREAMHMM_KERNEL void best_of_row(const Real* const* alpha, const Real* row, int64_t i, Vec<Real> (*best)[kVectors]) {
  using V = Vec<Real>;
  V weight[kVectors];
  for (int v = 0; v < kVectors; ++v) weight[v] = V::load(row + v * V::kLanes);
  for (int q = 0; q < kSequences; ++q) {
    const V from = V::fill(alpha[q][i]);
    for (int v = 0; v < kVectors; ++v) best[q][v] = V::max(best[q][v], V::add(from, weight[v]));
  }
}

template <class Real, int kSequences, int kVectors>
STREAMHMM_KERNEL void best_of_panel(const Real* const* alpha, const Real* panel, int64_t states,
                                    Vec<Real> (*best)[kVectors]) {
  using V = Vec<Real>;
  constexpr int kMany = kChains<kSequences, kVectors>;
  constexpr int64_t kWidth = kVectors * V::kLanes;
  V chain[kMany][kSequences][kVectors];
  for (int c = 0; c < kMany; ++c) {
    for (int q = 0; q < kSequences; ++q) {
      for (int v = 0; v < kVectors; ++v) chain[c][q][v] = V::fill(static_cast<Real>(-__builtin_inf()));
    }
  }
  int64_t i = 0;
  for (; i + kMany <= states; i += kMany) {
    for (int c = 0; c < kMany; ++c) {
      best_of_row<Real, kSequences, kVectors>(alpha, panel + (i + c) * kWidth, i + c, chain[c]);
    }
  }
  for (; i < states; ++i) best_of_row<Real, kSequences, kVectors>(alpha, panel + i * kWidth, i, chain[0]);
  for (int q = 0; q < kSequences; ++q) {
    for (int v = 0; v < kVectors; ++v) {
      V top = chain[0][q][v];
      for (int c = 1; c < kMany; ++c) top = V::max(top, chain[c][q][v]);
      best[q][v] = top;
    }
  }
}

// A frame of a tile: α of the frame before as the targets see it, scores, and where α goes.
template <class Real, int kSequences>
struct Frame {
  const Real* from[kSequences];
  const Real* scores[kSequences];
  Real* next[kSequences];
};

// `kDirect`: each state has a column of its own, and the vector is full.
template <class Real, bool kDirect>
STREAMHMM_KERNEL Vec<Real> emission(const DenseAdvance<Real>& d, const Real* scores, int64_t first) {
  using V = Vec<Real>;
  if constexpr (kDirect) return V::load(scores + first);
  if (d.pdf != nullptr) return V::gather(scores, d.pdf + first);
  const int64_t left = d.states - first;
  return left >= V::kLanes ? V::load(scores + first) : V::load_first(scores + first, static_cast<int>(left));
}

template <class Real, int kSequences, int kVectors, bool kDirect>
STREAMHMM_KERNEL void emit(const DenseAdvance<Real>& d, const Frame<Real, kSequences>& f, int64_t first,
                           Vec<Real> (*best)[kVectors], LargestMagnitude<Real>* largest) {
  using V = Vec<Real>;
  for (int q = 0; q < kSequences; ++q) {
    for (int v = 0; v < kVectors; ++v) {
      const int64_t at = first + v * V::kLanes;
      const V score = emission<Real, kDirect>(d, f.scores[q], at);
      largest[v] = LargestMagnitude<Real>::with(largest[v], score);
      V::store(f.next[q] + at, V::add(best[q][v], score));
    }
  }
}

template <class Real, int kSequences, int kVectors>
STREAMHMM_KERNEL void advance_panel(const DenseAdvance<Real>& d, const Frame<Real, kSequences>& f, const Real* panel,
                                    int64_t first, LargestMagnitude<Real>* largest) {
  Vec<Real> best[kSequences][kVectors];
  best_of_panel<Real, kSequences, kVectors>(f.from, panel, d.states, best);
  if (d.pdf == nullptr && first + kVectors * Vec<Real>::kLanes <= d.states) {
    emit<Real, kSequences, kVectors, true>(d, f, first, best, largest);
  } else {
    emit<Real, kSequences, kVectors, false>(d, f, first, best, largest);
  }
}

// α as a tile of targets sees it.
template <class Real>
STREAMHMM_KERNEL void shift_rows(const DenseAdvance<Real>& d, int64_t t, int64_t target_tile, const Real** from) {
  using V = Vec<Real>;
  const int64_t row = dense_row_size(d.states), tiles = (d.states + kTile - 1) / kTile;
  for (int q = 0; q < d.sequences; ++q) {
    const Real* previous = d.alpha[q] + t * row;
    Real* out = d.shifted + q * row;
    const Real* shift = d.shift[q] + target_tile * tiles;
    for (int64_t i = 0; i < row; i += V::kLanes) {
      V::store(out + i, V::add(V::load(previous + i), V::fill(shift[i / kTile])));
    }
    from[q] = out;
  }
}

// Asks for the scores of a frame that comes soon.
template <class Real>
STREAMHMM_KERNEL void prefetch(const Real* scores, int64_t count) {
  for (int64_t j = 0; j < count; j += 64 / static_cast<int64_t>(sizeof(Real))) __builtin_prefetch(scores + j);
}

template <class Real, int kSequences>
STREAMHMM_KERNEL void advance_frame(const DenseAdvance<Real>& d, int64_t t, LargestMagnitude<Real>* largest) {
  constexpr int64_t kLanes = Vec<Real>::kLanes, kWidth = kPanelVectors * kLanes;
  const int64_t row = dense_row_size(d.states), padded = vectors<Real>(d.states) * kLanes;
  Frame<Real, kSequences> f;
  for (int q = 0; q < kSequences; ++q) {
    f.from[q] = d.alpha[q] + t * row;
    f.scores[q] = d.scores[q] + t * d.stride[q];
    f.next[q] = d.alpha[q] + (t + 1) * row;
    prefetch(f.scores[q] + kFramesAhead * d.stride[q], d.states);
  }
  const Real* panel = d.panels;
  for (int64_t first = 0; first < padded; first += kWidth) {
    if (d.shift[0] != nullptr && first % kTile == 0) shift_rows(d, t, first / kTile, f.from);
    const int64_t width = padded - first < kWidth ? padded - first : kWidth;
    switch (width / kLanes) {
      case 1:
        advance_panel<Real, kSequences, 1>(d, f, panel, first, largest);
        break;
      case 2:
        advance_panel<Real, kSequences, 2>(d, f, panel, first, largest);
        break;
      case 3:
        advance_panel<Real, kSequences, 3>(d, f, panel, first, largest);
        break;
      default:
        advance_panel<Real, kSequences, 4>(d, f, panel, first, largest);
        break;
    }
    panel += width * d.states;
  }
}

template <class Real, int kSequences>
bool advance_tile(const DenseAdvance<Real>& d) {
  using Largest = LargestMagnitude<Real>;
  Largest largest[kPanelVectors];
  for (Largest& part : largest) part = Largest::none();
  for (int64_t t = 0; t < d.frames; ++t) advance_frame<Real, kSequences>(d, t, largest);
  bool exceeds = false;
  for (const Largest& part : largest) exceeds |= Largest::exceeds(part, static_cast<Real>(kLargestSingle));
  return exceeds;
}

template <class Real>
bool advance(const DenseAdvance<Real>& d) {
  switch (d.sequences) {
    case 1:
      return advance_tile<Real, 1>(d);
    case 2:
      return advance_tile<Real, 2>(d);
    case 3:
      return advance_tile<Real, 3>(d);
    default:
      return advance_tile<Real, 4>(d);
  }
}

template <class Real>
void fill(KernelsOf<Real>& table) {
  table.panel_cells = panel_cells<Real>;
  table.pack_panels = pack_panels<Real>;
  table.dense_advance = advance<Real>;
}

}  // namespace

void fill_dense_viterbi(Kernels& table) {
  fill(table.single_precision);
  fill(table.double_precision);
}

}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
