// The arcs into each state, sorted by source, whatever the graph's family.
#pragma once

#include <algorithm>
#include <optional>

#include "as_sparse.h"

namespace streamhmm {

template <class Real>
class IncomingArcs {
 public:
  IncomingArcs(const GraphRecord& record, const Real* weights) {
    if (record.family == Family::dense) {
      dense_ = dense_graph(record, weights);
    } else {
      listed_.emplace(record, weights);
    }
  }

  // visit(source, weight) for the arcs into `state` at the step to frame t.
  template <class Visit>
  void into(int32_t state, int64_t t, Visit visit) const {
    if (!listed_) {
      const Real* column = dense_.step_to(t) + state;
      for (int64_t i = 0; i < dense_.states; ++i) {
        visit(static_cast<int32_t>(i), static_cast<double>(column[i * dense_.states]));
      }
      return;
    }
    const SparseGraph<Real>& graph = listed_->graph();
    for (int32_t k = graph.begin[state]; k < graph.begin[state + 1]; ++k) {
      visit(graph.source[k], static_cast<double>(graph.weight[k]));
    }
  }

  // The most arcs into a state.
  int64_t most() const {
    if (!listed_) return dense_.states;
    const SparseGraph<Real>& graph = listed_->graph();
    int32_t most = 0;
    for (int32_t j = 0; j < graph.states; ++j) most = std::max(most, graph.begin[j + 1] - graph.begin[j]);
    return most;
  }

 private:
  DenseGraph<Real> dense_{};
  std::optional<AsSparse<Real>> listed_;
};

}  // namespace streamhmm
