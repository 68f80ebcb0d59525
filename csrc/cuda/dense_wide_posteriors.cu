#include <algorithm>

#include "dense_wide_sums.h"
#include "fixed_point.h"

namespace streamhmm::cuda {
namespace {

constexpr int32_t kThreads = 128;
constexpr int32_t kCountThreads = 256;  // 16 × 16
constexpr int32_t kSide = 64;           // of a square of counts: 4 × 4 a thread
constexpr int32_t kFrames = 16;         // that are added up in float

// Posteriors of a frame of a sequence, by a block. Grid: (batch, frames of the segment) as one.
__global__ void posteriors_kernel(BatchView view, WideSum sum, Segment segment, WideSumCarried carried, SumRows rows) {
  const int64_t frames = segment.last - segment.first;
  const int64_t b = blockIdx.x / frames, t = segment.first + blockIdx.x % frames, length = view.length(b);
  // One thread looks for all: other blocks may be raising the sequence's flags.
  const bool takes = threadIdx.x == 0 && t < length && sum.selection.takes(view, sum.inspection, b);
  if (__syncthreads_or(takes ? 1 : 0) == 0) return;
  Parts shared(shared_memory());
  auto* scratch = shared.take<double>(kWarp);
  const DenseView graph(view);
  const float* alpha = rows.alpha + rows.at(b, t);
  const float* beta = rows.beta + rows.at(b, t);
  const auto thread = static_cast<int32_t>(threadIdx.x);
  double total = 0;
  for (int32_t j = thread; j < sum.states; j += kThreads) total += static_cast<double>(alpha[j] * beta[j]);
  total = block_sum(total, scratch);
  const int32_t exponent = exponent_of(__int_as_float(carried.weighed_top[b * view.frames + t]));
  if (thread == 0) {
    carried.total[b * view.frames + t] = total;
    const bool is_faint = !(total >= static_cast<double>(kLeastTotal)) || (t > 0 && exponent < kLeastExponent);
    if (is_faint) atomicOr(sum.inspection.flags + b, static_cast<uint32_t>(kFaint));
  }
  const Sums& sums = sum.to.sums;
  const WeightsLayout at = weights_layout(view.record(b));
  double* counts =
      sums.counts != nullptr ? sums.counts + view.record(b).weights_offset + b * sums.counts_stride : nullptr;
  auto* by_state = static_cast<float*>(sums.by_state);
  auto* by_pdf = static_cast<float*>(sums.by_pdf);
  const double scale = sums.by_pdf_scale != nullptr ? sums.by_pdf_scale[b] : 1;
  FixedPoint* added = sum.pdfs_are_shared && by_pdf != nullptr ? shared.take<FixedPoint>(view.columns) : nullptr;
  for (int64_t v = thread; v < view.columns && added != nullptr; v += kThreads) added[v] = 0;
  __syncthreads();
  const int64_t row = b * view.frames + t;
  for (int32_t j = thread; j < sum.states; j += kThreads) {
    const double gamma = static_cast<double>(alpha[j] * beta[j]) / total;
    if (by_state != nullptr) by_state[row * sums.states_wide + j] = static_cast<float>(gamma);
    if (added != nullptr) {
      atomicAdd(added + graph.pdf(j), to_fixed_point(gamma));
    } else if (by_pdf != nullptr) {
      by_pdf[row * view.columns + graph.pdf(j)] = static_cast<float>(gamma * scale);
    }
    if (counts != nullptr && t == 0) counts[at.initial + j] = gamma;
    if (counts != nullptr && t == length - 1) counts[at.final + j] = gamma;
  }
  if (added == nullptr) return;
  __syncthreads();
  for (int64_t v = thread; v < view.columns; v += kThreads) {
    by_pdf[row * view.columns + v] = static_cast<float>(from_fixed_point(added[v]) * scale);
  }
}

// Counts of the arcs of a square, kSide × kSide, of a sequence:
//
//   counts[i][j] = w_ij · Σ_t x_t[i] · B_t[j]        x_t[i] = α_{t−1}[i] · 2^−e / Σ_k α_t[k] · β_t[k]
//
// with the 2^−e of the step to α_t. Sums in float over kFrames, then in double. Grid: (batch, squares).
class SquareOfCounts {
 public:
  __device__ SquareOfCounts(const BatchView& view, const WideSum& sum, const Segment& segment,
                            const WideSumCarried& carried, const SumRows& rows)
      : view_(view), sum_(sum), segment_(segment), carried_(carried), rows_(rows), graph_(view), b_(blockIdx.x) {
    Parts shared(shared_memory());
    x_ = shared.take<float>(kFrames * kSide);
    y_ = shared.take<float>(kFrames * kSide);
    const int32_t across = (sum.states + kSide - 1) / kSide;
    first_i_ = static_cast<int32_t>(blockIdx.y) / across * kSide;
    first_j_ = static_cast<int32_t>(blockIdx.y) % across * kSide;
  }

  __device__ void run() {
    double counts[4][4] = {};
    const auto thread = static_cast<int32_t>(threadIdx.x);
    const int32_t i = thread / 16 * 4, j = thread % 16 * 4;
    const int64_t length = view_.length(b_), last = length < segment_.last ? length : segment_.last;
    for (int64_t begin = segment_.first > 0 ? segment_.first : 1; begin < last; begin += kFrames) {
      load(begin, last);
      float sum[4][4] = {};
      for (int32_t f = 0; f < kFrames; ++f) {
        const Four x = *reinterpret_cast<const Four*>(x_ + f * kSide + i);
        const Four y = *reinterpret_cast<const Four*>(y_ + f * kSide + j);
#pragma unroll
        for (int32_t r = 0; r < 4; ++r) {
#pragma unroll
          for (int32_t c = 0; c < 4; ++c) sum[r][c] = fmaf(x.x[r], y.x[c], sum[r][c]);
        }
      }
#pragma unroll
      for (int32_t r = 0; r < 4; ++r) {
#pragma unroll
        for (int32_t c = 0; c < 4; ++c) counts[r][c] += static_cast<double>(sum[r][c]);
      }
      __syncthreads();
    }
#pragma unroll
    for (int32_t r = 0; r < 4; ++r) {
#pragma unroll
      for (int32_t c = 0; c < 4; ++c) add(first_i_ + i + r, first_j_ + j + c, counts[r][c]);
    }
  }

