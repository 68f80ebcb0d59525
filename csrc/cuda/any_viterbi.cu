#include <algorithm>

#include "any_viterbi.h"
#include "arcs.h"
#include "last_state.h"
#include "tile_offsets.h"
#include "winners.h"

namespace streamhmm::cuda {
namespace {

constexpr int32_t kMostThreads = 512;

struct alignas(16) Word {
  uint32_t parts[4];
};

// What the kernels know beside the batch.
struct Search {
  Inspection inspection;
  Selection selection;
  double beam;
  Constraints constraints;
  int64_t states_wide;
  int64_t saved_stride;  // bytes between sequences in what is saved
  bool in_shared;        // α stand in shared memory, else in `scratch`
  char* scratch;
};

// α of two frames, the tiles' offsets, and room for what moves into them.
template <class Real>
struct Alphas {
  Real* now;
  Real* next;
  double* offset;
  Real* moved;

  __host__ __device__ Alphas(Parts& memory, int64_t states) {
    now = memory.take<Real>(states);
    next = memory.take<Real>(states);
    offset = memory.take<double>(tile_count(static_cast<int32_t>(states)));
    moved = memory.take<Real>(tile_count(static_cast<int32_t>(states)));
  }
};

template <class Real>
__host__ __device__ int64_t alphas_bytes(int64_t states) {
  Parts nothing(nullptr);
  Alphas<Real>(nothing, states);
  return nothing.used();
}

// What is saved of a sequence between segments: its offsets, then α.
template <class Real>
struct Saved {
  double* offset;
  Real* alpha;

  __host__ __device__ Saved(char* memory, int64_t states) {
    Parts parts(memory);
    offset = parts.take<double>(tile_count(static_cast<int32_t>(states)));
    alpha = parts.take<Real>(states);
    bytes = parts.used();
  }
  int64_t bytes;
};

// A sequence in a block of threads, each of which has every blockDim-th state.
template <class Real>
class Forward {
 public:
  __device__ Forward(const BatchView& view, const Search& search, int64_t sequence)
      : view_(view),
        search_(search),
        b_(sequence),
        arcs_(view.record(sequence), view.weights, search.inspection.extras_of(view, sequence)),
        memory_(search.in_shared ? shared_memory()
                                 : search.scratch + sequence * alphas_bytes<Real>(search.states_wide)),
        alphas_(memory_, search.states_wide) {}

  // α₀.
  __device__ void start() {
    for_each(arcs_.states(),
             [&](int32_t j) { alphas_.now[j] = permitted(0, j, arcs_.initial<Real>(j) + score(0, j)); });
    for_each(tile_count(arcs_.states()), [&](int32_t k) { alphas_.offset[k] = 0; });
    __syncthreads();
  }

  __device__ void restore(const char* from) {
    const Saved<Real> saved(const_cast<char*>(from) + b_ * search_.saved_stride, search_.states_wide);
    for_each(arcs_.states(), [&](int32_t j) { alphas_.now[j] = saved.alpha[j]; });
    for_each(tile_count(arcs_.states()), [&](int32_t k) { alphas_.offset[k] = saved.offset[k]; });
    __syncthreads();
  }

  __device__ void save(char* to) const {
    const Saved<Real> saved(to + b_ * search_.saved_stride, search_.states_wide);
    for_each(arcs_.states(), [&](int32_t j) { saved.alpha[j] = alphas_.now[j]; });
    for_each(tile_count(arcs_.states()), [&](int32_t k) { saved.offset[k] = alphas_.offset[k]; });
    if (found_ != 0) atomicOr(search_.inspection.flags + b_, found_);
  }

  // One frame: note(j, source of the arc that won).
  template <class Note>
  __device__ void step(int64_t t, const Note& note) {
    if (t % kRecentre == 0 && has_recentring<Real>(search_.beam)) {
      recentre(alphas_.now, arcs_.states(), search_.beam, alphas_.offset, alphas_.moved);
    }
    for_each(arcs_.states(), [&](int32_t j) {
      int32_t winner = 0;
      const Real best = best_into(j, t, winner);
      alphas_.next[j] = permitted(t, j, best + score(t, j));
      note(j, winner);
    });
    __syncthreads();
    Real* before = alphas_.now;
    alphas_.now = alphas_.next;
    alphas_.next = before;
  }

 private:
  template <class Use>
  __device__ static void for_each(int32_t count, const Use& use) {
    for (auto i = static_cast<int32_t>(threadIdx.x); i < count; i += static_cast<int32_t>(blockDim.x)) use(i);
  }

