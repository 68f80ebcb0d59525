#include "async_copy.h"
#include "dense_wide.h"
#include "last_state.h"

namespace streamhmm::cuda {
namespace {

constexpr int32_t kThreads = 256;

struct BackMemory {
  Best<double>* scratch;
  Best<float>* winners;
  float* rows;     // two of α
  double* offset;  // (tiles)

  __host__ __device__ BackMemory(Parts& shared, int32_t row, int32_t tiles) {
    scratch = shared.take<Best<double>>(kWarp);
    winners = shared.take<Best<float>>(kWarp);
    rows = shared.take<float>(2 * int64_t{row});
    offset = shared.take<double>(tiles);
  }
};

// A block a sequence, its threads over the sources: who won the step to the state of the frame behind is found again,
// with the same numbers as on the way forward.
class WideBack {
 public:
  __device__ WideBack(const BatchView& view, const WideSearch& search, const Segment& segment, char* scratch)
      : view_(view),
        search_(search),
        segment_(segment),
        b_(blockIdx.x),
        parts_(Parts::within(scratch)),
        scratch_(parts_, view.batch, search, segment.first),
        kept_(Parts::within(segment.pointers)),
        rows_(kept_, view.batch, segment.first, segment.last - segment.first, search.shape.row, search.tiles),
        shared_(shared_memory()),
        memory_(shared_, search.shape.row, search.tiles) {}

  // The state in the last frame, or that in which the segment behind this one begins; −1: no path.
  __device__ int32_t state_to_begin_with(const Paths& paths) {
    if (view_.length(b_) > segment_.last) return paths.current[b_];
    Parts parts = Parts::within(segment_.to);
    const WideSaved saved(parts, view_.batch, search_.shape.row, search_.tiles);
    const DenseView graph(view_);
    const auto total = [&](int32_t j) {
      return saved.offset[b_ * search_.tiles + j / kTile] +
             static_cast<double>(saved.alpha[b_ * search_.shape.row + j]) + graph.final<double>(j);
    };
    return best_last_state(search_.states, total, memory_.scratch);
  }

  // From `state` in frame last−1; returns the state before the segment.
  __device__ int32_t walk(int32_t state, int64_t last, int64_t* states) {
    fetch(last - 1, 0);
    int32_t at = 0;
    int64_t epoch = -1;
    for (int64_t t = last - 1; t >= segment_.first && state >= 0; --t, at ^= 1) {
      if (threadIdx.x == 0) states[t] = state;
      if (t == 0) break;
      fetch(t - 1, at ^ 1);
      if (t / kRecentre != epoch) {
        epoch = t / kRecentre;
        const double* offset = rows_.offsets_at(b_, epoch);
        for (auto k = static_cast<int32_t>(threadIdx.x); k < search_.tiles; k += kThreads)
          memory_.offset[k] = offset[k];
      }
      wait_for_copies<1>();
      __syncthreads();
      state = winner_into(state, memory_.rows + at * search_.shape.row);
    }
    wait_for_copies<0>();
    return state;
  }

 private:
  // Begins to copy α of the frame before t.
  __device__ void fetch(int64_t t, int32_t at) const {
    if (t > 0 && t >= segment_.first) {
      const int32_t quads = search_.shape.row / 4;
      auto* to = reinterpret_cast<Four*>(memory_.rows + at * search_.shape.row);
      const auto* from = reinterpret_cast<const Four*>(t > segment_.first ? rows_.row_at(b_, t - 1) : saved_before());
      for (auto i = static_cast<int32_t>(threadIdx.x); i < quads; i += kThreads) copy_async(to + i, from + i);
    }
    end_copies();
  }
  __device__ const float* saved_before() const {
    Parts parts = Parts::within(const_cast<char*>(segment_.from));
    return WideSaved(parts, view_.batch, search_.shape.row, search_.tiles).alpha + b_ * search_.shape.row;
  }

  // Ends with a barrier.
  __device__ int32_t winner_into(int32_t state, const float* alpha) const {
    const float* weight = scratch_.into + int64_t{state} * search_.shape.row;
    const int32_t target = state / kTile;
    Best<float> best{never<float>(), -1};
#pragma unroll 4
    for (auto i = static_cast<int32_t>(threadIdx.x); i < search_.states; i += kThreads) {
      const float candidate = alpha[i] + shift_between<float>(memory_.offset, i / kTile, target) + weight[i];
      if (candidate > best.value) best = {candidate, i};
    }
    const int32_t winner = block_best(best, memory_.winners).index;
    return winner < 0 ? 0 : winner;
  }

  const BatchView& view_;
  const WideSearch& search_;
  const Segment& segment_;
  int64_t b_;
  Parts parts_;
  WideScratch scratch_;
  Parts kept_;
  AlphaRows rows_;
  Parts shared_;
  BackMemory memory_;
};

__global__ void __launch_bounds__(kThreads)
    back_kernel(BatchView view, WideSearch search, Segment segment, char* scratch, Paths paths) {
  const int64_t b = blockIdx.x;
  if (!search.selection.takes(view, search.inspection, b)) return;
  const int64_t length = view.length(b), last = length < segment.last ? length : segment.last;
  if (last <= segment.first) return;
  WideBack back(view, search, segment, scratch);
  const int32_t state = back.state_to_begin_with(paths);
  const int32_t before = back.walk(state, last, paths.states + b * view.frames);
  __syncthreads();  // all have read where the segment behind begins
  if (threadIdx.x == 0) paths.current[b] = before;
}

}  // namespace

int64_t wide_back_bytes(int32_t row, int32_t tiles) {
  Parts shared(nullptr);
  BackMemory(shared, row, tiles);
  return shared.used();
}

void wide_back(const DeviceBatch& batch, const WideSearch& search, const Segment& segment, char* scratch,
               const Paths& paths) {
  launch(back_kernel, dim3(static_cast<unsigned>(batch.batch.batch)), dim3(kThreads),
         wide_back_bytes(search.shape.row, search.tiles), batch.stream, BatchView::of(batch), search, segment, scratch,
         paths);
}

}  // namespace streamhmm::cuda
