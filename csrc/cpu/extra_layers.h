// ExtraLayers: a linear graph's arcs outside the band as the kernels of sums read them (ArcLayers in linear_sums.h).
#pragma once

#include <algorithm>
#include <vector>

#include "buffer.h"
#include "number_row.h"

namespace streamhmm {

template <class Real>
class ExtraLayers {
 public:
  // Arcs k = 0 … count−1 between state[k] and other[k].
  ExtraLayers(int32_t states, int32_t count, const int32_t* state, const int32_t* other, const NumberRow<Real>& weight)
      : entry_(count > 0 ? states : 0), weight_(0) {
    if (count == 0) return;
    std::vector<List> lists = collect(count, state, states);
    std::stable_sort(lists.begin(), lists.end(),
                     [](const List& a, const List& b) { return a.arcs.size() > b.arcs.size(); });
    groups_ = static_cast<int32_t>(linear_groups(static_cast<int64_t>(lists.size())));
    state_ = Buffer<int32_t>(int64_t{groups_} * kGroup, static_cast<int32_t>(linear_groups(states) * kGroup));
    first_layer_ = Buffer<int32_t>(groups_ + 1, 0);
    for (int32_t group = 0; group < groups_; ++group) {
      const auto layers = static_cast<int32_t>(lists[int64_t{group} * kGroup].arcs.size());
      first_layer_[group + 1] = first_layer_[group] + layers;
    }
    const int64_t cells = int64_t{first_layer_[groups_]} * kGroup;
    other_ = Buffer<int32_t>(cells, 0);
    weight_ = NumberRow<Real>(cells);
    for (size_t slot = 0; slot < lists.size(); ++slot) place(lists[slot], static_cast<int32_t>(slot), other, weight);
  }

  ArcLayers<Real> lend() {
    const NumberRow<Real>& weight = weight_;
    return {groups_, state_.data(), first_layer_.data(), other_.data(), weight.row(), entry_.row()};
  }

 private:
  struct List {
    int32_t state;
    std::vector<int32_t> arcs;
  };

  static std::vector<List> collect(int32_t count, const int32_t* state, int32_t states) {
    std::vector<int32_t> list_of(states, -1);
    std::vector<List> lists;
    for (int32_t k = 0; k < count; ++k) {
      int32_t& list = list_of[state[k]];
      if (list < 0) {
        list = static_cast<int32_t>(lists.size());
        lists.push_back({state[k], {}});
      }
      lists[list].arcs.push_back(k);
    }
    return lists;
  }

  void place(const List& list, int32_t slot, const int32_t* other, const NumberRow<Real>& weight) {
    state_[slot] = list.state;
    int64_t cell = int64_t{first_layer_[slot / kGroup]} * kGroup + slot % kGroup;
    for (const int32_t arc : list.arcs) {
      other_[cell] = other[arc];
      weight_.row().mantissa[cell] = weight[arc].mantissa;
      weight_.row().exponent[cell] = weight[arc].exponent;
      cell += kGroup;
    }
  }

  NumberRow<Real> entry_, weight_;
  int32_t groups_ = 0;
  Buffer<int32_t> state_, first_layer_, other_;
};

}  // namespace streamhmm
