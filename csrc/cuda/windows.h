// Filtering and fixed-lag smoothing for any graph: the recursions of ../filter.h, each frame by a sweep of its own.
#pragma once

#include "../filter.h"
#include "delivery.h"

namespace streamhmm::cuda {

// β of frame t, up to the window's end, in rows().now.
template <class Number>
__device__ void sweep_window(Summing<Number>& work, const OutgoingView& outgoing, const Window& window, int64_t t,
                             int64_t length) {
  const int64_t end = t + window.lag < length - 1 ? t + window.lag : length - 1;
  const bool end_counts = window.end_counts && end == length - 1;
  __syncthreads();
  for_each(work.states(), [&](int32_t j) { work.rows().now[j] = end_counts ? work.final(j) : Number::from_log(0); });
  __syncthreads();
  for (int64_t u = end; u > t; --u) {
    step_back<Number>(work, outgoing, nullptr, Number::zero(), u, nullptr);
  }
}

// Grid: (sequences, frames of a segment, several a block where there are many).
template <class Number>
__global__ void __launch_bounds__(kMostSummingThreads)
    smooth_kernel(BatchView view, Sum sum, Segment segment, SumTargets to, Window window) {
  const int64_t b = blockIdx.x;
  if (!sum.selection.takes(view, sum.inspection, b)) return;
  const int64_t length = view.length(b), last = length < segment.last ? length : segment.last;
  Summing<Number> work(view, sum, b);
  const OutgoingView outgoing(view, b, sum.outgoing);
  const Delivery delivery(view, to, b);
  for_each(view.columns, [&](int32_t column) { work.rows().by_pdf[column] = 0; });
  for (int64_t t = segment.first + blockIdx.y; t < last; t += gridDim.y) {
    sweep_window(work, outgoing, window, t, length);
    const Number* alpha = alpha_row<Number>(sum, segment, b, t);
    Number part = Number::zero();
    for_each(work.states(), [&](int32_t j) { part = part + alpha[j] * work.rows().now[j]; });
    const Number total = work.over_block(part);
    if (!total.is_zero()) deliver_posteriors(work, alpha, total, t, view.columns, delivery);
  }
}

}  // namespace streamhmm::cuda
