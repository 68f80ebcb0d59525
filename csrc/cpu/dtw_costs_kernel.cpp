// Costs for dynamic time warping: distances between frames, or a given matrix, laid out as the steps read them. Every
// sum runs over the dimensions in ascending order, one after the other, so that all targets round alike.
#include "kernels.h"
#include "target.h"

namespace streamhmm {
namespace STREAMHMM_TARGET {
namespace {

#if defined(__AVX512F__)
constexpr int kBytes = 64;
#elif defined(__AVX2__)
constexpr int kBytes = 32;
#else
constexpr int kBytes = 16;
#endif
constexpr int kAccumulators = 8;

template <class Real>
struct VectorOf {
  static constexpr int kLanes = kBytes / sizeof(Real);
  typedef Real Native __attribute__((vector_size(kBytes)));
  typedef Real Unaligned __attribute__((vector_size(kBytes), aligned(sizeof(Real)), may_alias));
};

template <class V>
STREAMHMM_KERNEL V term(Metric metric, V x, V y) {
  if (metric == Metric::cosine) return x * y;
  const V difference = x - y;
  if (metric != Metric::cityblock) return difference * difference;
  return difference < 0 ? -difference : difference;
}

STREAMHMM_KERNEL float root(float x) { return __builtin_sqrtf(x); }
STREAMHMM_KERNEL double root(double x) { return __builtin_sqrt(x); }

// From the sums over the dimensions to the metric.
template <class Real, Metric kMetric>
STREAMHMM_KERNEL void finish(Real* sums, int64_t count) {
  if constexpr (kMetric == Metric::euclidean) {
    for (int64_t i = 0; i < count; ++i) sums[i] = root(sums[i]);
  }
  if constexpr (kMetric == Metric::cosine) {
    for (int64_t i = 0; i < count; ++i) sums[i] = sums[i] < 1 ? 1 - sums[i] : 0;
  }
}

// kSteps steps of some lanes: kAccumulators sums at once.
template <class Real, Metric kMetric, int kSteps>
STREAMHMM_KERNEL void sum_steps(const DtwFeatures<Real>& features, int64_t step, int lane, Real* out) {
  using V = typename VectorOf<Real>::Native;
  using Unaligned = typename VectorOf<Real>::Unaligned;
  constexpr int kLanes = VectorOf<Real>::kLanes, kWide = kAccumulators / kSteps;
  V sums[kAccumulators] = {};
  for (int64_t d = 0; d < features.dims; ++d) {
    const Real* x = features.x + d * kStrip + lane;
    const Real* y = features.y + d * features.y_stride + lane - step;
#pragma GCC unroll 8
    for (int i = 0; i < kAccumulators; ++i) {
      const V a = *reinterpret_cast<const Unaligned*>(x + i % kWide * kLanes);
      const V b = *reinterpret_cast<const Unaligned*>(y + i % kWide * kLanes - i / kWide);
      sums[i] = sums[i] + term(kMetric, a, b);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kAccumulators; ++i) {
    *reinterpret_cast<Unaligned*>(out + (step + i / kWide) * kStrip + lane + i % kWide * kLanes) = sums[i];
  }
}

template <class Real, Metric kMetric>
void tile_distances(const DtwFeatures<Real>& features, int64_t steps, Real* out) {
  constexpr int kVectors = kStrip / VectorOf<Real>::kLanes;
  constexpr int kWide = kVectors < kAccumulators ? kVectors : kAccumulators, kSteps = kAccumulators / kWide;
  static_assert(kTileSteps % kSteps == 0, "a tile that is rounded up still fits");
  for (int64_t step = 0; step < steps; step += kSteps) {
    for (int lane = 0; lane < kStrip; lane += kWide * VectorOf<Real>::kLanes) {
      sum_steps<Real, kMetric, kSteps>(features, step, lane, out);
    }
  }
  finish<Real, kMetric>(out, steps * kStrip);
}

template <class Real, Metric kMetric>
void row_distances(const DtwRow<Real>& row, int64_t count, Real* out) {
  for (int64_t c = 0; c < count; ++c) out[c] = 0;
  for (int64_t d = 0; d < row.dims; ++d) {
    const Real x = row.x[d];
    const Real* y = row.y + d * row.y_stride;
    for (int64_t c = 0; c < count; ++c) {
      const Real difference = x - y[c];
      if constexpr (kMetric == Metric::cosine) {
        out[c] += x * y[c];
      } else if constexpr (kMetric == Metric::cityblock) {
        out[c] += difference < 0 ? -difference : difference;
      } else {
        out[c] += difference * difference;
      }
    }
  }
  finish<Real, kMetric>(out, count);
}

template <class Real>
bool has_invalid(const Real* costs, int64_t count) {
  int32_t invalid = 0;
  for (int64_t i = 0; i < count; ++i) invalid |= !(costs[i] > -static_cast<Real>(__builtin_inf()));
  return invalid != 0;
}

// out[k · kStrip] = costs[k]
template <class Real>
void spread(const Real* costs, int64_t count, Real* out) {
  for (int64_t k = 0; k < count; ++k) out[k * kStrip] = costs[k];
}

#if defined(__clang__)
#define STREAMHMM_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define STREAMHMM_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (Mask){__VA_ARGS__})
#endif

template <class Real>
struct Four;
template <>
struct Four<float> {
  typedef float Native __attribute__((vector_size(16)));
  typedef float Unaligned __attribute__((vector_size(16), aligned(4), may_alias));
  typedef int32_t Mask __attribute__((vector_size(16)));
};
template <>
struct Four<double> {
  typedef double Native __attribute__((vector_size(32)));
  typedef double Unaligned __attribute__((vector_size(32), aligned(8), may_alias));
  typedef int64_t Mask __attribute__((vector_size(32)));
};

// Four steps of four lanes: out[k · kStrip + r] = costs[r · stride + k].
template <class Real>
STREAMHMM_KERNEL void turn(const Real* costs, int64_t stride, Real* out) {
  using V = typename Four<Real>::Native;
  using Unaligned = typename Four<Real>::Unaligned;
  using Mask [[maybe_unused]] = typename Four<Real>::Mask;
  V rows[4];
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) rows[r] = *reinterpret_cast<const Unaligned*>(costs + r * stride);
  const V low02 = STREAMHMM_SHUFFLE(rows[0], rows[2], 0, 4, 1, 5),
          high02 = STREAMHMM_SHUFFLE(rows[0], rows[2], 2, 6, 3, 7);
  const V low13 = STREAMHMM_SHUFFLE(rows[1], rows[3], 0, 4, 1, 5),
          high13 = STREAMHMM_SHUFFLE(rows[1], rows[3], 2, 6, 3, 7);
  const V steps[4] = {STREAMHMM_SHUFFLE(low02, low13, 0, 4, 1, 5), STREAMHMM_SHUFFLE(low02, low13, 2, 6, 3, 7),
                      STREAMHMM_SHUFFLE(high02, high13, 0, 4, 1, 5), STREAMHMM_SHUFFLE(high02, high13, 2, 6, 3, 7)};
#pragma GCC unroll 4
  for (int k = 0; k < 4; ++k) *reinterpret_cast<Unaligned*>(out + k * kStrip) = steps[k];
}

template <class Real>
void gather(const Real* costs, int64_t stride, int64_t steps, Real* out) {
  for (int lane = 0; lane < kStrip; lane += 4) {
    const Real* first = costs + lane * stride;
    int64_t k = 0;
    for (; k + 4 <= steps; k += 4) turn(first + k, stride, out + k * kStrip + lane);
    for (; k < steps; ++k) {
      for (int r = 0; r < 4; ++r) out[k * kStrip + lane + r] = first[r * stride + k];
    }
  }
}

template <class Real>
void fill(DtwKernels<Real>& table) {
  table.tile_distances[0] = tile_distances<Real, Metric::euclidean>;
  table.tile_distances[1] = tile_distances<Real, Metric::sqeuclidean>;
  table.tile_distances[2] = tile_distances<Real, Metric::cityblock>;
  table.tile_distances[3] = tile_distances<Real, Metric::cosine>;
  table.row_distances[0] = row_distances<Real, Metric::euclidean>;
  table.row_distances[1] = row_distances<Real, Metric::sqeuclidean>;
  table.row_distances[2] = row_distances<Real, Metric::cityblock>;
  table.row_distances[3] = row_distances<Real, Metric::cosine>;
  table.has_invalid = has_invalid<Real>;
  table.spread = spread<Real>;
  table.gather = gather<Real>;
}

}  // namespace

void fill_dtw_costs(Kernels& table) {
  fill<float>(table.single_precision.dtw);
  fill<double>(table.double_precision.dtw);
}

}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
