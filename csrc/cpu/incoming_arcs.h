// The arcs into each state, sorted by source, whatever the graph's family.
#pragma once

#include <algorithm>

#include "../graph.h"
#include "arc_list.h"
#include "buffer.h"

namespace streamhmm {

struct IncomingArc {
  int32_t source;
  double weight;
};

class IncomingArcs {
 public:
  template <class Real>
  IncomingArcs(const GraphRecord& record, const Real* weights)
      : IncomingArcs(record.family == Family::linear ? arc_list(linear_graph(record, weights))
                                                     : arc_list(sparse_graph(record, weights))) {}

  const IncomingArc* begin(int32_t state) const { return arcs_.data() + begin_[state]; }
  const IncomingArc* end(int32_t state) const { return arcs_.data() + begin_[state + 1]; }
  int64_t most() const { return most_; }

 private:
  template <class Real>
  explicit IncomingArcs(const ArcList<Real>& list) : begin_(list.states + 1, 0), arcs_(list.count) {
    for (int64_t k = 0; k < list.count; ++k) ++begin_[list.arcs[k].target + 1];
    for (int32_t j = 0; j < list.states; ++j) {
      most_ = std::max(most_, begin_[j + 1]);
      begin_[j + 1] += begin_[j];
    }
    Buffer<int64_t> next(list.states);
    std::copy_n(begin_.data(), list.states, next.data());
    for (int64_t k = 0; k < list.count; ++k) {
      const Arc& arc = list.arcs[k];
      arcs_[next[arc.target]++] = {arc.source, arc.weight};
    }
    const auto by_source = [](const IncomingArc& a, const IncomingArc& b) { return a.source < b.source; };
    for (int32_t j = 0; j < list.states; ++j) {
      std::stable_sort(arcs_.data() + begin_[j], arcs_.data() + begin_[j + 1], by_source);
    }
  }

  Buffer<int64_t> begin_;
  Buffer<IncomingArc> arcs_;
  int64_t most_ = 0;
};

}  // namespace streamhmm