 private:
  // x and B of the frames from `begin` on; 0 behind the last. Ends with a barrier.
  __device__ void load(int64_t begin, int64_t last) {
    for (auto k = static_cast<int32_t>(threadIdx.x); k < kFrames * kSide; k += kCountThreads) {
      const int64_t t = begin + k / kSide;
      const int32_t i = first_i_ + k % kSide, j = first_j_ + k % kSide;
      x_[k] = t < last && i < sum_.states ? before(t, i) : 0.0f;
      y_[k] = t < last && j < sum_.states ? weighed(t, j) : 0.0f;
    }
    __syncthreads();
  }
  __device__ float before(int64_t t, int32_t i) const {
    const int32_t row = sum_.shape.row;
    const float alpha = t > segment_.first ? rows_.alpha[rows_.at(b_, t - 1) + i]
                                           : reinterpret_cast<const float*>(segment_.from)[b_ * row + i];
    const int32_t exponent = exponent_of(__int_as_float(carried_.alpha_top[b_ * view_.frames + t - 1]));
    const double share = 1 / carried_.total[b_ * view_.frames + t];
    return static_cast<float>(static_cast<double>(alpha * power_of_two(-exponent)) * share);
  }
  __device__ float weighed(int64_t t, int32_t j) const {
    const float score = view_.scores.at<float>(view_.row(b_, t) + graph_.pdf(j));
    return rows_.beta[rows_.at(b_, t) + j] * relative(score, carried_.score_top[b_ * view_.frames + t]);
  }
  __device__ void add(int32_t i, int32_t j, double count) const {
    if (i >= sum_.states || j >= sum_.states) return;
    const GraphRecord record = view_.record(b_);
    double* counts = sum_.to.sums.counts + record.weights_offset + b_ * sum_.to.sums.counts_stride;
    const float weight = relative(graph_.transition<float>(i, j), carried_.weights->transition);
    counts[weights_layout(record).arcs + int64_t{i} * sum_.states + j] += static_cast<double>(weight) * count;
  }

  const BatchView& view_;
  const WideSum& sum_;
  const Segment& segment_;
  const WideSumCarried& carried_;
  const SumRows& rows_;
  DenseView graph_;
  int64_t b_;
  float* x_;
  float* y_;
  int32_t first_i_, first_j_;
};

__global__ void __launch_bounds__(kCountThreads)
    counts_kernel(BatchView view, WideSum sum, Segment segment, WideSumCarried carried, SumRows rows) {
  if (!sum.selection.takes(view, sum.inspection, blockIdx.x)) return;
  SquareOfCounts(view, sum, segment, carried, rows).run();
}

// Takes back the counts of sequences that another kernel has to do. A block a sequence.
__global__ void drop_counts_kernel(BatchView view, WideSum sum) {
  const int64_t b = blockIdx.x;
  if (sum.selection.takes(view, sum.inspection, b)) return;
  const GraphRecord record = view.record(b);
  double* counts = sum.to.sums.counts + record.weights_offset + b * sum.to.sums.counts_stride;
  for (int64_t i = threadIdx.x; i < weights_layout(record).end; i += kCountThreads) counts[i] = 0;
}

int64_t count_bytes() {
  Parts parts(nullptr);
  parts.take<float>(kFrames * kSide);
  parts.take<float>(kFrames * kSide);
  return parts.used();
}

}  // namespace

int64_t wide_deliver_bytes(const WideSum& sum, int64_t columns) {
  Parts parts(nullptr);
  parts.take<double>(kWarp);
  parts.take<FixedPoint>(sum.pdfs_are_shared && sum.to.sums.by_pdf != nullptr ? columns : 0);
  return parts.used();
}

void wide_sum_deliver(const DeviceBatch& batch, const WideSum& sum, const Segment& segment, char* memory) {
  const Batch& b = batch.batch;
  const BatchView view = BatchView::of(batch);
  const int64_t frames = segment.last - segment.first;
  Parts parts = Parts::within(memory), rows_parts = Parts::within(segment.pointers);
  const WideSumCarried carried(parts, b.batch, b.frames, sum.shape);
  const SumRows rows(rows_parts, b.batch, segment.first, frames, sum.shape.row, true);
  launch(posteriors_kernel, dim3(static_cast<unsigned>(b.batch * frames)), dim3(kThreads),
         wide_deliver_bytes(sum, b.columns), batch.stream, view, sum, segment, carried, rows);
  if (sum.to.sums.counts == nullptr) return;
  const auto sequences = static_cast<unsigned>(b.batch),
             across = static_cast<unsigned>((sum.states + kSide - 1) / kSide);
  launch(counts_kernel, dim3(sequences, across * across), dim3(kCountThreads), count_bytes(), batch.stream, view, sum,
         segment, carried, rows);
  if (segment.first == 0) launch(drop_counts_kernel, dim3(sequences), dim3(kCountThreads), 0, batch.stream, view, sum);
}

}  // namespace streamhmm::cuda
