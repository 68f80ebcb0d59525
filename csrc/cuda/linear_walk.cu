#include "arcs.h"
#include "last_state.h"
#include "linear_walk.h"

namespace streamhmm::cuda {
namespace {

constexpr int32_t kThreads = 256;  // that look for the last state; a warp walks
constexpr uint32_t kLowerBits = 0x55555555u;

// The state in the segment's last frame, or that in which the segment behind this one begins; −1: no path.
template <class Real>
__device__ int32_t state_to_begin_with(const BatchView& view, const LinearWave& wave, const Segment& segment,
                                       const Paths& paths, Best<double>* scratch) {
  const int64_t b = blockIdx.x;
  if (view.length(b) > segment.last) return paths.current[b];
  const ArcsView arcs(view.record(b), view.weights, nullptr);
  const LinearSaved<Real> saved(segment.to, b, wave.tiles);
  const auto total = [&](int32_t j) {
    return saved.offset[j / kTile] + static_cast<double>(saved.alpha[j]) + arcs.final<double>(j);
  };
  return best_last_state(arcs.states(), total, scratch);
}

// A warp that follows a path. A chunk's frames lead two tiles down at most: those of the state in its last frame and of
// the one below. What the next chunk may need is loaded before this one is walked.
class Walk {
 public:
  __device__ Walk(const LinearPointers& pointers, int64_t sequence, uint32_t* window)
      : pointers_(pointers), b_(sequence), window_(window) {}

  // Loads what may be needed of a chunk, at whose end the path is in tile `top` or the one below.
  __device__ void load(int64_t chunk, int32_t top) {
    top_ = top;
    for (int32_t i = 0; i < kTiles; ++i) {
      if (chunk < 0 || top - i < 0) return;
      const uint32_t* from = pointers_.of(b_, top - i, chunk) + lane_of_thread();
      for (int32_t w = 0; w < kChunkWords; ++w) loaded_[i][w] = __ldg(from + w * kWarp);
    }
  }

  // Makes the walk's window of what was loaded: the tile of `state` and the one below, as numbers of states to go down.
  __device__ void open(int32_t state) {
    base_ = (state / kTile - 1) * kTile;
    const bool lower = state / kTile < top_;
    __syncwarp();
    for (int32_t i = 0; i < 2; ++i) {
      for (int32_t w = 0; w < kChunkWords; ++w) {
        const uint32_t word = lower ? loaded_[i + 1][w] : loaded_[i][w];
        window_[(w * 2 + 1 - i) * kWarp + lane_of_thread()] = steps_of(word);
      }
    }
    __syncwarp();
  }

  // The state before frame `frame` of the chunk.
  __device__ int32_t before(int32_t frame, int32_t state) const {
    const int32_t in_window = state - base_;
    const uint32_t word = window_[frame / kWordFrames * 2 * kWarp + in_window / 2];
    return state - static_cast<int32_t>(word >> (frame % kWordFrames * 4 + in_window % 2 * 2) & 3);
  }

  static constexpr int64_t kWindowWords = 2 * kChunkWords * kWarp;

 private:
  static constexpr int32_t kTiles = 3;

  __device__ static uint32_t steps_of(uint32_t word) {
    const uint32_t moved = ~(word >> 1) & kLowerBits, advanced = word & kLowerBits;
    return (advanced & moved) | (~advanced & moved) << 1;
  }

  const LinearPointers& pointers_;
  int64_t b_;
  uint32_t* window_;
  int32_t top_ = 0;
  int32_t base_ = 0;
  uint32_t loaded_[kTiles][kChunkWords] = {};
};

// A block a sequence.
template <class Real>
__global__ void __launch_bounds__(kThreads) walk_kernel(BatchView view, LinearWave wave, Segment segment, Paths paths) {
  const int64_t b = blockIdx.x;
  if (!wave.selection.takes(view, wave.inspection, b)) return;
  const int64_t length = view.length(b), last = length < segment.last ? length : segment.last;
  if (last <= segment.first) return;
  Parts shared(shared_memory());
  auto* scratch = shared.take<Best<double>>(kWarp);
  auto* window = shared.take<uint32_t>(Walk::kWindowWords);
  int32_t state = state_to_begin_with<Real>(view, wave, segment, paths, scratch);
  if (warp_of_thread() > 0) return;
  if (state >= 0) {
    Parts memory(segment.room);
    const LinearPointers pointers(memory, view.batch, wave.tiles, segment.last - segment.first);
    Walk walk(pointers, b, window);
    int64_t chunk = (last - 1 - segment.first) / kRecentre;
    walk.load(chunk, state / kTile);
    for (; chunk >= 0; --chunk) {
      walk.open(state);
      walk.load(chunk - 1, state / kTile);
      const int64_t first = segment.first + chunk * kRecentre;
      const auto count = static_cast<int32_t>(last - first < kRecentre ? last - first : kRecentre);
      int32_t mine = 0;
      for (int32_t f = count - 1; f >= 0; --f) {
        if (f == lane_of_thread()) mine = state;
        if (first + f > 0) state = walk.before(f, state);
      }
      if (lane_of_thread() < count) paths.states[b * view.frames + first + lane_of_thread()] = mine;
    }
  }
  if (lane_of_thread() == 0) paths.current[b] = state;
}

template <class Real>
void launch_walk(const DeviceBatch& batch, const LinearWave& wave, const Segment& segment, const Paths& paths) {
  Parts shared(nullptr);
  shared.take<Best<double>>(kWarp);
  shared.take<uint32_t>(Walk::kWindowWords);
  launch(walk_kernel<Real>, dim3(static_cast<unsigned>(batch.batch.batch)), dim3(kThreads), shared.used(), batch.stream,
         BatchView::of(batch), wave, segment, paths);
}

}  // namespace

void walk_back(const DeviceBatch& batch, const LinearWave& wave, const Segment& segment, const Paths& paths,
               bool in_double) {
  in_double ? launch_walk<double>(batch, wave, segment, paths) : launch_walk<float>(batch, wave, segment, paths);
}

}  // namespace streamhmm::cuda
