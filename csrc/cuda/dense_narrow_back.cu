#include "dense_narrow_viterbi.h"

namespace streamhmm::cuda {
namespace {

constexpr int32_t kWalked = 32;  // frames whose winners are loaded at once

// The words of kWalked frames, of a lane's states.
template <int32_t kEach>
struct Walked {
  uint32_t word[kWalked / kPacked][kEach];
};

template <int32_t kLanes, int32_t kEach>
__device__ Walked<kEach> words_from(const WinnerWords& words, const LaneGroup<kLanes>& group, int64_t frame,
                                    int64_t frames) {
  Walked<kEach> result;
#pragma unroll
  for (int32_t q = 0; q < kWalked / kPacked; ++q) {
    const int64_t t = frame + q * kPacked;
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) {
      const int32_t state = group.lane + e * kLanes;
      const bool is_there = t >= 0 && t < frames && state < words.states;
      result.word[q][e] = is_there ? words.at(group.b, t / kPacked, state) : 0;
    }
  }
  return result;
}

// The state in the last frame, or that in which the segment behind this one begins; −1: no path.
template <int32_t kLanes, int32_t kEach>
__device__ int32_t state_to_begin_with(const BatchView& view, const Segment& segment, const Paths& paths,
                                       const LaneGroup<kLanes>& group, bool is_there) {
  const DenseView graph(view);
  Best<double> best{never<double>(), -1};
  for (int32_t e = 0; e < kEach && is_there; ++e) {
    const int32_t state = group.lane + e * kLanes;
    if (state >= graph.states()) break;
    const NarrowAlpha& saved = reinterpret_cast<const NarrowAlpha*>(segment.to)[group.b];
    const double total = saved.offset + static_cast<double>(saved.alpha[state]) + graph.final<double>(state);
    if (total > best.value) best = {total, state};
  }
  best = warp_best<kLanes>(best);
  return is_there && view.length(group.b) > segment.last ? paths.current[group.b] : best.index;
}

// As the way forward: kLanes lanes a sequence, each with the winners of its states in registers.
template <int32_t kLanes, int32_t kEach>
__global__ void __launch_bounds__(kWarp)
    back_kernel(BatchView view, NarrowSearch search, Segment segment, Paths paths) {
  const LaneGroup<kLanes> group(view.batch);
  const int64_t last = end_of(view, search, segment, group.b) - segment.first;  // frames are counted in the segment
  const int64_t until = warp_max(last);
  if (until <= 0) return;
  const WinnerWords words(segment, search.states);
  int32_t state = state_to_begin_with<kLanes, kEach>(view, segment, paths, group, last > 0);
  int64_t* states = paths.states + (last > 0 ? group.b : 0) * view.frames + segment.first;
  int64_t begin = (until - 1) / kWalked * kWalked;
  Walked<kEach> coming = words_from<kLanes, kEach>(words, group, begin, last);
  for (; begin >= 0; begin -= kWalked) {
    const Walked<kEach> here = coming;
    coming = words_from<kLanes, kEach>(words, group, begin - kWalked, last);
    int32_t mine = -1;  // the state in frame begin + f + lane, f a multiple of kLanes
#pragma unroll
    for (int32_t f = kWalked - 1; f >= 0; --f) {
      const bool is_there = begin + f < last && state >= 0;
      if (f % kLanes == group.lane) mine = is_there ? state : -1;
      uint32_t word = __shfl_sync(kAllLanes, here.word[f / kPacked][0], state & (kLanes - 1), kLanes);
      if (kEach > 1) {
        const uint32_t other = __shfl_sync(kAllLanes, here.word[f / kPacked][kEach - 1], state & (kLanes - 1), kLanes);
        word = state >= kLanes ? other : word;
      }
      const bool goes_back = is_there && begin + f + segment.first > 0;
      state = goes_back ? static_cast<int32_t>(word >> (f % kPacked * 8) & 255) : state;
      if (f % kLanes == 0 && mine >= 0) states[begin + f + group.lane] = mine;
    }
  }
  if (last > 0 && group.lane == 0) paths.current[group.b] = state;
}

}  // namespace

template <int32_t kLanes, int32_t kEach>
void narrow_back(const DeviceBatch& batch, const NarrowSearch& search, const Segment& segment, const Paths& paths) {
  launch(back_kernel<kLanes, kEach>, dim3(LaneGroup<kLanes>::blocks(batch.batch.batch)), dim3(kWarp), 0, batch.stream,
         BatchView::of(batch), search, segment, paths);
}

template void narrow_back<8, 1>(const DeviceBatch&, const NarrowSearch&, const Segment&, const Paths&);
template void narrow_back<16, 1>(const DeviceBatch&, const NarrowSearch&, const Segment&, const Paths&);
template void narrow_back<32, 1>(const DeviceBatch&, const NarrowSearch&, const Segment&, const Paths&);
template void narrow_back<32, 2>(const DeviceBatch&, const NarrowSearch&, const Segment&, const Paths&);

}  // namespace streamhmm::cuda
