// A dense graph as the kernels of Viterbi want it: transitions in panels, and column by column.
#pragma once

#include <algorithm>
#include <limits>

#include "buffer.h"
#include "dense.h"
#include "isa.h"

namespace streamhmm {

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

// What does not change from frame to frame, made once for all sequences that share the graph.
template <class Real>
class DenseTransitions {
 public:
  explicit DenseTransitions(const DenseGraph<Real>& graph)
      : graph_(graph),
        row_(dense_row_size(graph.states)),
        pdfs_(graph.pdf, graph.states),
        panels_(varies() ? 0 : kernels_of<Real>().panel_cells(graph.states)),
        columns_(varies() ? 0 : row_ * graph.states, kNever) {
    if (varies()) return;
    pack_panels(0, panels_.data());
    for (int32_t j = 0; j < graph.states; ++j) copy_column(0, j, columns_.data() + j * row_);
  }

  const DenseGraph<Real>& graph() const { return graph_; }
  bool varies() const { return graph_.slices > 0; }
  const int32_t* pdfs() const { return pdfs_.data(); }

  // Of constant transitions.
  const Real* panels() const { return panels_.data(); }
  const Real* columns() const { return columns_.data(); }

  void pack_panels(int64_t frame, Real* out) const {
    kernels_of<Real>().pack_panels(graph_.step_to(frame), graph_.states, false, kNever, out);
  }
  void copy_column(int64_t frame, int32_t state, Real* out) const {
    const Real* matrix = graph_.step_to(frame);
    for (int64_t i = 0; i < graph_.states; ++i) out[i] = matrix[i * graph_.states + state];
  }

 private:
  static constexpr Real kNever = -std::numeric_limits<Real>::infinity();

  DenseGraph<Real> graph_;
  int64_t row_;
  DensePdfs pdfs_;
  Buffer<Real> panels_, columns_;
};

}  // namespace streamhmm
