// The transitions of a dense graph as the kernels want them: in panels, and column by column.
#pragma once

#include <algorithm>
#include <limits>

#include "buffer.h"
#include "dense.h"
#include "isa.h"

namespace streamhmm {

// Panels of the step into a frame: made once where transitions are constant, else anew for every frame asked for.
template <class Real>
class Panels {
 public:
  Panels(const DenseGraph<Real>& graph, bool transposed, Real padding)
      : graph_(graph),
        transposed_(transposed),
        padding_(padding),
        cells_(kernels_of<Real>().panel_cells(graph.states)) {
    if (graph.slices == 0) pack(0);
  }

  const Real* step_to(int64_t frame) {
    if (graph_.slices > 0 && frame != packed_) pack(frame);
    return cells_.data();
  }

 private:
  void pack(int64_t frame) {
    kernels_of<Real>().pack_panels(graph_.step_to(frame), graph_.states, transposed_, padding_, cells_.data());
    packed_ = frame;
  }

  DenseGraph<Real> graph_;
  bool transposed_;
  Real padding_;
  Buffer<Real> cells_;
  int64_t packed_ = -1;
};

// Columns of the transitions, each as a row padded with −inf.
template <class Real>
class Columns {
 public:
  explicit Columns(const DenseGraph<Real>& graph)
      : graph_(graph),
        row_(dense_row_size(graph.states)),
        cells_(graph.slices == 0 ? row_ * graph.states : row_, -std::numeric_limits<Real>::infinity()) {
    for (int32_t j = 0; graph.slices == 0 && j < graph.states; ++j) copy(0, j, cells_.data() + j * row_);
  }

  // Good until the next call.
  const Real* column(int64_t frame, int32_t state) {
    if (graph_.slices == 0) return cells_.data() + state * row_;
    copy(frame, state, cells_.data());
    return cells_.data();
  }

 private:
  void copy(int64_t frame, int32_t state, Real* out) const {
    const Real* matrix = graph_.step_to(frame);
    for (int64_t i = 0; i < graph_.states; ++i) out[i] = matrix[i * graph_.states + state];
  }

  DenseGraph<Real> graph_;
  int64_t row_;
  Buffer<Real> cells_;
};

// Score columns by state for the kernels: null where state s emits column s.
class DensePdfs {
 public:
  DensePdfs(const int32_t* pdf, int32_t states) {
    bool own = true;
    for (int32_t j = 0; j < states; ++j) own &= pdf[j] == j;
    if (own) return;
    padded_ = Buffer<int32_t>(dense_row_size(states), pdf[0]);
    std::copy_n(pdf, states, padded_.data());
  }
  const int32_t* data() const { return padded_.data(); }

 private:
  Buffer<int32_t> padded_;
};

}  // namespace streamhmm
