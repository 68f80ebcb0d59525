// What the ways forward and back of sums over a wide dense graph have in common: see dense_wide_sums.h.
#pragma once

#include "dense_grid.h"
#include "dense_wide_sums.h"

namespace streamhmm::cuda {

// A block's shared memory beside the product's and the sequences'.
struct SumBlockMemory {
  int32_t* most;   // (sequences) the largest number of the row at work, as bits
  int32_t* least;  // (sequences)

  __host__ __device__ SumBlockMemory(Parts& shared, const ProductShape& shape) {
    most = shared.take<int32_t>(shape.sequences());
    least = shared.take<int32_t>(shape.sequences());
  }
};

struct NoShift {
  __device__ float operator()(int32_t, int32_t) const { return 0; }
  __device__ static float apply(float alpha, float) { return alpha; }
};

// Some sequences and some columns in a block.
class WideSumming {
 public:
  __device__ WideSumming(const BatchView& view, const WideSum& sum, const Segment& segment,
                         const WideSumCarried& carried, const float* matrix)
      : view_(view),
        sum_(sum),
        segment_(segment),
        carried_(carried),
        graph_(view),
        shared_(shared_memory()),
        grid_(shared_, sum.shape),
        memory_(shared_, sum.shape),
        product_(sum.shape, ProductMemory(shared_, sum.shape),
                 matrix + sum.shape.matrix_place(0, grid_.first_column())) {}

 protected:
  // b_j(t).
  __device__ float emission(int64_t b, int64_t t, int32_t j) const {
    const int64_t index = view_.row(b, t) + graph_.pdf(j);
    return relative(view_.scores.at<float>(index), carried_.score_top[b * view_.frames + t]);
  }
  __device__ static float scale_of(const int32_t* top) { return power_of_two(-exponent_of(__int_as_float(*top))); }

  __device__ void begin_tops() {
    for (auto q = static_cast<int32_t>(threadIdx.x); q < grid_.count(); q += static_cast<int32_t>(blockDim.x)) {
      memory_.most[q] = 0;
      memory_.least[q] = __float_as_int(1.0f);
    }
    __syncthreads();
  }
  __device__ void note(int32_t q, float value) { atomicMax(memory_.most + q, __float_as_int(value)); }
  // What was noted of frame t goes to top (batch, frames).
  __device__ void end_tops(int32_t* top, int64_t t) {
    __syncthreads();
    for (auto q = static_cast<int32_t>(threadIdx.x); q < grid_.count(); q += static_cast<int32_t>(blockDim.x)) {
      if (t < grid_.length(q)) atomicMax(top + grid_.sequence(q) * view_.frames + t, memory_.most[q]);
      memory_.most[q] = 0;
    }
    __syncthreads();
  }

  const BatchView& view_;
  const WideSum& sum_;
  const Segment& segment_;
  const WideSumCarried& carried_;
  DenseView graph_;
  Parts shared_;
  GridSequences grid_;
  SumBlockMemory memory_;
  Product<SumProduct> product_;
};

// Grid: (sets, across).
template <class Way>
__global__ void __launch_bounds__(ProductShape::kMostThreads)
    sum_kernel(BatchView view, WideSum sum, Segment segment, WideSumCarried carried, SumRows rows) {
  if (sum.inspection.graph_flags[0] != 0) return;
  Way way(view, sum, segment, carried, rows);
  for (int32_t round = 0; round < sum.shape.rounds; ++round) way.run(round);
}

template <class Way>
void start_wide_sum(const DeviceBatch& batch, const WideSum& sum, const Segment& segment, char* memory,
                    const SumRows& rows) {
  const ProductShape& shape = sum.shape;
  Parts parts = Parts::within(memory);
  const WideSumCarried carried(parts, batch.batch.batch, batch.batch.frames, shape);
  Parts shared(nullptr);
  GridSequences::take(shared, shape);
  SumBlockMemory(shared, shape);
  ProductMemory(shared, shape);
  const dim3 grid(static_cast<unsigned>(shape.sets), static_cast<unsigned>(shape.across));
  const dim3 block(static_cast<unsigned>(shape.threads()));
  const BatchView view = BatchView::of(batch);
  if (shape.across > 1) {
    launch_cooperative(sum_kernel<Way>, grid, block, shared.used(), batch.stream, view, sum, segment, carried, rows);
  } else {
    launch(sum_kernel<Way>, grid, block, shared.used(), batch.stream, view, sum, segment, carried, rows);
  }
}

}  // namespace streamhmm::cuda
