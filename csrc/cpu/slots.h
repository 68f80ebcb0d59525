// Slots: the states of a linear graph that arcs from outside the band enter, laid out for the kernel
// (linear_viterbi.h).
#pragma once

#include <algorithm>
#include <limits>
#include <vector>

#include "buffer.h"
#include "linear_viterbi.h"
#include "slot_lists.h"
#include "slot_runs.h"
#include "step.h"

namespace streamhmm {

template <class Real>
class Slots {
 public:
  Slots() = default;

  // `stay`, `advance` and `skip` are the band's weights as LinearViterbi has them. No group of slots stands on both
  // sides of one of the `cuts`, states in ascending order.
  Slots(const LinearGraph<Real>& graph, const Real* stay, const Real* advance, const Real* skip,
        const std::vector<int32_t>& cuts) {
    if (graph.extras == 0) return;
    std::vector<List> lists = slot_lists(graph, stay, advance, skip);
    for (const List& list : lists) reach_ = std::max(reach_, list.state - list.arcs.front().source);
    runs_ = SlotRuns<Real>(lists, cuts);
    lay_out(in_groups(std::move(lists), cuts), graph.states);
  }

  int32_t layers() const { return groups_ == 0 ? 0 : first_layer_[groups_]; }

  // Hands the kernel what it needs.
  void lend(LinearViterbi<Real>& d) {
    d.reach = std::max(d.reach, reach_);
    d.slot_state = state_.data();
    d.first_layer = first_layer_.data();
    d.arc_source = source_.data();
    d.arc_weight = weight_.data();
    d.arc_shift = shift_.data();
    d.entry = entry_.data();
    runs_.lend(d);
  }

  SlotRuns<Real>& runs() { return runs_; }
  const SlotRuns<Real>& runs() const { return runs_; }

  // The groups with slots among the states of pairs low … high−1, as a range.
  void groups_within(int32_t low, int32_t high, int32_t& first, int32_t& last) const {
    first = 0;
    while (first < groups_ && highest_[first] < low * kPair) ++first;
    last = first;
    while (last < groups_ && lowest_[last] < high * kPair) ++last;
  }

  void refresh_shifts(const double* offset, int32_t first, int32_t last) {
    for (int32_t group = first; group < last; ++group) {
      const int32_t* state = state_.data() + group * kGroup;
      for (int64_t arc = int64_t{first_layer_[group]} * kGroup; arc < int64_t{first_layer_[group + 1]} * kGroup;
           ++arc) {
        if (weight_[arc] == kNever) continue;
        shift_[arc] = static_cast<Real>(offset[source_[arc] / kTile] - offset[state[arc % kGroup] / kTile]);
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
    return {state_at(source_[arc]), static_cast<double>(weight_[arc])};
  }

 private:
  using List = SlotList<Real>;
  static constexpr Real kNever = -std::numeric_limits<Real>::infinity();
  static constexpr size_t kTogether = 64;  // slots sorted by their number of arcs among themselves only, to stay local

  // The lists in groups of kGroup, those with most arcs first among neighbours; the last group of a stretch between
  // cuts is filled up with lists without a state.
  static std::vector<List> in_groups(std::vector<List> lists, const std::vector<int32_t>& cuts) {
    std::vector<List> grouped;
    size_t first = 0;
    for (size_t strip = 0; strip <= cuts.size(); ++strip) {
      size_t end = first;
      while (end < lists.size() && (strip == cuts.size() || lists[end].state < cuts[strip])) ++end;
      for (; first < end; first = std::min(first + kTogether, end)) {
        std::stable_sort(lists.begin() + first, lists.begin() + std::min(first + kTogether, end),
                         [](const List& a, const List& b) { return a.arcs.size() > b.arcs.size(); });
        for (size_t i = first; i < std::min(first + kTogether, end); ++i) grouped.push_back(std::move(lists[i]));
      }
      grouped.resize((grouped.size() + kGroup - 1) / kGroup * kGroup, List{-1, {}});
    }
    return grouped;
  }

  void lay_out(const std::vector<List>& lists, int32_t states) {
    groups_ = static_cast<int32_t>(lists.size() / kGroup);
    const int64_t padded_states = int64_t{pairs_of(states)} * kPair;
    slot_of_ = Buffer<int32_t>(states, -1);
    state_ = Buffer<int32_t>(int64_t{groups_} * kGroup);
    for (int64_t slot = 0; slot < state_.size(); ++slot) {
      state_[slot] = static_cast<int32_t>(padded_states + slot / kGroup);  // a cell behind all states
    }
    entry_ = Buffer<Real>(padded_states + groups_, kNever);
    first_layer_ = Buffer<int32_t>(groups_ + 1, 0);
    lowest_ = Buffer<int32_t>(groups_, states);
    highest_ = Buffer<int32_t>(groups_, -1);
    for (int32_t group = 0; group < groups_; ++group) {
      size_t layers = 0;
      for (int32_t i = 0; i < kGroup; ++i) layers = std::max(layers, lists[int64_t{group} * kGroup + i].arcs.size());
      first_layer_[group + 1] = first_layer_[group] + static_cast<int32_t>(layers);
    }
    const int64_t cells = int64_t{first_layer_[groups_]} * kGroup;
    source_ = Buffer<int32_t>(cells, 0);
    weight_ = Buffer<Real>(cells, kNever);
    shift_ = Buffer<Real>(cells, Real(0));
    for (int32_t slot = 0; slot < groups_ * kGroup; ++slot) place(lists[slot], slot);
    widen_ranges();
  }

  void place(const List& list, int32_t slot) {
    if (list.state < 0) return;
    const int32_t group = slot / kGroup;
    slot_of_[list.state] = slot;
    state_[slot] = place_of(list.state);
    lowest_[group] = std::min(lowest_[group], list.state);
    highest_[group] = std::max(highest_[group], list.state);
    int64_t cell = int64_t{first_layer_[group]} * kGroup + slot % kGroup;
    for (const SlotArc<Real>& arc : list.arcs) {
      source_[cell] = place_of(arc.source);
      weight_[cell] = arc.weight;
      cell += kGroup;
    }
  }

  // So that both ends ascend with the group.
  void widen_ranges() {
    for (int32_t group = 1; group < groups_; ++group) highest_[group] = std::max(highest_[group], highest_[group - 1]);
    for (int32_t group = groups_ - 2; group >= 0; --group)
      lowest_[group] = std::min(lowest_[group], lowest_[group + 1]);
  }

  int32_t reach_ = 0;
  int32_t groups_ = 0;
  Buffer<int32_t> slot_of_, state_, first_layer_, source_;
  Buffer<int32_t> lowest_, highest_;  // state of each group's slots
  Buffer<Real> weight_, shift_, entry_;
  SlotRuns<Real> runs_;
};

}  // namespace streamhmm
