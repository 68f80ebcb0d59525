#include <algorithm>

#include "arcs.h"
#include "path_score.h"

namespace streamhmm::cuda {
namespace {

constexpr int32_t kThreads = 256;
constexpr int64_t kMostBlocks = 1 << 16;

__global__ void clear_kernel(int64_t* states, int64_t count) {
  const int64_t stride = int64_t{blockDim.x} * gridDim.x;
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += stride) states[i] = -1;
}

// A block a sequence.
__global__ void score_kernel(BatchView view, Inspection inspection, int64_t* all_states, double* score) {
  Parts shared(shared_memory());
  auto* scratch = shared.take<double>(kWarp);
  const int64_t b = blockIdx.x, length = view.length(b);
  int64_t* states = all_states + b * view.frames;
  const bool invalid = (inspection.flags_of(view, b) & kInvalid) != 0;
  const bool found = length > 0 && states[length - 1] >= 0;
  __syncthreads();  // all have looked
  if (invalid) {
    for (int64_t t = threadIdx.x; t < length; t += kThreads) states[t] = -1;
  }
  if (invalid || !found) {
    if (threadIdx.x == 0)
      score[b] = invalid && length > 0 ? __longlong_as_double(0x7ff8000000000000LL) : never<double>();
    return;
  }
  const ArcsView arcs(view.record(b), view.weights, inspection.extras_of(view, b));
  double total = 0;
  for (int64_t t = threadIdx.x; t < length; t += kThreads) {
    const auto state = static_cast<int32_t>(states[t]);
    total += view.scores.at<double>(view.row(b, t) + arcs.pdf(state));
    total += t > 0 ? arcs.between(static_cast<int32_t>(states[t - 1]), state, t) : arcs.initial<double>(state);
    if (t == length - 1) total += arcs.final<double>(state);
  }
  total = block_sum(total, scratch);
  if (threadIdx.x == 0) score[b] = total;
}

}  // namespace

void clear_paths(const DeviceBatch& batch, int64_t* states, int64_t count) {
  if (count == 0) return;
  const int64_t blocks = std::min<int64_t>((count + kThreads - 1) / kThreads, kMostBlocks);
  launch(clear_kernel, dim3(static_cast<unsigned>(blocks)), dim3(kThreads), 0, batch.stream, states, count);
}

void score_paths(const DeviceBatch& batch, const Inspection& inspection, int64_t* states, double* score) {
  Parts shared(nullptr);
  shared.take<double>(kWarp);
  launch(score_kernel, dim3(static_cast<unsigned>(batch.batch.batch)), dim3(kThreads), shared.used(), batch.stream,
         BatchView::of(batch), inspection, states, score);
}

}  // namespace streamhmm::cuda
