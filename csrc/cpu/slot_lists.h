// The arcs from outside a linear graph's band, by the state that they enter (linear_viterbi.h).
#pragma once

#include <algorithm>
#include <vector>

#include "linear_viterbi.h"

namespace streamhmm {

template <class Real>
struct SlotArc {
  int32_t source;
  Real weight;
};

template <class Real>
struct SlotList {
  int32_t state;
  std::vector<SlotArc<Real>> arcs;  // by source
};

// By state. Where not all arcs come from further below than the band reaches, the list holds the band's as well;
// `stay`, `advance` and `skip` are its weights as LinearViterbi has them.
template <class Real>
std::vector<SlotList<Real>> slot_lists(const LinearGraph<Real>& graph, const Real* stay, const Real* advance,
                                       const Real* skip) {
  std::vector<SlotList<Real>> lists;
  for (int32_t k = 0; k < graph.extras; ++k) {
    if (lists.empty() || lists.back().state != graph.target[k]) lists.push_back({graph.target[k], {}});
    lists.back().arcs.push_back({graph.source[k], graph.weight[k]});
  }
  for (SlotList<Real>& list : lists) {
    const int32_t state = list.state, place = place_of(state);
    auto& arcs = list.arcs;
    if (arcs.back().source < state - 2) continue;
    if (graph.skip != nullptr && state >= 2) arcs.push_back({state - 2, skip[place]});
    if (state >= 1) arcs.push_back({state - 1, advance[place]});
    arcs.push_back({state, stay[place]});
    std::stable_sort(arcs.begin(), arcs.end(), [](auto a, auto b) { return a.source < b.source; });
  }
  return lists;
}

}  // namespace streamhmm
