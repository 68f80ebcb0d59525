// Sums over paths of a dense graph of few states that the batch shares, as ordinary float probabilities: 8 to 32 lanes
// of a warp a sequence, one or two states a lane, the transitions in registers, rows passed through shared memory.
//
//   α_t[j] = (Σ_i α_{t−1}[i] · w_ij) · b_j(t) · 2^−e        B_t[j] = b_j(t) · β_t[j]
//   γ_t[j] = α_t[j] · β_t[j] / Σ                            β_{t−1}[i] = (Σ_j w_ij · B_t[j]) · 2^−e
//
// Transitions, emissions, initial and final weights are divided by the largest of their kind; e is the exponent of the
// largest number of the row that is multiplied. It is found while the product is made, so that no step waits for it.
// What may underflow is told in dense_probabilities.h.
#pragma once

#include "async_copy.h"
#include "dense_probabilities.h"
#include "dense_shape.h"
#include "lane_groups.h"
#include "summer.h"

namespace streamhmm::cuda {

constexpr int32_t kMostNarrowSummed = 64;

// What the kernels know beside the batch.
struct NarrowSum {
  Inspection inspection;
  Selection selection;
  SumTargets to;
  int32_t states;
  bool forward_only;
  bool pdfs_are_shared;  // by states
  float* beta;           // (batch, states), of the frame before the segment
};

// What is saved of a sequence between segments.
struct NarrowSaved {
  double log;  // α = 2^… of what stands in `alpha`
  float alpha[kMostNarrowSummed];
};

// What a warp has in shared memory, and what is the same on the way forward and back: the sequence, its emissions, the
// product of a row with the transitions.
template <int32_t kLanes, int32_t kEach>
class NarrowLanes {
 public:
  static constexpr int32_t kStates = kLanes * kEach;
  static constexpr int32_t kChunk = 8;  // frames whose scores are loaded at once

  __host__ __device__ static int64_t shared_bytes() {
    Parts nothing(nullptr);
    take_memory(nothing, nullptr);
    return nothing.used();
  }

  __device__ NarrowLanes(const BatchView& view, const NarrowSum& sum, const Segment& segment)
      : graph(view), group(view.batch), view_(view), limit_(static_cast<float>(sum.inspection.limit)) {
    Parts parts(shared_memory());
    take_memory(parts, this);
    rows_ += lane_of_thread() / kLanes * kStates;
    emissions_ += lane_of_thread();
    tops_ += lane_of_thread();
    if (group.takes_part && sum.selection.takes(view, sum.inspection, group.b)) {
      length = view.length(group.b);
      last = length < segment.last ? length : segment.last;
    }
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) {
      column_[e] = is_state(e) && group.takes_part ? view.row(group.b, 0) + graph.pdf(state(e)) : 0;
    }
  }

  __device__ int32_t state(int32_t e) const { return group.lane + e * kLanes; }
  __device__ bool is_state(int32_t e) const { return state(e) < graph.states(); }

