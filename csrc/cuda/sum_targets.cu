#include <algorithm>

#include "block.h"
#include "sum_targets.h"

namespace streamhmm::cuda {
namespace {

constexpr int32_t kThreads = 256;

__device__ double nan_number() { return __longlong_as_double(0x7ff8000000000000LL); }

__global__ void clear_kernel(double* log_likelihood, int64_t batch) {
  const int64_t b = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (b < batch) log_likelihood[b] = never<double>();
}

__device__ void spoil(void* memory, bool in_double, int64_t first, int64_t count) {
  if (memory == nullptr) return;
  for (int64_t i = first + threadIdx.x; i < first + count; i += kThreads) {
    if (in_double) {
      static_cast<double*>(memory)[i] = nan_number();
    } else {
      static_cast<float*>(memory)[i] = static_cast<float>(nan_number());
    }
  }
}

// A block a sequence.
__global__ void finish_kernel(BatchView view, Inspection inspection, SumTargets to) {
  const int64_t b = blockIdx.x, length = view.length(b);
  const bool invalid = length > 0 && (inspection.flags_of(view, b) & kInvalid) != 0;
  const Sums& sums = to.sums;
  if (threadIdx.x == 0 && sums.log_likelihood != nullptr) {
    sums.log_likelihood[b] = invalid ? nan_number() : to.log_likelihood[b];
  }
  if (!invalid) return;
  const GraphRecord record = view.record(b);
  for (int64_t t = 0; t < length; ++t) {
    spoil(sums.by_state, to.in_double, (b * view.frames + t) * sums.states_wide, record.states);
  }
  spoil(sums.by_pdf, to.in_double, b * view.frames * view.columns, length * view.columns);
  spoil(sums.counts, true, record.weights_offset + b * sums.counts_stride, weights_layout(record).end);
}

}  // namespace

void clear_sums(const DeviceBatch& batch, const SumTargets& to) {
  const Batch& b = batch.batch;
  const int64_t size = to.in_double ? sizeof(double) : sizeof(float);
  const Sums& sums = to.sums;
  if (sums.by_state != nullptr) zero(sums.by_state, b.batch * b.frames * sums.states_wide * size, batch.stream);
  if (sums.by_pdf != nullptr) zero(sums.by_pdf, b.batch * b.frames * b.columns * size, batch.stream);
  const int64_t blocks = (b.batch + kThreads - 1) / kThreads;
  launch(clear_kernel, dim3(static_cast<unsigned>(blocks)), dim3(kThreads), 0, batch.stream, to.log_likelihood,
         b.batch);
}

void finish_sums(const DeviceBatch& batch, const Inspection& inspection, const SumTargets& to) {
  launch(finish_kernel, dim3(static_cast<unsigned>(batch.batch.batch)), dim3(kThreads), 0, batch.stream,
         BatchView::of(batch), inspection, to);
}

}  // namespace streamhmm::cuda
