#include "../viterbi.h"
#include "dense_narrow_viterbi.h"

namespace streamhmm::cuda {
namespace {

constexpr int32_t kChunk = 8;  // frames whose scores are loaded at once

// A sequence in kLanes lanes: lane l has the states l, l + kLanes, … (kEach of them). States that the graph has not are
// never reached.
template <int32_t kLanes, int32_t kEach>
class Forward {
 public:
  __device__ Forward(const BatchView& view, const NarrowSearch& search, const Segment& segment)
      : view_(view),
        graph_(view),
        group_(view.batch),
        last_(end_of(view, search, segment, group_.b)),
        limit_(static_cast<float>(search.inspection.limit)) {
    own_scores_ = Parts(shared_memory()).take<float>(kWarp * kEach * kChunk) + lane_of_thread();
    const int32_t states = graph_.states();
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) {
      const int32_t j = state(e);
#pragma unroll
      for (int32_t i = 0; i < kLanes * kEach; ++i) {
        weight_[e][i] = i < states && j < states ? graph_.transition<float>(i, j) : never<float>();
      }
      column_[e] = j < states ? view.row(group_.takes_part ? group_.b : 0, 0) + graph_.pdf(j) : 0;
      alpha_[e] = never<float>();
    }
  }

  __device__ int64_t last() const { return last_; }

  __device__ void restore(const NarrowAlpha* saved) {
    if (last_ == 0) return;
    offset_ = saved[group_.b].offset;
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) {
      if (is_state(e)) alpha_[e] = saved[group_.b].alpha[state(e)];
    }
  }
  __device__ void save(const Inspection& inspection, int64_t first, NarrowAlpha* saved) const {
    if (last_ <= first) return;
    if (group_.lane == 0) saved[group_.b].offset = offset_;
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) {
      if (is_state(e)) saved[group_.b].alpha[state(e)] = alpha_[e];
    }
    if (found_ != 0) atomicOr(inspection.flags + group_.b, found_);
  }

  // Scores of frames t … t+kChunk−1, on their way.
  __device__ void fetch(int64_t t) {
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) {
      const int64_t end = is_state(e) ? last_ : 0;
      coming_[e].load(view_, column_[e] + t * view_.frame_stride, t, end);
    }
  }
  // Those that were fetched become those to use; each lane reads only what it wrote.
  __device__ void take_fetched() {
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) {
#pragma unroll
      for (int32_t u = 0; u < kChunk; ++u) {
        const float score = coming_[e].score[u];
        found_ |= flags_for(score, limit_);
        own_scores_[(u * kEach + e) * kWarp] = score;
      }
    }
  }

  // α₀.
  __device__ void start() {
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) {
      if (is_state(e) && last_ > 0) alpha_[e] = graph_.initial<float>(state(e)) + own_scores_[e * kWarp];
    }
  }

  // The largest α moves into the offset; see ../viterbi.h.
  __device__ void recentre(int64_t t) {
    float most = alpha_[0];
#pragma unroll
    for (int32_t e = 1; e < kEach; ++e) most = alpha_[e] > most ? alpha_[e] : most;
    most = warp_max<kLanes>(most);
    if (t >= last_ || is_never(most)) return;
    offset_ += static_cast<double>(most);
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) alpha_[e] -= most;
  }

  // Frame t, the u-th of its chunk; word[e] gets the winner in byte t % kPacked.
  __device__ void step(int64_t t, int32_t u, uint32_t* word) {
    float best[kEach];
    uint32_t winner[kEach];
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) {
      best[e] = never<float>();
      winner[e] = 0;
    }
