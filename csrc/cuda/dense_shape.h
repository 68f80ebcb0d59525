// Which batches the kernels for dense graphs take: one graph that all sequences share, with the same transitions in
// every frame.
#pragma once

#include "../graph.h"
#include "batch.h"

namespace streamhmm::cuda {

inline bool shares_dense_graph(const Batch& batch) {
  if (graph_count(batch) != 1) return false;
  const GraphRecord record = record_at(batch.structure, 0);
  return record.family == Family::dense && record.detail == 0;
}

// The shared graph, as the kernels see it.
class DenseView {
 public:
  __device__ explicit DenseView(const BatchView& view)
      : record_(record_at(view.structure, 0)), at_(weights_layout(record_)), weights_(view.weights) {}

  __device__ int32_t states() const { return record_.states; }
  __device__ int32_t pdf(int32_t state) const { return record_.body[state]; }
  // From state i to state j.
  template <class Real>
  __device__ Real transition(int32_t i, int32_t j) const {
    return weight<Real>(at_.arcs + int64_t{i} * record_.states + j);
  }
  template <class Real>
  __device__ Real initial(int32_t state) const {
    return weight<Real>(at_.initial + state);
  }
  template <class Real>
  __device__ Real final(int32_t state) const {
    return weight<Real>(at_.final + state);
  }

 private:
  template <class Real>
  __device__ Real weight(int64_t place) const {
    return weights_.template at<Real>(record_.weights_offset + place);
  }

  GraphRecord record_;
  WeightsLayout at_;
  Numbers weights_;
};

}  // namespace streamhmm::cuda
