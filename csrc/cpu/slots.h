// Slots: the states of a linear graph that arcs from outside the band enter, laid out for the kernel
// (linear_viterbi.h).
#pragma once

#include <algorithm>
#include <limits>
#include <vector>

#include "buffer.h"
#include "linear_viterbi.h"
#include "step.h"

namespace streamhmm {

template <class Real>
class Slots {
 public:
  Slots() = default;

  // `stay`, `advance` and `skip` are the band's weights by target.
  Slots(const LinearGraph<Real>& graph, const Real* stay, const Real* advance, const Real* skip) : reach_(0) {
    if (graph.extras == 0) return;
    std::vector<List> lists = collect(graph);
    for (List& list : lists) {
      reach_ = std::max(reach_, list.state - list.arcs.front().source);
      if (!forward_only(list)) add_band(list, graph.skip != nullptr, stay, advance, skip);
      std::stable_sort(list.arcs.begin(), list.arcs.end(), [](Arc a, Arc b) { return a.source < b.source; });
    }
    std::stable_sort(lists.begin(), lists.end(),
                     [](const List& a, const List& b) { return a.arcs.size() > b.arcs.size(); });
    lay_out(lists, graph.states);
  }

  int32_t layers() const { return groups_ == 0 ? 0 : first_layer_[groups_]; }

  // Hands the kernel what it needs.
  void lend(LinearViterbi<Real>& d) {
    d.reach = std::max(d.reach, reach_);
    d.slot_groups = groups_;
    d.slot_state = state_.data();
    d.first_layer = first_layer_.data();
    d.arc_source = source_.data();
    d.arc_weight = weight_.data();
    d.arc_shift = shift_.data();
    d.entry = entry_.data();
  }

  void refresh_shifts(const double* offset) {
    for (int32_t group = 0; group < groups_; ++group) {
      for (int64_t arc = int64_t{first_layer_[group]} * kGroup; arc < int64_t{first_layer_[group + 1]} * kGroup;
           ++arc) {
        const int32_t state = state_[group * kGroup + arc % kGroup];
        if (weight_[arc] == kNever) continue;
        shift_[arc] = static_cast<Real>(offset[source_[arc] / kTile] - offset[state / kTile]);
      }
    }
  }

  bool has(int32_t state) const { return groups_ > 0 && slot_of_[state] >= 0; }

  // The arc of a slot's list that won, from the frame's half words a layer.
  Step step(const Bits* beaten, int32_t state) const {
    const int32_t slot = slot_of_[state], group = slot / kGroup, lane = slot % kGroup;
    int32_t layer = first_layer_[group + 1] - 1;
    while (layer > first_layer_[group] && (beaten[layer] >> lane & 1) == 0) --layer;
    const int64_t arc = int64_t{layer} * kGroup + lane;
    return {source_[arc], static_cast<double>(weight_[arc])};
  }

 private:
  static constexpr Real kNever = -std::numeric_limits<Real>::infinity();

  struct Arc {
    int32_t source;
    Real weight;
  };
  struct List {
    int32_t state;
    std::vector<Arc> arcs;
  };

  static std::vector<List> collect(const LinearGraph<Real>& graph) {
    std::vector<List> lists;
    for (int32_t k = 0; k < graph.extras; ++k) {
      if (lists.empty() || lists.back().state != graph.target[k]) lists.push_back({graph.target[k], {}});
      lists.back().arcs.push_back({graph.source[k], graph.weight[k]});
    }
    return lists;
  }

  static bool forward_only(const List& list) {
    return std::all_of(list.arcs.begin(), list.arcs.end(), [&](Arc arc) { return arc.source < list.state - 2; });
  }

  static void add_band(List& list, bool has_skip, const Real* stay, const Real* advance, const Real* skip) {
    const int32_t state = list.state;
    if (has_skip && state >= 2) list.arcs.push_back({state - 2, skip[state]});
    if (state >= 1) list.arcs.push_back({state - 1, advance[state]});
    list.arcs.push_back({state, stay[state]});
  }

  void lay_out(const std::vector<List>& lists, int32_t states) {
    const int64_t count = static_cast<int64_t>(lists.size());
    groups_ = static_cast<int32_t>(linear_groups(count));
    const int64_t padded_states = linear_groups(states) * kGroup;
    slot_of_ = Buffer<int32_t>(states, -1);
    state_ = Buffer<int32_t>(int64_t{groups_} * kGroup, static_cast<int32_t>(padded_states));
    entry_ = Buffer<Real>(padded_states + 1, kNever);
    first_layer_ = Buffer<int32_t>(groups_ + 1, 0);
    for (int32_t group = 0; group < groups_; ++group) {
      const auto layers = static_cast<int32_t>(lists[int64_t{group} * kGroup].arcs.size());
      first_layer_[group + 1] = first_layer_[group] + layers;
    }
    const int64_t cells = int64_t{first_layer_[groups_]} * kGroup;
    source_ = Buffer<int32_t>(cells, 0);
    weight_ = Buffer<Real>(cells, kNever);
    shift_ = Buffer<Real>(cells, Real(0));
    for (int64_t slot = 0; slot < count; ++slot) place(lists[slot], static_cast<int32_t>(slot));
  }

  void place(const List& list, int32_t slot) {
    slot_of_[list.state] = slot;
    state_[slot] = list.state;
    int64_t cell = int64_t{first_layer_[slot / kGroup]} * kGroup + slot % kGroup;
    for (const Arc& arc : list.arcs) {
      source_[cell] = arc.source;
      weight_[cell] = arc.weight;
      cell += kGroup;
    }
  }

  int32_t reach_ = 0;
  int32_t groups_ = 0;
  Buffer<int32_t> slot_of_, state_, first_layer_, source_;
  Buffer<Real> weight_, shift_, entry_;
};

}  // namespace streamhmm
