// A dense graph in probabilities: exp(w − top) of the transitions of a step, top the largest of their weights, and the
// same of the weights at both ends. What is constant is made once, for all sequences that share the graph.
#pragma once

#include <algorithm>
#include <limits>
#include <optional>

#include "buffer.h"
#include "dense_transitions.h"

namespace streamhmm {

// The transitions of one step.
template <class Real>
struct StepProbabilities {
  Buffer<Real> matrix;  // row by row
  Buffer<Real> panels;
  double top = 0;
  Real lightest = 0;
  int64_t frame = -1;

  // Whether every transition weighs at least `least` of the heaviest.
  bool connected(Real least) const { return lightest >= least; }
};

// `Given`: the weights' type, no wider than Real.
template <class Real, class Given = Real>
class DenseProbabilities {
 public:
  DenseProbabilities(const DenseGraph<Given>& graph, bool transposed) : graph_(graph), transposed_(transposed) {
    if (!varies()) prepare(0, constant_);
  }

  bool varies() const { return graph_.slices > 0; }

  // The step into a frame; `scratch` holds it where transitions vary.
  const StepProbabilities<Real>& step_to(int64_t frame, StepProbabilities<Real>& scratch) const {
    if (!varies()) return constant_;
    if (scratch.frame != frame) prepare(frame, scratch);
    return scratch;
  }

 private:
  void prepare(int64_t frame, StepProbabilities<Real>& step) const {
    const int64_t cells = int64_t{graph_.states} * graph_.states;
    if (step.frame < 0) {
      step.matrix = Buffer<Real>(cells);
      step.panels = Buffer<Real>(kernels_of<Real>().panel_cells(graph_.states));
    }
    std::copy_n(graph_.step_to(frame), cells, step.matrix.data());
    const Real top = *std::max_element(step.matrix.data(), step.matrix.data() + cells);
    step.top = top == -std::numeric_limits<Real>::infinity() ? 0 : static_cast<double>(top);
    kernels_of<Real>().exponentials_below(step.matrix.data(), static_cast<Real>(step.top), cells, step.matrix.data());
    kernels_of<Real>().pack_panels(step.matrix.data(), graph_.states, transposed_, Real(0), step.panels.data());
    step.lightest = *std::min_element(step.matrix.data(), step.matrix.data() + cells);
    step.frame = frame;
  }

  DenseGraph<Given> graph_;
  bool transposed_;
  StepProbabilities<Real> constant_;
};

template <class Real, class Given = Real>
class DenseModel {
 public:
  DenseModel(const DenseGraph<Given>& graph, bool forward_only)
      : graph_(graph), row_(dense_row_size(graph.states)), pdfs_(graph.pdf, graph.states), ahead_(graph, false) {
    if (!forward_only) back_.emplace(graph, true);
    ends_ = Buffer<Real>(2 * row_, Real(0));
    initial_top_ = load_end(graph.initial, ends_.data());
    final_top_ = load_end(graph.final, ends_.data() + row_);
  }

  const DenseGraph<Given>& graph() const { return graph_; }
  int64_t row() const { return row_; }                  // numbers in a row over the states
  const int32_t* pdfs() const { return pdfs_.data(); }  // null where state s emits column s
  const DenseProbabilities<Real, Given>& ahead() const { return ahead_; }
  const DenseProbabilities<Real, Given>& back() const { return *back_; }  // unless made for forward only

  // exp(weight − top), 0 in the padding.
  const Real* initial() const { return ends_.data(); }
  const Real* final() const { return ends_.data() + row_; }
  double initial_top() const { return initial_top_; }
  double final_top() const { return final_top_; }

 private:
  double load_end(const Given* weights, Real* out) const {
    const Given top = *std::max_element(weights, weights + graph_.states);
    const Real usable = top == -std::numeric_limits<Given>::infinity() ? Real(0) : static_cast<Real>(top);
    std::copy_n(weights, graph_.states, out);
    kernels_of<Real>().exponentials_below(out, usable, graph_.states, out);
    return static_cast<double>(usable);
  }

  DenseGraph<Given> graph_;
  int64_t row_;
  DensePdfs pdfs_;
  DenseProbabilities<Real, Given> ahead_;
  std::optional<DenseProbabilities<Real, Given>> back_;
  Buffer<Real> ends_;
  double initial_top_ = 0, final_top_ = 0;
};

}  // namespace streamhmm
