#include <algorithm>

#include "dense_wide_sums.h"

namespace streamhmm::cuda {
namespace {

constexpr int32_t kThreads = 256;
constexpr int32_t kMostThreads = 1024;

// The largest value of a block's threads, to all of them.
__device__ float block_max(float value, Best<float>* scratch) {
  return block_best(Best<float>{value, 0}, scratch).value;
}

// One block.
__global__ void __launch_bounds__(kMostThreads)
    weight_tops_kernel(BatchView view, WideSum sum, WideSumCarried carried) {
  Parts shared(shared_memory());
  auto* scratch = shared.take<Best<float>>(kWarp);
  const DenseView graph(view);
  const auto thread = static_cast<int32_t>(threadIdx.x);
  float transition = never<float>(), least = never<float>(), initial = never<float>(), final = never<float>();
  for (int32_t i = warp_of_thread(); i < sum.states; i += warps_in_block()) {
    for (int32_t j = lane_of_thread(); j < sum.states; j += kWarp) {
      const float weight = graph.transition<float>(i, j);
      transition = fmaxf(transition, weight);
      least = fmaxf(least, -weight);
    }
  }
  for (int32_t j = thread; j < sum.states; j += kMostThreads) {
    initial = fmaxf(initial, graph.initial<float>(j));
    final = fmaxf(final, graph.final<float>(j));
  }
  transition = block_max(transition, scratch);
  least = -block_max(least, scratch);
  initial = block_max(initial, scratch);
  final = block_max(final, scratch);
  if (thread == 0) *carried.weights = {transition, initial, final, relative(least, transition)};
}

// Grid: the rows of both matrices.
__global__ void panels_kernel(BatchView view, WideSum sum, WideSumCarried carried) {
  const DenseView graph(view);
  const ProductShape& shape = sum.shape;
  const auto i = static_cast<int32_t>(blockIdx.x);
  const float top = carried.weights->transition;
  for (auto j = static_cast<int32_t>(threadIdx.x); j < shape.across * shape.columns(); j += kThreads) {
    const bool is_there = i < sum.states && j < sum.states;
    const int64_t place = shape.matrix_place(i, j);
    carried.ahead[place] = is_there ? relative(graph.transition<float>(i, j), top) : 0.0f;
    carried.back[place] = is_there ? relative(graph.transition<float>(j, i), top) : 0.0f;
  }
}

// A warp a frame, and what of it is not a number to work with.
__global__ void score_tops_kernel(BatchView view, WideSum sum, WideSumCarried carried) {
  const int64_t row = int64_t{blockIdx.x} * warps_in_block() + warp_of_thread();
  if (row >= view.batch * view.frames) return;
  const int64_t b = row / view.frames, t = row - b * view.frames;
  if (t >= view.length(b)) return;
  const DenseView graph(view);
  const auto limit = static_cast<float>(sum.inspection.limit);
  uint32_t found = 0;
  float top = never<float>();
  for (int32_t j = lane_of_thread(); j < sum.states; j += kWarp) {
    top = fmaxf(top, checked_score(view, view.row(b, t) + graph.pdf(j), limit, found));
  }
  if (found != 0) atomicOr(sum.inspection.flags + b, found);
  top = warp_max(top);
  if (lane_of_thread() == 0) carried.score_top[row] = top;
}

// A block a sequence: log Z = Σ_t of what was divided away, and the logarithm of what is left.
__global__ void total_kernel(BatchView view, WideSum sum, Segment segment, WideSumCarried carried) {
  const int64_t b = blockIdx.x, length = view.length(b);
  if (length <= segment.first || length > segment.last || !sum.selection.takes(view, sum.inspection, b)) return;
  Parts shared(shared_memory());
  auto* scratch = shared.take<double>(kWarp);
  const DenseView graph(view);
  const WeightTops tops = *carried.weights;
  const auto* last = reinterpret_cast<const float*>(segment.to) + b * sum.shape.row;
  double divided = 0, total = 0, low = 0;
  for (int64_t t = threadIdx.x; t < length; t += kThreads) {
    divided += static_cast<double>(carried.score_top[b * view.frames + t]);
    if (t + 1 == length) continue;
    const int32_t exponent = exponent_of(__int_as_float(carried.alpha_top[b * view.frames + t]));
    divided += exponent * kLogOfTwo + static_cast<double>(tops.transition);
    low += exponent < kLeastExponent ? 1 : 0;
  }
  for (auto j = static_cast<int32_t>(threadIdx.x); j < sum.states; j += kThreads) {
    total += static_cast<double>(last[j]) * static_cast<double>(relative(graph.final<float>(j), tops.final));
  }
  divided = block_sum(divided, scratch);
  total = block_sum(total, scratch);
  low = block_sum(low, scratch);
  if (threadIdx.x != 0) return;
  const bool is_unsafe =
      sum.forward_only && tops.least < kConnected && __int_as_float(carried.faintest[b]) < kLeastAlone;
  if (low > 0 || is_unsafe || !(total >= static_cast<double>(kLeastTotal))) {
    atomicOr(sum.inspection.flags + b, static_cast<uint32_t>(kFaint));
    return;
  }
  sum.to.log_likelihood[b] = divided + static_cast<double>(tops.initial) + static_cast<double>(tops.final) + log(total);
}

__global__ void largest_kernel(int32_t* faintest, int64_t batch) {
  const int64_t b = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (b < batch) faintest[b] = __float_as_int(1.0f);
}

int64_t scratch_bytes() {
  Parts parts(nullptr);
  parts.take<Best<float>>(kWarp);
  parts.take<double>(kWarp);
  return parts.used();
}

dim3 blocks_for(int64_t count, int64_t each) { return dim3(static_cast<unsigned>((count + each - 1) / each)); }

}  // namespace

void wide_sum_prepare(const DeviceBatch& batch, const WideSum& sum, char* memory) {
  const Batch& b = batch.batch;
  const BatchView view = BatchView::of(batch);
  Parts parts = Parts::within(memory);
  const WideSumCarried carried(parts, b.batch, b.frames, sum.shape);
  const int64_t rows = b.batch * b.frames, bytes = rows * static_cast<int64_t>(sizeof(int32_t));
  zero(carried.alpha_top, bytes, batch.stream);
  zero(carried.weighed_top, bytes, batch.stream);
  launch(largest_kernel, blocks_for(b.batch, kThreads), dim3(kThreads), 0, batch.stream, carried.faintest, b.batch);
  launch(weight_tops_kernel, dim3(1), dim3(kMostThreads), scratch_bytes(), batch.stream, view, sum, carried);
  launch(panels_kernel, dim3(static_cast<unsigned>(sum.shape.row)), dim3(kThreads), 0, batch.stream, view, sum,
         carried);
  if (rows == 0) return;
  launch(score_tops_kernel, blocks_for(rows, kThreads / kWarp), dim3(kThreads), 0, batch.stream, view, sum, carried);
}

void wide_sum_total(const DeviceBatch& batch, const WideSum& sum, const Segment& segment, char* memory) {
  Parts parts = Parts::within(memory);
  const WideSumCarried carried(parts, batch.batch.batch, batch.batch.frames, sum.shape);
  launch(total_kernel, dim3(static_cast<unsigned>(batch.batch.batch)), dim3(kThreads), scratch_bytes(), batch.stream,
         BatchView::of(batch), sum, segment, carried);
}

}  // namespace streamhmm::cuda
