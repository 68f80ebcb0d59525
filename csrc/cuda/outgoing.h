// The arcs out of each state, for recursions from the right: indexed on the device before them.
#pragma once

#include "arcs.h"
#include "block.h"

namespace streamhmm::cuda {

// Arcs outside the band of linear graphs and all of sparse ones, by source; in each, by their place among the weights.
struct OutgoingIndex {
  int32_t* begin;   // (graphs, states_wide + 1)
  int32_t* target;  // (graphs, arcs_wide)
  int32_t* arc;     // (graphs, arcs_wide)
  int64_t states_wide;
  int64_t arcs_wide;
};

OutgoingIndex take_outgoing(Parts& workspace, const GraphSizes& sizes);
void index_outgoing(const DeviceBatch& batch, const GraphSizes& sizes, const OutgoingIndex& index);

class OutgoingView {
 public:
  __device__ OutgoingView(const BatchView& view, int64_t sequence, const OutgoingIndex& index)
      : record_(view.record(sequence)), at_(weights_layout(record_)) {
    const int64_t graph = view.structure[0] == 1 ? 0 : sequence;
    begin_ = index.begin + graph * (index.states_wide + 1);
    target_ = index.target + graph * index.arcs_wide;
    arc_ = index.arc + graph * index.arcs_wide;
  }

  // visit(target, place) for the arcs passed from `state` between frames t−1 and t; places as in ArcsView.
  template <class Visit>
  __device__ void from(int32_t state, int64_t t, const Visit& visit) const {
    const int64_t states = record_.states;
    if (record_.family == Family::dense) {
      const int64_t first = at_.arcs + ((record_.detail > 0 ? t * states : 0) + state) * states;
      for (int32_t j = 0; j < record_.states; ++j) visit(j, first + j);
      return;
    }
    if (record_.family == Family::linear) {
      for (int32_t step = 0; step <= (record_.detail != 0 ? 2 : 1) && state + step < record_.states; ++step) {
        visit(state + step, step * states + state);
      }
    }
    if (record_.arcs == 0) return;
    for (int32_t k = begin_[state]; k < begin_[state + 1]; ++k) visit(target_[k], at_.arcs + arc_[k]);
  }

 private:
  GraphRecord record_;
  WeightsLayout at_;
  const int32_t* begin_;
  const int32_t* target_;
  const int32_t* arc_;
};

}  // namespace streamhmm::cuda
