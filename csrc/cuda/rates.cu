#include "block.h"
#include "launch.h"
#include "rates.h"

namespace streamhmm::cuda {
namespace {

constexpr int32_t kThreads = 256;
constexpr int32_t kBlocksOfProcessor = 4;  // 32 warps hide the latencies that the chains of one leave
constexpr int32_t kChains = 16;

__device__ inline float larger(float a, float b) { return fmaxf(a, b); }
__device__ inline double larger(double a, double b) { return fmax(a, b); }
__device__ inline float multiplied(float a, float w, float b) { return fmaf(a, w, b); }
__device__ inline double multiplied(double a, double w, double b) { return fma(a, w, b); }

// a ← max(a + w, b)
template <class Real>
struct AddMax {
  static __device__ Real step(Real a, Real w, Real b) { return larger(a + w, b); }
};

// a ← a·w + b
template <class Real>
struct MultiplyAdd {
  static __device__ Real step(Real a, Real w, Real b) { return multiplied(a, w, b); }
};

// kChains numbers a thread, from w·k on, that do not wait for each other; their sum is written out. w and b arrive as
// arguments: nothing can be computed beforehand or left out.
template <template <class> class Operation, class Real>
__global__ void __launch_bounds__(kThreads) rate_kernel(int64_t steps, Real w, Real b, double* results) {
  Real chain[kChains];
#pragma unroll
  for (int32_t k = 0; k < kChains; ++k) chain[k] = w * static_cast<Real>(k);
#pragma unroll 4
  for (int64_t step = 0; step < steps; ++step) {
#pragma unroll
    for (int32_t k = 0; k < kChains; ++k) chain[k] = Operation<Real>::step(chain[k], w, b);
  }
  double sum = 0;
#pragma unroll
  for (int32_t k = 0; k < kChains; ++k) sum += static_cast<double>(chain[k]);
  results[int64_t{blockIdx.x} * blockDim.x + threadIdx.x] = sum;
}

// α_j ← max(α_j + w, α_{j−1} + b) + w in a warp; the first lane is its own neighbour.
template <class Real>
__global__ void lane_chain_kernel(int64_t steps, Real w, Real b, double* results) {
  Real alpha = w * static_cast<Real>(threadIdx.x);
  for (int64_t step = 0; step < steps; ++step) {
    const Real left = __shfl_up_sync(kAllLanes, alpha, 1);
    alpha = larger(alpha + w, left + b) + w;
  }
  results[threadIdx.x] = static_cast<double>(alpha);
}

// The same over a block: each warp's last state goes to the next warp through shared memory, whose two rows take turns,
// so that a frame has one barrier.
template <class Real>
__global__ void __launch_bounds__(kThreads) block_chain_kernel(int64_t steps, Real w, Real b, double* results) {
  auto* borders = reinterpret_cast<Real*>(shared_memory());
  const int32_t warp = warp_of_thread(), lane = lane_of_thread();
  Real alpha = w * static_cast<Real>(threadIdx.x);
  for (int64_t step = 0; step < steps; ++step) {
    Real* row = borders + (step & 1) * warps_in_block();
    if (lane == kWarp - 1) row[warp] = alpha;
    Real left = __shfl_up_sync(kAllLanes, alpha, 1);
    __syncthreads();
    if (lane == 0 && warp > 0) left = row[warp - 1];
    alpha = larger(alpha + w, left + b) + w;
  }
  results[threadIdx.x] = static_cast<double>(alpha);
}

template <class Real>
int64_t run(Loop loop, int64_t steps, unsigned blocks, void* stream, double* results) {
  const dim3 one(1), block(kThreads), warp(kWarp);
  const int64_t cells = steps * kChains * kThreads * blocks;
  switch (loop) {
    case Loop::add_max:
      launch(rate_kernel<AddMax, Real>, dim3(blocks), block, 0, stream, steps, Real(-0.5), Real(-1), results);
      return cells;
    case Loop::multiply_add:
      launch(rate_kernel<MultiplyAdd, Real>, dim3(blocks), block, 0, stream, steps, Real(0.5), Real(1), results);
      return cells;
    case Loop::lane_chain:
      launch(lane_chain_kernel<Real>, one, warp, 0, stream, steps, Real(-0.5), Real(-1), results);
      return steps;
    default:
      launch(block_chain_kernel<Real>, one, block, 2 * (kThreads / kWarp) * sizeof(Real), stream, steps, Real(-0.5),
             Real(-1), results);
      return steps;
  }
}

}  // namespace

int64_t run_loop(Loop loop, bool is_double, int64_t steps, int device, void* stream, void* workspace) {
  const auto blocks = static_cast<unsigned>(card_of(device).multiprocessors * kBlocksOfProcessor);
  if (workspace == nullptr) return int64_t{blocks} * kThreads * static_cast<int64_t>(sizeof(double));
  const DeviceGuard guard(device);
  auto* results = static_cast<double*>(workspace);
  return is_double ? run<double>(loop, steps, blocks, stream, results)
                   : run<float>(loop, steps, blocks, stream, results);
}

}  // namespace streamhmm::cuda
