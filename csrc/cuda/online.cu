#include <algorithm>
#include <limits>

#include "inspection.h"
#include "last_state.h"
#include "online.h"
#include "online_stream.h"

namespace streamhmm::cuda {
namespace {

constexpr int32_t kMostThreads = 512;

// Where answers go; see online.h.
struct Answers {
  unsigned long long* total;
  OnlineAnswer* answer;
  int32_t* decided;

  Answers(void* memory, int64_t streams)
      : total(static_cast<unsigned long long*>(memory)),
        answer(reinterpret_cast<OnlineAnswer*>(total + 1)),
        decided(reinterpret_cast<int32_t*>(answer + streams)) {}
};

struct ChunkView {
  OnlineChunk chunk;

  __device__ int64_t frames(int64_t stream) const {
    return chunk.first_row != nullptr ? chunk.first_row[stream + 1] - chunk.first_row[stream] : chunk.frames;
  }
  __device__ int64_t row(int64_t stream, int64_t frame) const {
    return chunk.first_row != nullptr ? (chunk.first_row[stream] + frame) * chunk.frame_stride
                                      : stream * chunk.stream_stride + frame * chunk.frame_stride;
  }
  template <class Real>
  __device__ Real at(int64_t index) const {
    return Numbers{chunk.scores, chunk.type}.at<Real>(index);
  }
};

// What the kernels know.
struct Call {
  BatchView view;  // of the graphs
  Inspection inspection;
  OnlineState state;
  Answers answers;
  bool in_shared;
  int64_t scratch_stride;  // bytes of a stream, where shared memory is too small
};

// Writes what is decided of a stream: a path from frame `first` to a point, then −1 to frame `end`. By one thread.
__device__ void answer(const Call& call, int64_t b, const OnlineWindow& window, int64_t first, OnlinePoint last,
                       int64_t end, OnlineAnswer& answer) {
  answer.count = end - first;
  answer.begin = static_cast<int64_t>(atomicAdd(call.answers.total, static_cast<unsigned long long>(answer.count)));
  int32_t* states = call.answers.decided + answer.begin;
  if (last.frame >= first) window.trace(first, last, states);
  for (int64_t t = last.frame + 1 > first ? last.frame + 1 : first; t < end; ++t) states[t - first] = -1;
  call.answers.answer[b] = answer;
}

template <class Real>
__device__ void push(const Call& call, const ChunkView& chunk, const OnlineOptions& options, const ArcsView& arcs) {
  const int64_t b = blockIdx.x, frames = chunk.frames(b);
  const OnlinePlace place = call.state.place[b];
  const OnlineProgress before = call.state.progress[b];
  const OnlineWindow window(call.state.window, place, arcs.states());
  char* memory = call.in_shared ? shared_memory() : call.state.scratch + b * call.scratch_stride;
  OnlineSurvivors<Real> survivors(arcs, OnlineRoom<Real>(memory, call.inspection.states_wide));
  survivors.load(call.state, place);
  OnlineStream<Real> stream(options, before, window, survivors);
  for (int64_t f = 0; f < frames; ++f) {
    const int64_t row = chunk.row(b, f);
    stream.advance([&](int32_t pdf) { return chunk.at<Real>(row + pdf); });
  }
  stream.end();
  stream.survivors().save(call.state, place);
  if (threadIdx.x > 0) return;
  OnlineProgress& after = call.state.progress[b];
  after = stream.progress();
  after.is_double = sizeof(Real) == sizeof(double) ? 1 : 0;
  OnlineAnswer found{0, 0, kNoneInvalid, stream.current(), 0};
  answer(call, b, window, before.undecided, stream.decided(), after.undecided, found);
}

// What is wrong with the stream's scores of the chunk, and the first frame that has NaN or +inf.
__device__ uint32_t look_at(const Call& call, const ChunkView& chunk, const ArcsView& arcs, int64_t& invalid_frame) {
  const int64_t b = blockIdx.x;
  uint32_t found = 0;
  int64_t first = INT64_MAX;
  const int64_t frames = chunk.frames(b);
  for (int32_t j = static_cast<int32_t>(threadIdx.x); j < arcs.states(); j += static_cast<int32_t>(blockDim.x)) {
    const int32_t pdf = arcs.pdf(j);
#pragma unroll 4
    for (int64_t f = 0; f < frames; ++f) {
      const uint32_t flags = flags_for(chunk.at<double>(chunk.row(b, f) + pdf), call.inspection.limit);
      if ((flags & kInvalid) != 0 && f < first) first = f;
      found |= flags;
    }
  }
  const uint32_t large = __syncthreads_or((found & kLarge) != 0) != 0 ? kLarge : 0u;
  if (__syncthreads_or((found & kInvalid) != 0) == 0) return large;
  auto* scratch = Parts(shared_memory()).take<Best<double>>(kWarp);
  const Best<double> earliest{-static_cast<double>(first), (found & kInvalid) != 0 ? 0 : -1};
  invalid_frame = static_cast<int64_t>(-block_best(earliest, scratch).value);
  return kInvalid;
}

// A block a stream.
__global__ void __launch_bounds__(kMostThreads, 1) push_kernel(Call call, ChunkView chunk, OnlineOptions options) {
  const int64_t b = blockIdx.x;
  const ArcsView arcs(call.view.record(b), call.view.weights, call.inspection.extras_of(call.view, b));
  int64_t invalid_frame = kInvalidWeights;
  const uint32_t found = look_at(call, chunk, arcs, invalid_frame) | call.inspection.flags_of(call.view, b);
  if ((found & kInvalid) != 0) {
    if (threadIdx.x == 0) call.answers.answer[b] = {0, 0, invalid_frame, -1, 0};
  } else if (call.state.progress[b].is_double != 0 || (found & kLarge) != 0) {
    push<double>(call, chunk, options, arcs);
  } else {
    push<float>(call, chunk, options, arcs);
  }
}

// A block a stream.
__global__ void end_kernel(Call call, bool in_final) {
  auto* scratch = Parts(shared_memory()).take<Best<double>>(kWarp);
  const int64_t b = blockIdx.x;
  const ArcsView arcs(call.view.record(b), call.view.weights, nullptr);
  const OnlinePlace place = call.state.place[b];
  OnlineProgress& progress = call.state.progress[b];
  const int32_t states = progress.enters != 0 ? 0 : arcs.states();
  const auto total = [&](int32_t j) {
    return call.state.offset[place.tile + j / kTile] + call.state.alpha[place.state + j];
  };
  const int32_t current = best_last_state(states, total, scratch);
  int32_t last = -1;
  if (in_final) {
    last = best_last_state(states, [&](int32_t j) { return total(j) + arcs.final<double>(j); }, scratch);
  }
  if (threadIdx.x > 0) return;
  OnlineAnswer found{0, 0, kNoneInvalid, current, last >= 0 ? 1 : 0};
  const int64_t first = progress.undecided, end = progress.frames;
  last = last >= 0 ? last : current;
  const OnlineWindow window(call.state.window, place, arcs.states());
  answer(call, b, window, first, {last >= 0 ? end - 1 : first - 1, last}, end, found);
  progress.undecided = end;
}

// Grid: (streams, parts of the rows).
__global__ void move_kernel(Call call, const OnlinePlace* new_place, char* new_window) {
  const int64_t b = blockIdx.x;
  const OnlineProgress progress = call.state.progress[b];
  const int32_t states = call.view.record(b).states;
  const OnlineWindow from(call.state.window, call.state.place[b], states), to(new_window, new_place[b], states);
  for (int64_t t = progress.undecided + blockIdx.y; t < progress.frames; t += gridDim.y) {
    const char* row = from.row(t);
    char* copy = const_cast<char*>(to.row(t));
    for (int64_t i = threadIdx.x; i < from.row_bytes(); i += blockDim.x) copy[i] = row[i];
  }
}

size_t bytes_to_choose() {
  Parts parts(nullptr);
  parts.take<Best<double>>(kWarp);
  return parts.used();
}

// Of what single precision takes.
double limit_of(const DeviceBatch& batch) {
  return batch.batch.is_double ? std::numeric_limits<double>::infinity() : kLargestSingle;
}

}  // namespace

int64_t online_winner_bytes(int64_t states) { return winner_bytes(states); }
int64_t online_winner_row_bytes(int64_t states) { return winner_row_bytes(states); }

struct OnlineStreams::Plan {
  DeviceBatch batch;
  GraphSizes sizes;
  int64_t room_bytes;  // of a stream at work
  bool in_shared;
  Inspection inspection{};