  __device__ Real score(int64_t t, int32_t j) {
    return checked_score(view_, view_.row(b_, t) + arcs_.pdf(j), limit_, found_);
  }

  // α, or −inf where the constraints do not allow the state. A fixed state that does not exist is a bad number.
  __device__ Real permitted(int64_t t, int32_t j, Real alpha) {
    const Constraints& only = search_.constraints;
    if (only.allowed != nullptr && !only.allowed[b_ * only.allowed_stride + t * only.states_wide + j]) {
      alpha = never<Real>();
    }
    if (only.fixed == nullptr) return alpha;
    const int64_t fixed = only.fixed[b_ * only.fixed_stride + t];
    if (fixed < -1 || fixed >= arcs_.states()) found_ |= kInvalid;
    return fixed >= 0 && fixed != j ? never<Real>() : alpha;
  }

  __device__ Real best_into(int32_t j, int64_t t, int32_t& winner) const {
    Real best = never<Real>();
    arcs_.into(j, t, [&](int32_t source, int64_t place) {
      const Real shift = shift_between<Real>(alphas_.offset, source / kTile, j / kTile);
      const Real candidate = alphas_.now[source] + shift + arcs_.weight<Real>(place);
      if (candidate > best) {
        best = candidate;
        winner = source;
      }
    });
    return best;
  }

  const BatchView& view_;
  const Search& search_;
  int64_t b_;
  ArcsView arcs_;
  Parts memory_;
  Alphas<Real> alphas_;
  Real limit_ = sizeof(Real) == sizeof(float) ? static_cast<Real>(kLargestSingle) : static_cast<Real>(__builtin_inf());
  uint32_t found_ = 0;
};

template <class Real>
__global__ void __launch_bounds__(kMostThreads) forward_kernel(BatchView view, Search search, Segment segment) {
  const int64_t b = blockIdx.x;
  if (!search.selection.takes(view, search.inspection, b)) return;
  const int64_t length = view.length(b), last = length < segment.last ? length : segment.last;
  if (last <= segment.first) return;
  Forward<Real> forward(view, search, b);
  int64_t t = segment.first;
  if (t == 0) {
    forward.start();
    ++t;
  } else {
    forward.restore(segment.from);
  }
  const WinnerRows winners(segment.pointers, search.states_wide, b, segment.last - segment.first);
  for (; t < last; ++t) {
    forward.step(t, [&](int32_t j, int32_t source) {
      if (segment.pointers != nullptr) winners.set(t - segment.first, j, source);
    });
  }
  forward.save(segment.to);
}

// The state in the last frame, or that in which the segment behind this one begins; −1: no path.
template <class Real>
__device__ int32_t state_to_begin_with(const BatchView& view, const Search& search, const Segment& segment,
                                       const Paths& paths, Best<double>* scratch) {
  const int64_t b = blockIdx.x;
  if (view.length(b) > segment.last) return paths.current[b];
  const ArcsView arcs(view.record(b), view.weights, nullptr);
  const Saved<Real> saved(segment.to + b * search.saved_stride, search.states_wide);
  const auto total = [&](int32_t j) {
    return saved.offset[j / kTile] + static_cast<double>(saved.alpha[j]) + arcs.final<double>(j);
  };
  return best_last_state(arcs.states(), total, scratch);
}

// Follows rows of winners from frame end−1 down to `begin`; the state before it. By one thread.
__device__ int32_t follow(const WinnerRows& winners, const char* rows, int64_t begin, int64_t end, int32_t state,
                          int64_t* states) {
  for (int64_t t = end - 1; t >= begin; --t) {
    states[t] = state;
    if (t > 0) state = winners.get(rows + (t - begin) * winners.row_bytes(), state);
  }
  return state;
}

// A block a sequence. The rows of some frames at a time are copied to shared memory, and one thread follows them there;
// rows too long for that (rows_at_once is 0) it follows where they are.
template <class Real>
__global__ void back_kernel(BatchView view, Search search, Segment segment, Paths paths, int64_t rows_at_once) {
  const int64_t b = blockIdx.x;
  if (!search.selection.takes(view, search.inspection, b)) return;
  const int64_t length = view.length(b), last = length < segment.last ? length : segment.last;
  if (last <= segment.first) return;
  Parts shared(shared_memory());
  auto* scratch = shared.take<Best<double>>(kWarp);
  int32_t state = state_to_begin_with<Real>(view, search, segment, paths, scratch);
  const WinnerRows winners(segment.pointers, search.states_wide, b, segment.last - segment.first);
  auto* copies = shared.take<Word>(rows_at_once * winners.row_bytes() / sizeof(Word));
  int64_t* states = paths.states + b * view.frames;
  if (rows_at_once == 0 && state >= 0 && threadIdx.x == 0) {
    state = follow(winners, winners.row(0), segment.first, last, state, states);
  }
  for (int64_t end = last; rows_at_once > 0 && end > segment.first && state >= 0; end -= rows_at_once) {
    const int64_t begin = end - rows_at_once > segment.first ? end - rows_at_once : segment.first;
    const auto* from = reinterpret_cast<const Word*>(winners.row(begin - segment.first));
    const int64_t words = (end - begin) * winners.row_bytes() / static_cast<int64_t>(sizeof(Word));
    for (int64_t i = threadIdx.x; i < words; i += blockDim.x) copies[i] = from[i];
    __syncthreads();
    if (threadIdx.x == 0) {
      state = follow(winners, reinterpret_cast<const char*>(copies), begin, end, state, states);
    }
    __syncthreads();
  }
  if (threadIdx.x == 0) paths.current[b] = state;
}

template <class Real>
class AnyPathFinder : public PathFinder {
 public:
  AnyPathFinder(const DeviceBatch& batch, const GraphSizes& sizes, const Inspection& inspection,
                const Selection& selection, double beam, const Constraints& constraints)
      : batch_(batch), shared_limit_(card_of(batch.device).shared_bytes) {
    const int64_t states = sizes.states;
    in_shared_ = alphas_bytes<Real>(states) <= static_cast<int64_t>(shared_limit_);
    search_ = {inspection, selection, beam, constraints, states, Saved<Real>(nullptr, states).bytes,
               in_shared_, nullptr};
    threads_ = static_cast<unsigned>(std::min<int64_t>((states + kWarp - 1) / kWarp * kWarp, kMostThreads));
  }

