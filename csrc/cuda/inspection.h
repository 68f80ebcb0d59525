// What is to be known of the graphs and their weights before paths are searched: found on the device, without waiting.
#pragma once

#include "batch.h"
#include "block.h"

namespace streamhmm::cuda {

struct Inspection {
  uint32_t* graph_flags;  // (graphs) what is wrong with the weights
  uint32_t* flags;        // (batch)  what is wrong with the scores, raised by who reads them
  int32_t* extra_begin;  // (graphs, states_wide + 1) see ArcsView; null where no linear graph has arcs outside the band
  int64_t states_wide;
  double limit;  // what is beyond it is kLarge

  __device__ uint32_t flags_of(const BatchView& view, int64_t sequence) const {
    return flags[sequence] | graph_flags[view.structure[0] == 1 ? 0 : sequence];
  }
  __device__ const int32_t* extras_of(const BatchView& view, int64_t sequence) const {
    return extra_begin + (view.structure[0] == 1 ? 0 : sequence) * (states_wide + 1);
  }
};

Inspection take_inspection(Parts& workspace, const DeviceBatch& batch, const GraphSizes& sizes, double limit);
void inspect(const DeviceBatch& batch, const GraphSizes& sizes, const Inspection& inspection);

}  // namespace streamhmm::cuda