  explicit Plan(const DeviceBatch& given)
      : batch(given),
        sizes(graph_sizes(given.batch)),
        room_bytes(OnlineRoom<double>(nullptr, sizes.states).bytes),
        in_shared(room_bytes <= static_cast<int64_t>(card_of(given.device).shared_bytes)) {}

  void place(Parts& parts) { inspection = take_inspection(parts, batch, sizes, limit_of(batch)); }

  Call call(const OnlineState& state, void* answers) const {
    return {BatchView::of(batch), inspection, state, Answers(answers, batch.batch.batch), in_shared, room_bytes};
  }
  dim3 blocks(int64_t parts = 1) const {
    return dim3(static_cast<unsigned>(batch.batch.batch), static_cast<unsigned>(parts));
  }
};

OnlineStreams::OnlineStreams(const DeviceBatch& batch) : plan_(std::make_unique<Plan>(batch)) {}
OnlineStreams::~OnlineStreams() = default;

int64_t OnlineStreams::workspace_bytes() const {
  Parts parts(nullptr);
  Plan(*plan_).place(parts);
  return parts.used();
}

int64_t OnlineStreams::scratch_bytes() const {
  return plan_->in_shared ? 0 : plan_->batch.batch.batch * plan_->room_bytes;
}

void OnlineStreams::open(void* workspace) {
  Parts parts(workspace);
  plan_->place(parts);
  const DeviceGuard guard(plan_->batch.device);
  inspect(plan_->batch, plan_->sizes, plan_->inspection);
}

void OnlineStreams::push(const OnlineState& state, const OnlineChunk& chunk, const OnlineOptions& options,
                         void* answers, void* stream) const {
  const DeviceGuard guard(plan_->batch.device);
  const Call call = plan_->call(state, answers);
  const auto threads = static_cast<unsigned>(std::min(tile_count(plan_->sizes.states) * kWarp, kMostThreads));
  const size_t shared = std::max<size_t>(plan_->in_shared ? plan_->room_bytes : 0, bytes_to_choose());
  zero(call.answers.total, sizeof *call.answers.total, stream);
  launch(push_kernel, plan_->blocks(), dim3(threads), shared, stream, call, ChunkView{chunk}, options);
}

void OnlineStreams::end(const OnlineState& state, bool in_final, void* answers, void* stream) const {
  constexpr unsigned kThreads = 256;
  const DeviceGuard guard(plan_->batch.device);
  const Call call = plan_->call(state, answers);
  zero(call.answers.total, sizeof *call.answers.total, stream);
  launch(end_kernel, plan_->blocks(), dim3(kThreads), bytes_to_choose(), stream, call, in_final);
}

void OnlineStreams::move_window(const OnlineState& state, const OnlinePlace* new_place, char* new_window, int64_t rows,
                                void* stream) const {
  constexpr int64_t kThreads = 128, kMostParts = 64;
  const DeviceGuard guard(plan_->batch.device);
  launch(move_kernel, plan_->blocks(std::clamp<int64_t>(rows, 1, kMostParts)), dim3(kThreads), 0, stream,
         plan_->call(state, nullptr), new_place, new_window);
}

}  // namespace streamhmm::cuda
