#include <algorithm>

#include "dtw_costs.h"
#include "numbers.h"

namespace streamhmm::cuda {
namespace {

constexpr int32_t kThreads = 128;
constexpr int32_t kWarps = kThreads / kWarp;
constexpr int32_t kSteps = kTileSteps / kWarps;       // of a warp
constexpr int32_t kDims = 16;                         // at a time
constexpr int32_t kFrames = kStrip + kTileSteps - 1;  // of y that a tile meets
constexpr int32_t kPitch = kTileSteps + 1;            // of rows in shared memory, so that lanes meet all banks

// ---- before

// 1 / |frame|, 0 for a frame of zeros. A thread a frame.
template <class Real>
__global__ void scale_kernel(const Real* frames, int64_t batch_stride, int64_t stride, int64_t count, int64_t dims,
                             int64_t total, double* scale) {
  const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= total) return;
  const Real* frame = frames + i / count * batch_stride + i % count * stride;
  double sum = 0;
  for (int64_t d = 0; d < dims; ++d) sum += static_cast<double>(frame[d]) * static_cast<double>(frame[d]);
  scale[i] = sum > 0 ? 1 / sqrt(sum) : 0;
}

// A block a pair.
__global__ void open_kernel(DtwPlan plan, int64_t* invalid) {
  const int64_t b = blockIdx.x;
  const Pair pair = plan.pair(b);
  int closed = 0;
  for (int64_t i = threadIdx.x; i < pair.rows && pair.columns > 0; i += blockDim.x) {
    const Columns inside = pair.band.at(i);
    if (inside.first >= inside.last) closed = 1;
  }
  closed = __syncthreads_or(closed);
  if (threadIdx.x != 0) return;
  plan.closed[b] = closed != 0 ? 1 : 0;
  invalid[b] = -1;
}

// ---- tiles

// Which tile a block fills, and of it the cells of a thread: lane r, steps kSteps · warp … . Grid: (batch · tiles,
// strips).
class TileBlock {
 public:
  __device__ TileBlock(const DtwPlan& plan, const Slab& slab)
      : b(blockIdx.x / plan.tiles),
        strip(slab.first + blockIdx.y),
        lane(lane_of_thread()),
        step(warp_of_thread() * kSteps),
        pair(plan.pair(b)) {
    const int64_t index = blockIdx.x % plan.tiles;
    if (strip >= pair.strips() || plan.closed[b] != 0) return;
    const Tiles tiles = pair.tiles(strip);
    if (tiles.first + index >= tiles.last) return;
    is_there = true;
    first_step = (tiles.first + index) * kTileSteps;
    row = strip * kStrip + lane;
    inside = row < pair.rows ? pair.band.at(row) : Columns{0, 0};
    place = ((b * slab.slab_strips + strip - slab.first) * plan.tiles + index) * kTileCells;
  }

  __device__ bool holds(int64_t column) const { return inside.first <= column && column < inside.last; }

