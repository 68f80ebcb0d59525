// The arcs into each state, sorted by source, whatever the graph's family.
#pragma once

#include <algorithm>

#include "../graph.h"
#include "arc_list.h"
#include "buffer.h"

namespace streamhmm {

template <class Real>
class IncomingArcs {
 public:
  IncomingArcs(const GraphRecord& record, const Real* weights) : states_(record.states) {
    if (record.family == Family::dense) {
      dense_ = dense_graph(record, weights);
    } else if (record.family == Family::linear) {
      group(arc_list(linear_graph(record, weights)));
    } else {
      group(arc_list(sparse_graph(record, weights)));
    }
  }

  // visit(source, weight) for the arcs into `state` at the step to frame t.
  template <class Visit>
  void into(int32_t state, int64_t t, Visit visit) const {
    if (dense_.transitions != nullptr) {
      const Real* column = dense_.step_to(t) + state;
      for (int64_t i = 0; i < states_; ++i) {
        visit(static_cast<int32_t>(i), static_cast<double>(column[i * states_]));
      }
      return;
    }
    for (int64_t k = begin_[state]; k < begin_[state + 1]; ++k) visit(arcs_[k].source, arcs_[k].weight);
  }

  // The most arcs into a state.
  int64_t most() const {
    if (dense_.transitions != nullptr) return states_;
    int64_t most = 0;
    for (int32_t j = 0; j < states_; ++j) most = std::max(most, begin_[j + 1] - begin_[j]);
    return most;
  }

 private:
  struct Entry {
    int32_t source;
    double weight;
  };

  void group(const ArcList<Real>& list) {
    begin_ = Buffer<int64_t>(states_ + 1, 0);
    arcs_ = Buffer<Entry>(list.count);
    for (int64_t k = 0; k < list.count; ++k) ++begin_[list.arcs[k].target + 1];
    for (int32_t j = 0; j < states_; ++j) begin_[j + 1] += begin_[j];
    Buffer<int64_t> next(states_);
    std::copy_n(begin_.data(), states_, next.data());
    for (int64_t k = 0; k < list.count; ++k) {
      const Arc& arc = list.arcs[k];
      arcs_[next[arc.target]++] = {arc.source, arc.weight};
    }
    const auto by_source = [](const Entry& a, const Entry& b) { return a.source < b.source; };
    for (int32_t j = 0; j < states_; ++j) {
      std::stable_sort(arcs_.data() + begin_[j], arcs_.data() + begin_[j + 1], by_source);
    }
  }

  int32_t states_;
  DenseGraph<Real> dense_{};
  Buffer<int64_t> begin_;
  Buffer<Entry> arcs_;
};

}  // namespace streamhmm
