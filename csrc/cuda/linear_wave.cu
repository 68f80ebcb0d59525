#include "linear_wave.h"

namespace streamhmm::cuda {
namespace {

constexpr int32_t kThreads = 128;

__global__ void select_kernel(BatchView view, LinearWave wave) {
  const int64_t b = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (b == 0) *wave.ticket = 0;
  if (b < view.batch) wave.taken[b] = wave.selection.takes(view, wave.inspection, b) ? 1 : 0;
}

}  // namespace

void select_sequences(const DeviceBatch& batch, const LinearWave& wave) {
  const auto blocks = static_cast<unsigned>((batch.batch.batch + kThreads - 1) / kThreads);
  launch(select_kernel, dim3(blocks), dim3(kThreads), 0, batch.stream, BatchView::of(batch), wave);
}

}  // namespace streamhmm::cuda
