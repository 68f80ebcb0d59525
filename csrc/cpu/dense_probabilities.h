// The transitions of a dense graph as probabilities in panels: exp(w − top), top the largest weight of the step.
#pragma once

#include <algorithm>
#include <limits>
#include <type_traits>

#include "buffer.h"
#include "dense.h"
#include "isa.h"

namespace streamhmm {

// `Given`: the weights' type, no wider than Real.
template <class Real, class Given = Real>
class DenseProbabilities {
 public:
  DenseProbabilities(const DenseGraph<Given>& graph, bool transposed)
      : graph_(graph),
        transposed_(transposed),
        matrix_(int64_t{graph.states} * graph.states),
        panels_(kernels_of<Real>().panel_cells(graph.states)) {
    if (graph.slices == 0) prepare(0);
  }

  // Good until another frame is asked for.
  const Real* step_to(int64_t frame) {
    if (graph_.slices > 0 && frame != frame_) prepare(frame);
    return panels_.data();
  }
  // exp(w − top) row by row, of the frame asked for last.
  const Real* matrix() const { return matrix_.data(); }
  double top() const { return top_; }
  // Whether every transition of the step weighs at least `least` of the heaviest.
  bool connected(Real least) const { return lightest_ >= least; }

 private:
  void prepare(int64_t frame) {
    const Real* weights = widened(graph_.step_to(frame));
    const Real top = *std::max_element(weights, weights + matrix_.size());
    top_ = top == -std::numeric_limits<Real>::infinity() ? 0 : static_cast<double>(top);
    kernels_of<Real>().exponentials_below(weights, static_cast<Real>(top_), matrix_.size(), matrix_.data());
    kernels_of<Real>().pack_panels(matrix_.data(), graph_.states, transposed_, Real(0), panels_.data());
    lightest_ = *std::min_element(matrix_.data(), matrix_.data() + matrix_.size());
    frame_ = frame;
  }

  const Real* widened(const Given* weights) {
    if constexpr (std::is_same_v<Given, Real>) {
      return weights;
    } else {
      std::copy_n(weights, matrix_.size(), matrix_.data());
      return matrix_.data();
    }
  }

  DenseGraph<Given> graph_;
  bool transposed_;
  Buffer<Real> matrix_, panels_;
  double top_ = 0;
  Real lightest_ = 0;
  int64_t frame_ = -1;
};

}  // namespace streamhmm
