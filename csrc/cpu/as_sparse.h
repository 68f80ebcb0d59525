// Any graph in the form of a sparse one, for what goes arc by arc.
#pragma once

#include <algorithm>

#include "../graph.h"
#include "arc_list.h"
#include "buffer.h"

namespace streamhmm {

template <class Real>
class AsSparse {
 public:
  AsSparse(const GraphRecord& record, const Real* weights) {
    if (record.family == Family::sparse) {
      graph_ = sparse_graph(record, weights);
    } else if (record.family == Family::linear) {
      group(arc_list(linear_graph(record, weights)));
    } else {
      spread(dense_graph(record, weights));
    }
  }

  // Its weights are those of the step asked for last.
  const SparseGraph<Real>& graph() const { return graph_; }

  void step_to(int64_t t) {
    if (dense_.slices > 0 && t != frame_) transpose(t);
  }

 private:
  struct Entry {
    int32_t source;
    Real weight;
  };

  void allot(int32_t states, int64_t arcs) {
    begin_ = Buffer<int32_t>(int64_t{states} + 1, 0);
    source_ = Buffer<int32_t>(arcs);
    weight_ = Buffer<Real>(arcs);
    graph_.states = states;
    graph_.arcs = static_cast<int32_t>(arcs);
    graph_.begin = begin_.data();
    graph_.source = source_.data();
    graph_.weight = weight_.data();
  }

  template <class Graph>
  void share_ends(const Graph& graph) {
    graph_.pdf = graph.pdf;
    graph_.initial = graph.initial;
    graph_.final = graph.final;
  }

  void group(const ArcList<Real>& list) {
    allot(list.states, list.count);
    share_ends(list);
    for (int64_t k = 0; k < list.count; ++k) ++begin_[list.arcs[k].target + 1];
    for (int32_t j = 0; j < list.states; ++j) begin_[j + 1] += begin_[j];
    Buffer<int32_t> next(list.states);
    std::copy_n(begin_.data(), list.states, next.data());
    Buffer<Entry> entries(list.count);
    for (int64_t k = 0; k < list.count; ++k) {
      const Arc& arc = list.arcs[k];
      entries[next[arc.target]++] = {arc.source, static_cast<Real>(arc.weight)};
    }
    const auto by_source = [](const Entry& a, const Entry& b) { return a.source < b.source; };
    for (int32_t j = 0; j < list.states; ++j) {
      std::stable_sort(entries.data() + begin_[j], entries.data() + begin_[j + 1], by_source);
    }
    for (int64_t k = 0; k < list.count; ++k) {
      source_[k] = entries[k].source;
      weight_[k] = entries[k].weight;
    }
  }

  void spread(const DenseGraph<Real>& graph) {
    const int64_t states = graph.states;
    dense_ = graph;
    allot(graph.states, states * states);
    share_ends(graph);
    for (int64_t j = 0; j <= states; ++j) begin_[j] = static_cast<int32_t>(j * states);
    for (int64_t k = 0; k < states * states; ++k) source_[k] = static_cast<int32_t>(k % states);
    transpose(0);
  }

  void transpose(int64_t t) {
    const int64_t states = dense_.states;
    const Real* step = dense_.step_to(t);
    for (int64_t j = 0; j < states; ++j) {
      for (int64_t i = 0; i < states; ++i) weight_[j * states + i] = step[i * states + j];
    }
    frame_ = t;
  }

  DenseGraph<Real> dense_{};
  SparseGraph<Real> graph_{};
  Buffer<int32_t> begin_, source_;
  Buffer<Real> weight_;
  int64_t frame_ = -1;
};

}  // namespace streamhmm