  int64_t pointers_bytes(int64_t frames) const override { return batch_.batch.batch * frames * row_bytes(); }
  int64_t saved_bytes() const override { return batch_.batch.batch * search_.saved_stride; }
  int64_t scratch_bytes() const override {
    return in_shared_ ? 0 : batch_.batch.batch * alphas_bytes<Real>(search_.states_wide);
  }

  void forward(const Segment& segment, char* scratch) const override {
    const size_t shared = in_shared_ ? alphas_bytes<Real>(search_.states_wide) : 0;
    Search search = search_;
    search.scratch = scratch;
    launch(forward_kernel<Real>, blocks(), dim3(threads_), shared, batch_.stream, view(), search, segment);
  }

  void back(const Segment& segment, char*, const Paths& paths) const override {
    const int64_t fit = std::min<int64_t>(kCopied, static_cast<int64_t>(shared_limit_) - kKept) / row_bytes();
    const int64_t rows = std::min(fit, segment.last - segment.first);
    Parts shared(nullptr);
    shared.take<Best<double>>(kWarp);
    shared.take<Word>(rows * row_bytes() / static_cast<int64_t>(sizeof(Word)));
    launch(back_kernel<Real>, blocks(), dim3(kBackThreads), shared.used(), batch_.stream, view(), search_, segment,
           paths, rows);
  }

 private:
  static constexpr int64_t kCopied = 24 << 10;  // bytes of back-pointers at a time
  static constexpr int64_t kKept = 1 << 10;     // bytes of shared memory for what stands beside them
  static constexpr unsigned kBackThreads = 128;

  dim3 blocks() const { return dim3(static_cast<unsigned>(batch_.batch.batch)); }
  BatchView view() const { return BatchView::of(batch_); }
  int64_t row_bytes() const { return winner_row_bytes(search_.states_wide); }

  DeviceBatch batch_;
  size_t shared_limit_;
  bool in_shared_;
  Search search_;
  unsigned threads_;
};

}  // namespace

std::unique_ptr<PathFinder> any_path_finder(const DeviceBatch& batch, const GraphSizes& sizes,
                                            const Inspection& inspection, const Selection& selection, double beam,
                                            const Constraints& constraints, bool in_double) {
  if (in_double) {
    return std::make_unique<AnyPathFinder<double>>(batch, sizes, inspection, selection, beam, constraints);
  }
  return std::make_unique<AnyPathFinder<float>>(batch, sizes, inspection, selection, beam, constraints);
}

}  // namespace streamhmm::cuda
