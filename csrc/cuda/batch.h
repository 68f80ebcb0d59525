// A batch on the device, as the kernels see it.
#pragma once

#include <cstdint>

#include "../graph.h"
#include "device_batch.h"
#include "numbers.h"

namespace streamhmm::cuda {

// What the kernels see of it.
struct BatchView {
  Numbers scores;
  Numbers weights;
  int64_t batch;
  int64_t frames;
  int64_t columns;
  int64_t batch_stride;
  int64_t frame_stride;
  const int64_t* lengths;
  const int32_t* structure;

  static BatchView of(const DeviceBatch& on_device) {
    const Batch& b = on_device.batch;
    const NumberType weights = b.is_double ? NumberType::float64 : NumberType::float32;
    return {{b.scores, on_device.type},
            {b.weights, weights},
            b.batch,
            b.frames,
            b.columns,
            b.batch_stride,
            b.frame_stride,
            b.lengths,
            on_device.structure};
  }

  // Lengths out of range are brought into it.
  __device__ int64_t length(int64_t sequence) const {
    if (lengths == nullptr) return frames;
    const int64_t length = lengths[sequence];
    return length < 0 ? 0 : length > frames ? frames : length;
  }
  __device__ GraphRecord record(int64_t sequence) const {
    return record_at(structure, structure[0] == 1 ? 0 : sequence);
  }
  __device__ int64_t row(int64_t sequence, int64_t frame) const {
    return sequence * batch_stride + frame * frame_stride;
  }
};

// What is wrong with the numbers of a sequence: NaN or +inf; too large for the arithmetic that is tried first; or only
// for the probabilities of a special kernel, which a general one's hold.
enum Flag : uint32_t { kInvalid = 1, kLarge = 2, kFaint = 4 };

template <class Real>
__device__ uint32_t flags_for(Real number, Real limit) {
  return (is_invalid(number) ? kInvalid : 0u) | (fabs(number) > limit && !is_never(number) ? kLarge : 0u);
}

// A score as it stands at `index`; what is wrong with it goes into `found`.
template <class Real>
__device__ Real checked_score(const BatchView& view, int64_t index, Real limit, uint32_t& found) {
  const Real score = view.scores.at<Real>(index);
  found |= flags_for(score, limit);
  return score;
}

// Sizes of the graphs in a batch, for the drivers, with every index in them checked; throws std::invalid_argument.
struct GraphSizes {
  int64_t graphs = 0;    // 1: shared
  int32_t states = 0;    // the most of any
  int32_t entering = 0;  // the most arcs into one state
  int64_t most_weights = 0;
  int32_t most_listed = 0;        // arcs outside the band of a linear graph, or of a sparse one
  bool has_plain_linear = false;  // a linear graph without arcs outside the band
  bool has_others = false;
};
GraphSizes graph_sizes(const Batch& batch);

}  // namespace streamhmm::cuda