  int64_t b, strip;
  int32_t lane, step;
  Pair pair;
  bool is_there = false;
  int64_t first_step = 0, row = 0, place = 0;
  Columns inside{0, 0};
};

template <class Real>
__device__ Real forbidden() {
  return static_cast<Real>(__builtin_inf());
}

// Writes a thread's cells; a warp writes a step at a time.
template <class Real>
__device__ void write(const DtwPlan& plan, const TileBlock& tile, const Real* costs) {
  Real* out = static_cast<Real*>(plan.costs) + tile.place + tile.lane;
#pragma unroll
  for (int32_t i = 0; i < kSteps; ++i) {
    const int64_t column = tile.first_step + tile.step + i - tile.lane;
    out[(tile.step + i) * kStrip] = tile.holds(column) ? costs[i] : forbidden<Real>();
  }
}

// Costs as given: rows are read along their columns, and turned in shared memory.
template <class Real>
__global__ void __launch_bounds__(kThreads) given_kernel(DtwPlan plan, Slab slab, unsigned long long* invalid) {
  const TileBlock tile(plan, slab);
  if (!tile.is_there) return;
  Parts shared(shared_memory());
  Real* rows = shared.take<Real>(kStrip * kPitch);
  const Real* matrix = static_cast<const Real*>(plan.batch.x) + tile.b * plan.batch.x_batch_stride;
  for (int32_t r = warp_of_thread(); r < kStrip; r += kWarps) {
    const int64_t row = tile.strip * kStrip + r, column = tile.first_step - r + tile.lane;
    const bool there = row < tile.pair.rows && column >= 0 && column < tile.pair.columns;
    rows[r * kPitch + tile.lane] = there ? matrix[row * plan.batch.x_stride + column] : forbidden<Real>();
  }
  __syncthreads();
  Real costs[kSteps];
#pragma unroll
  for (int32_t i = 0; i < kSteps; ++i) {
    costs[i] = rows[tile.lane * kPitch + tile.step + i];
    const int64_t column = tile.first_step + tile.step + i - tile.lane;
    if (tile.holds(column) && !(costs[i] > -forbidden<Real>())) {
      atomicMin(invalid + tile.b, static_cast<unsigned long long>(tile.row * plan.batch.columns + column));
    }
  }
  write(plan, tile, costs);
}

template <Metric kMetric, class Real>
__device__ Real term(Real x, Real y) {
  if constexpr (kMetric == Metric::cosine) return x * y;
  const Real difference = x - y;
  if constexpr (kMetric == Metric::cityblock) return difference < 0 ? -difference : difference;
  return difference * difference;
}

// Adds the terms of `dims` dimensions: a thread has one frame of x, and meets one of y in each of its steps.
template <Metric kMetric, class Real>
__device__ void add_terms(const Real* x, int32_t x_pitch, const Real* y, int32_t y_pitch, int32_t dims, Real* costs) {
  for (int32_t d = 0; d < dims; ++d) {
    const Real mine = x[d * x_pitch];
#pragma unroll
    for (int32_t i = 0; i < kSteps; ++i) costs[i] += term<kMetric>(mine, y[d * y_pitch + i]);
  }
}

// From the sum over the dimensions to the metric.
template <class Real>
__device__ Real finish(Metric metric, Real sum) {
  if (metric == Metric::euclidean) return sqrt(sum);
  if (metric == Metric::cosine) return sum < 1 ? 1 - sum : 0;
  return sum;
}

// Brings some dimensions of `count` frames from `first` on into shared memory, (kDims, pitch); 0 where there are none.
template <class Real>
__device__ void stage(const Real* frames, int64_t stride, const double* scale, int64_t size, int64_t first,
                      int32_t count, int64_t dim, int64_t dims, int32_t pitch, Real* out) {
  for (auto i = static_cast<int32_t>(threadIdx.x); i < count * kDims; i += kThreads) {
    const int32_t d = i % kDims, f = i / kDims;
    const int64_t frame = first + f;
    Real value = 0;
    if (frame >= 0 && frame < size && dim + d < dims) {
      value = frames[frame * stride + dim + d];
      if (scale != nullptr) value = static_cast<Real>(static_cast<double>(value) * scale[frame]);
    }
    out[d * pitch + f] = value;
  }
}

// cost[i, j] = metric(x_i, y_j), summed over the dimensions in ascending order.
template <class Real>
__global__ void __launch_bounds__(kThreads) features_kernel(DtwPlan plan, Slab slab) {
  const TileBlock tile(plan, slab);
  if (!tile.is_there) return;
  constexpr int32_t kXPitch = kStrip + 1, kYPitch = kFrames;
  Parts shared(shared_memory());
  Real* xs = shared.take<Real>(kDims * kXPitch);
  Real* ys = shared.take<Real>(kDims * kYPitch);
  const DtwBatch& batch = plan.batch;
  const Real* x = static_cast<const Real*>(batch.x) + tile.b * batch.x_batch_stride;
  const Real* y = static_cast<const Real*>(batch.y) + tile.b * batch.y_batch_stride;
  const double* x_scale = plan.x_scale != nullptr ? plan.x_scale + tile.b * batch.rows : nullptr;
  const double* y_scale = plan.y_scale != nullptr ? plan.y_scale + tile.b * batch.columns : nullptr;
  const int64_t first_column = tile.first_step - (kStrip - 1);
  Real costs[kSteps] = {};
  for (int64_t dim = 0; dim < batch.dims; dim += kDims) {
    stage(x, batch.x_stride, x_scale, tile.pair.rows, tile.strip * kStrip, kStrip, dim, batch.dims, kXPitch, xs);
    stage(y, batch.y_stride, y_scale, tile.pair.columns, first_column, kFrames, dim, batch.dims, kYPitch, ys);
    __syncthreads();
    const auto dims = static_cast<int32_t>(batch.dims - dim < kDims ? batch.dims - dim : kDims);
    const Real* mine = xs + tile.lane;
    const Real* met = ys + tile.step + kStrip - 1 - tile.lane;
    if (batch.metric == Metric::cosine) {
      add_terms<Metric::cosine>(mine, kXPitch, met, kYPitch, dims, costs);
    } else if (batch.metric == Metric::cityblock) {
      add_terms<Metric::cityblock>(mine, kXPitch, met, kYPitch, dims, costs);
    } else {
      add_terms<Metric::sqeuclidean>(mine, kXPitch, met, kYPitch, dims, costs);
    }
    __syncthreads();
  }
#pragma unroll
  for (int32_t i = 0; i < kSteps; ++i) costs[i] = finish(batch.metric, costs[i]);
  write(plan, tile, costs);
}

// ---- launches

template <class Real>
void scale_frames(const DtwPlan& plan, void* stream) {
  const DtwBatch& b = plan.batch;
  const auto start = [&](const void* frames, int64_t batch_stride, int64_t stride, int64_t count, double* scale) {
    const int64_t total = b.batch * count;
    if (total == 0) return;
    launch(scale_kernel<Real>, dim3(static_cast<unsigned>((total + kThreads - 1) / kThreads)), dim3(kThreads), 0,
           stream, static_cast<const Real*>(frames), batch_stride, stride, count, b.dims, total, scale);
  };
  start(b.x, b.x_batch_stride, b.x_stride, b.rows, plan.x_scale);
  start(b.y, b.y_batch_stride, b.y_stride, b.columns, plan.y_scale);
}

template <class Real>
void fill(const DtwPlan& plan, const Slab& slab, int64_t* invalid, void* stream) {
  const dim3 grid(static_cast<unsigned>(plan.batch.batch * plan.tiles), static_cast<unsigned>(slab.last - slab.first));
  Parts shared(nullptr);
  if (plan.batch.y == nullptr) {
    shared.take<Real>(kStrip * kPitch);
    launch(given_kernel<Real>, grid, dim3(kThreads), shared.used(), stream, plan, slab,
           reinterpret_cast<unsigned long long*>(invalid));
  } else {
    shared.take<Real>(kDims * (kStrip + 1));
    shared.take<Real>(kDims * kFrames);
    launch(features_kernel<Real>, grid, dim3(kThreads), shared.used(), stream, plan, slab);
  }
}

}  // namespace

void prepare_costs(const DtwPlan& plan, int64_t* invalid, void* stream) {
  launch(open_kernel, dim3(static_cast<unsigned>(plan.batch.batch)), dim3(kThreads), 0, stream, plan, invalid);
  if (plan.x_scale == nullptr) return;
  plan.batch.is_double ? scale_frames<double>(plan, stream) : scale_frames<float>(plan, stream);
}

void fill_costs(const DtwPlan& plan, const Slab& slab, int64_t* invalid, void* stream) {
  plan.batch.is_double ? fill<double>(plan, slab, invalid, stream) : fill<float>(plan, slab, invalid, stream);
}

}  // namespace streamhmm::cuda