  // weight[e][i] = exp(log_weight(e, i) − the largest of all), which is returned.
  template <class LogWeight>
  __device__ float load_weights(const LogWeight& log_weight) {
    float top = never<float>();
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) {
#pragma unroll
      for (int32_t i = 0; i < kStates; ++i) {
        weight_[e][i] = is_state(e) && i < graph.states() ? log_weight(e, i) : never<float>();
        top = weight_[e][i] > top ? weight_[e][i] : top;
      }
    }
    top = warp_max<kLanes>(top);
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) {
#pragma unroll
      for (int32_t i = 0; i < kStates; ++i) weight_[e][i] = relative(weight_[e][i], top);
    }
    return top;
  }
  // The smallest one of this lane.
  __device__ float least_weight() const {
    float least = 1;
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) {
#pragma unroll
      for (int32_t i = 0; i < kStates; ++i) {
        if (is_state(e) && i < graph.states()) least = fminf(least, weight_[e][i]);
      }
    }
    return least;
  }
  // value[e] = exp(log_value(e) − the largest of all), which is returned.
  template <class LogValue>
  __device__ float load(const LogValue& log_value, float* value) const {
    float top = never<float>();
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) {
      value[e] = is_state(e) ? log_value(state(e)) : never<float>();
      top = value[e] > top ? value[e] : top;
    }
    top = warp_max<kLanes>(top);
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) value[e] = relative(value[e], top);
    return top;
  }

  // The scores of frames t … t+kChunk−1, on their way; none where `is_there` is false.
  __device__ void fetch(int64_t t, bool is_there) {
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) {
      coming_[e].load(view_, column_[e] + t * view_.frame_stride, t, is_there && is_state(e) ? last : t);
    }
  }
  // Makes emissions of those that were fetched. Each lane reads only what it wrote.
  __device__ void take_fetched() {
#pragma unroll
    for (int32_t u = 0; u < kChunk; ++u) {
      float score[kEach], top = never<float>();
#pragma unroll
      for (int32_t e = 0; e < kEach; ++e) {
        score[e] = is_state(e) ? coming_[e].score[u] : never<float>();
        found |= flags_for(score[e], limit_);
        top = score[e] > top ? score[e] : top;
      }
      top = warp_max<kLanes>(top);
      tops_[u * kWarp] = top;
#pragma unroll
      for (int32_t e = 0; e < kEach; ++e) emissions_[(u * kEach + e) * kWarp] = relative(score[e], top);
    }
  }
  __device__ float emission(int32_t u, int32_t e) const { return emissions_[(u * kEach + e) * kWarp]; }
  __device__ float top_emission(int32_t u) const { return tops_[u * kWarp]; }

  // product[e] = Σ_i row[i] · weight[e][i], where row[state(e)] = own[e].
  __device__ void multiply(const float* own, float* product) {
    float* row = rows_ + turn_ * kWarp * kEach;
    turn_ ^= 1;  // what is written next was read before the barrier that comes next
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) row[state(e)] = own[e];
    __syncwarp();
    float sum[kEach][4] = {};
#pragma unroll
    for (int32_t i = 0; i < kStates; i += 4) {
      const Four four = *reinterpret_cast<const Four*>(row + i);
#pragma unroll
      for (int32_t e = 0; e < kEach; ++e) {
#pragma unroll
        for (int32_t k = 0; k < 4; ++k) sum[e][k] = fmaf(four.x[k], weight_[e][i + k], sum[e][k]);
      }
    }
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) product[e] = (sum[e][0] + sum[e][1]) + (sum[e][2] + sum[e][3]);
  }

  // Whatever is wrong with the sequence is told; what is not in the numbers' range is not called faint.
  __device__ void report(const Inspection& inspection, bool is_faint) const {
    const uint32_t flags = found != 0 ? found : is_faint ? kFaint : 0u;
    if (flags != 0 && last > 0) atomicOr(inspection.flags + group.b, flags);
  }

  DenseView graph;
  LaneGroup<kLanes> group;
  int64_t length = 0;
  int64_t last = 0;  // the frame behind the sequence's in the segment
  uint32_t found = 0;

 private:
  __host__ __device__ static void take_memory(Parts& parts, NarrowLanes* to) {
    auto* rows = parts.take<float>(2 * kWarp * kEach);
    auto* emissions = parts.take<float>(kChunk * kEach * kWarp);
    auto* tops = parts.take<float>(kChunk * kWarp);
    if (to == nullptr) return;
    to->rows_ = rows;
    to->emissions_ = emissions;
    to->tops_ = tops;
  }

  const BatchView& view_;
  float limit_;
  float* rows_;       // two of kStates a group, kWarp · kEach apart
  float* emissions_;  // (kChunk, kEach) of this lane, kWarp apart
  float* tops_;       // (kChunk)
  int32_t turn_ = 0;
  int64_t column_[kEach];
  float weight_[kEach][kStates];
  ScoreColumn<kChunk> coming_[kEach];
};

// The kernels for kLanes and kEach, in files of their own.
template <int32_t kLanes, int32_t kEach>
void narrow_sum_forward(const DeviceBatch& batch, const NarrowSum& sum, const Segment& segment);
template <int32_t kLanes, int32_t kEach>
void narrow_sum_backward(const DeviceBatch& batch, const NarrowSum& sum, const Segment& segment);

}  // namespace streamhmm::cuda