#pragma unroll
    for (int32_t i = 0; i < kLanes * kEach; ++i) {
      if (i % 8 == 0 && i >= graph_.states()) break;
      const float from = __shfl_sync(kAllLanes, alpha_[i / kLanes], i % kLanes, kLanes);
#pragma unroll
#pragma unroll
      for (int32_t e = 0; e < kEach; ++e) {
        const float candidate = from + weight_[e][i];
        const bool better = candidate > best[e];
        best[e] = better ? candidate : best[e];
        winner[e] = better ? static_cast<uint32_t>(i) : winner[e];
      }
    }
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) {
      if (t < last_) alpha_[e] = best[e] + own_scores_[(u * kEach + e) * kWarp];
      word[e] |= winner[e] << static_cast<uint32_t>(t % kPacked * 8);
    }
  }

  __device__ void store(const WinnerWords& words, const Segment& segment, int64_t t, const uint32_t* word) const {
    if (segment.pointers == nullptr || t / kPacked * kPacked >= last_) return;
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) {
      if (is_state(e)) words.at(group_.b, (t - segment.first) / kPacked, state(e)) = word[e];
    }
  }

 private:
  __device__ int32_t state(int32_t e) const { return group_.lane + e * kLanes; }
  __device__ bool is_state(int32_t e) const { return state(e) < graph_.states(); }

  const BatchView& view_;
  DenseView graph_;
  LaneGroup<kLanes> group_;
  int64_t last_;
  float limit_;
  float* own_scores_;  // (kChunk, kEach) of this lane, kWarp apart
  int64_t column_[kEach];
  float weight_[kEach][kLanes * kEach];
  float alpha_[kEach];
  double offset_ = 0;
  ScoreColumn<kChunk> coming_[kEach];
  uint32_t found_ = 0;
};

template <int32_t kLanes, int32_t kEach>
__global__ void __launch_bounds__(kWarp) forward_kernel(BatchView view, NarrowSearch search, Segment segment) {
  Forward<kLanes, kEach> forward(view, search, segment);
  const int64_t until = warp_max(forward.last());
  if (until <= segment.first) return;
  if (segment.first > 0) forward.restore(reinterpret_cast<const NarrowAlpha*>(segment.from));
  const WinnerWords words(segment, search.states);
  uint32_t word[kEach] = {};
  forward.fetch(segment.first);
  for (int64_t begin = segment.first; begin < until; begin += kChunk) {
    forward.take_fetched();
    forward.fetch(begin + kChunk);
    if (begin == 0) forward.start();
    if (begin > 0 && begin % kRecentre == 0) forward.recentre(begin);
    const int64_t end = begin + kChunk < until ? begin + kChunk : until;
#pragma unroll 1
    for (int64_t t = begin; t < end; ++t) {
      if (t > 0) forward.step(t, static_cast<int32_t>(t - begin), word);
      if (t % kPacked < kPacked - 1 && t < end - 1) continue;
      forward.store(words, segment, t, word);
#pragma unroll
      for (int32_t e = 0; e < kEach; ++e) word[e] = 0;
    }
  }
  forward.save(search.inspection, segment.first, reinterpret_cast<NarrowAlpha*>(segment.to));
}

}  // namespace

template <int32_t kLanes, int32_t kEach>
void narrow_forward(const DeviceBatch& batch, const NarrowSearch& search, const Segment& segment) {
  Parts shared(nullptr);
  shared.take<float>(kWarp * kEach * kChunk);
  launch(forward_kernel<kLanes, kEach>, dim3(LaneGroup<kLanes>::blocks(batch.batch.batch)), dim3(kWarp), shared.used(),
         batch.stream, BatchView::of(batch), search, segment);
}

template void narrow_forward<8, 1>(const DeviceBatch&, const NarrowSearch&, const Segment&);
template void narrow_forward<16, 1>(const DeviceBatch&, const NarrowSearch&, const Segment&);
template void narrow_forward<32, 1>(const DeviceBatch&, const NarrowSearch&, const Segment&);
template void narrow_forward<32, 2>(const DeviceBatch&, const NarrowSearch&, const Segment&);

}  // namespace streamhmm::cuda
