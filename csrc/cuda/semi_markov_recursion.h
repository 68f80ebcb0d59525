// What the semi-Markov kernels share: a sequence's working state, and how the threads of its block go through it.
#pragma once

#include "../semi_markov.h"
#include "arcs.h"
#include "semi_markov_plan.h"

namespace streamhmm::cuda {

__device__ inline bool is_large(double score) { return !(fabs(score) <= kLargestSummed); }

class SegmentState {
 public:
  // `shared` is the place in the block's shared memory from which on nothing has been taken.
  __device__ SegmentState(const BatchView& view, const SegmentPlan& plan, int64_t sequence, char* shared)
      : view_(view),
        plan_(plan),
        b_(sequence),
        arcs_(view.record(sequence), view.weights, plan.inspection.extras_of(view, sequence)),
        rows_(plan.rows_in_shared ? shared : scratch_of(plan, sequence), plan.states, plan.parts),
        ring_(ring_of(plan, sequence, shared)) {}

  __device__ void start() {
    for_states([&](int32_t j) { rows_.total[j] = 0; });
    clear_late();
  }

  // At border t.
  __device__ void restore(int64_t t, const char* from) {
    const SavedSegments saved = saved_at(const_cast<char*>(from));
    for_states([&](int32_t j) { rows_.total[j] = saved.total[j]; });
    for_ring(t, [&](int64_t i) { ring_[i] = saved.ring[i]; });
    clear_late();
  }

  // At border t, after a barrier.
  __device__ void save(int64_t t, char* to) const {
    const SavedSegments saved = saved_at(to);
    for_states([&](int32_t j) { saved.total[j] = rows_.total[j]; });
    for_ring(t, [&](int64_t i) { saved.ring[i] = ring_[i]; });
  }

  // Where one of them has met a score that is none.
  __device__ void report() const {
    if (found_ != 0) atomicOr(plan_.inspection.flags + b_, found_);
  }

 protected:
  template <class Use>
  __device__ void for_states(const Use& use) const {
    for (auto j = static_cast<int32_t>(threadIdx.x); j < plan_.states; j += static_cast<int32_t>(blockDim.x)) use(j);
  }
  // use(j, part): every state by each of the parts.
  template <class Use>
  __device__ void for_parts(const Use& use) const {
    const int32_t thread = static_cast<int32_t>(threadIdx.x), part = thread / plan_.width;
    for (int32_t j = thread % plan_.width; j < plan_.states; j += plan_.width) use(j, part);
  }

  // use(X_u[j], weight of d = t − u, d) for a part's borders u in the window of border t that lie before `end`.
  template <class Use>
  __device__ void for_window(int64_t t, int64_t end, int32_t j, int32_t part, const Use& use) const {
    const int64_t first = window_begin(t) + part;
    if (first >= end) return;
    const int32_t states = plan_.states, step = plan_.parts;
    int32_t slot = static_cast<int32_t>(first % plan_.longest), duration = static_cast<int32_t>(t - first);
    for (auto left = static_cast<int32_t>(end - first); left > 0; left -= step) {
      use(ring_[int64_t{slot} * states + j], plan_.durations[int64_t{duration - 1} * states + j], duration);
      duration -= step;
      slot += step;
      if (slot >= plan_.longest) slot -= plan_.longest;
    }
  }

  // The first border at which a segment that ends at t can have begun.
  __device__ int64_t window_begin(int64_t t) const { return t > plan_.longest ? t - plan_.longest : 0; }
  __device__ double& x_at(int64_t u, int32_t j) const { return ring_[u % plan_.longest * plan_.states + j]; }
  __device__ double duration(int64_t d, int32_t j) const { return plan_.durations[(d - 1) * plan_.states + j]; }
  __device__ double score(int64_t frame, int32_t j) {
    return checked_score<double>(view_, view_.row(b_, frame) + arcs_.pdf(j), plan_.inspection.limit, found_);
  }

  const BatchView& view_;
  const SegmentPlan& plan_;
  int64_t b_;
  ArcsView arcs_;
  SegmentRows rows_;
  double* ring_;
  uint32_t found_ = 0;

 private:
  __device__ static char* scratch_of(const SegmentPlan& plan, int64_t b) {
    return plan.scratch + b * plan.scratch_stride;
  }
  __device__ static double* ring_of(const SegmentPlan& plan, int64_t b, char* shared) {
    const int64_t before = plan.ring_in_shared || !plan.rows_in_shared ? plan.rows_bytes : 0;
    Parts ring((plan.ring_in_shared ? shared : scratch_of(plan, b)) + before);
    return ring.take<double>(int64_t{plan.longest} * plan.states);
  }
  __device__ SavedSegments saved_at(char* memory) const {
    const int64_t bytes = SavedSegments(nullptr, plan_.states, plan_.longest).bytes;
    return {memory + b_ * bytes, plan_.states, plan_.longest};
  }
  // What of the ring the borders before t have filled.
  template <class Use>
  __device__ void for_ring(int64_t t, const Use& use) const {
    const int64_t count = (t < plan_.longest ? t : plan_.longest) * plan_.states;
    for (int64_t i = threadIdx.x; i < count; i += blockDim.x) use(i);
  }
  __device__ void clear_late() {
    for_states([&](int32_t j) {
      for (int32_t k = 0; k < kBlock; ++k) rows_.late[k * plan_.states + j] = 0;
    });
    __syncthreads();
  }
};

}  // namespace streamhmm::cuda
