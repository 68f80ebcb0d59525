// SlotRuns: the slots of a linear graph in runs with equally many arcs, for passes that keep no back-pointers. Slots
// have few arcs, one or two for the most part: loading them one by one beats gathers, as long as no branch is
// mispredicted.
#pragma once

#include <algorithm>
#include <limits>
#include <vector>

#include "buffer.h"
#include "linear_viterbi.h"
#include "slot_lists.h"

namespace streamhmm {

template <class Real>
class SlotRuns {
 public:
  SlotRuns() = default;

  // The runs of each stretch between cuts (states, ascending) stand together.
  SlotRuns(std::vector<SlotList<Real>> lists, const std::vector<int32_t>& cuts) : first_of_strip_{0} {
    int64_t arcs = 0;
    for (const auto& list : lists) arcs += static_cast<int64_t>(list.arcs.size());
    state_ = Buffer<int32_t>(static_cast<int64_t>(lists.size()));
    source_ = Buffer<int32_t>(arcs);
    weight_ = Buffer<Real>(arcs);
    shift_ = Buffer<Real>(arcs, Real(0));
    auto first = lists.begin();
    for (size_t strip = 0; strip <= cuts.size(); ++strip) {
      const auto outside = [&](const SlotList<Real>& l) { return strip < cuts.size() && l.state >= cuts[strip]; };
      const auto last = std::find_if(first, lists.end(), outside);
      std::stable_sort(first, last, [](const auto& a, const auto& b) { return a.arcs.size() > b.arcs.size(); });
      for (const auto begin = first; first != last; ++first) append(*first, first == begin);
      first_of_strip_.push_back(static_cast<int32_t>(runs_.size()));
    }
  }

  void lend(LinearViterbi<Real>& d) const {
    d.runs = runs_.data();
    d.run_state = state_.data();
    d.run_source = source_.data();
    d.run_weight = weight_.data();
    d.run_shift = shift_.data();
    d.runs_weighted = weighted_;
  }

  int32_t first_of(size_t strip) const { return first_of_strip_.empty() ? 0 : first_of_strip_[strip]; }

  void refresh_shifts(const double* offset, int32_t first, int32_t last) {
    for (int32_t r = first; r < last; ++r) {
      const SlotRun& run = runs_[r];
      int64_t arc = run.first_arc;
      for (int32_t slot = run.first; slot < run.last; ++slot) {
        const double here = offset[state_[slot] / kTile];
        for (const int64_t end = arc + run.arcs; arc < end; ++arc) {
          shift_[arc] = static_cast<Real>(offset[source_[arc] / kTile] - here);
        }
      }
    }
  }

 private:
  void append(const SlotList<Real>& list, bool strip_begins) {
    const auto count = static_cast<int32_t>(list.arcs.size());
    if (strip_begins || runs_.back().arcs != count) runs_.push_back({slots_, slots_, count, arcs_});
    state_[slots_++] = place_of(list.state);
    runs_.back().last = slots_;
    for (const SlotArc<Real>& arc : list.arcs) {
      source_[arcs_] = place_of(arc.source);
      weight_[arcs_++] = arc.weight;
      weighted_ |= arc.weight != 0;
    }
  }

  std::vector<int32_t> first_of_strip_;
  std::vector<SlotRun> runs_;
  int32_t slots_ = 0;
  int64_t arcs_ = 0;
  bool weighted_ = false;
  Buffer<int32_t> state_, source_;
  Buffer<Real> weight_, shift_;
};

}  // namespace streamhmm
