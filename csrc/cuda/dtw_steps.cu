#include <algorithm>

#include "dtw_steps.h"

namespace streamhmm::cuda {
namespace {

constexpr int32_t kMostWarps = 32;  // of a pair
constexpr int32_t kFewWarps = 8;    // where there are more pairs than the card takes at once

constexpr double kForbidden = __builtin_inf();

STREAMHMM_BOTH constexpr bool is_known(const Move& move) {
  const bool column = move.rows == 1 && 0 <= move.columns && move.columns <= 2;
  return (column || (move.rows == 0 && move.columns == 1)) && move.weight > 0;
}

// How far each warp has come: strip · 2³² + tiles of it that are done.
class Progress {
 public:
  __device__ explicit Progress(long long* done) : done_(done) {}

  // By all lanes of a warp.
  __device__ void wait(int32_t warp, int64_t strip, int64_t tiles) const {
    if (lane_of_thread() == 0) {
      const volatile long long* done = done_ + warp;
      while (*done < value(strip, tiles)) __nanosleep(32);
      __threadfence_block();
    }
    __syncwarp();
  }
  __device__ void tell(int32_t warp, int64_t strip, int64_t tiles) const {
    __syncwarp();
    if (lane_of_thread() > 0) return;
    __threadfence_block();
    *static_cast<volatile long long*>(done_ + warp) = value(strip, tiles);
  }
  static constexpr int64_t kAll = 0x7fffffff;

 private:
  __device__ static long long value(int64_t strip, int64_t tiles) { return strip << 32 | tiles; }
  long long* done_;
};

// D of the cells that the next step reads, of the lane at (i, j).
struct Front {
  double left = kForbidden;    // D[i, j−1]
  double above1 = kForbidden;  // D[i−1, j−1]
  double above2 = kForbidden;  // D[i−1, j−2]
};

template <int kPattern, int kMove>
__device__ double candidate(const Front& front, double above, double cost) {
  constexpr Move kFrom = kStepPatterns[kPattern].moves[kMove];
  static_assert(is_known(kFrom), "moves are (1, 0), (1, 1), (1, 2) and (0, 1), with weights above 0");
  if constexpr (kFrom.weight != 1) cost = cost * kFrom.weight;
  if constexpr (kFrom.rows == 0) return front.left + cost;
  if constexpr (kFrom.columns == 0) return above + cost;
  if constexpr (kFrom.columns == 1) return front.above1 + cost;
  return front.above2 + cost;
}

// One step; returns the winning move.
template <int kPattern>
__device__ uint32_t advance(Front& front, double above, double cost, bool may_start) {
  const double first = candidate<kPattern, 0>(front, above, cost), second = candidate<kPattern, 1>(front, above, cost);
  const double third = candidate<kPattern, 2>(front, above, cost);
  uint32_t winner = second < first ? 1 : 0;
  double best = second < first ? second : first;
  if (third < best) {
    best = third;
    winner = 2;
  }
  if (may_start && cost < kForbidden && cost <= best) {
    best = cost;
    winner = 3;
  }
  front = {best, above, front.above1};
  return winner;
}

// A warp at one strip of a pair.
template <class Real, int kPattern>
class Crossing {
 public:
  __device__ Crossing(const DtwPlan& plan, const Slab& slab, int64_t b, const Pair& pair, int64_t strip)
      : plan_(plan),
        pair_(pair),
        row_(plan.row + b * plan.batch.columns),
        lane_(lane_of_thread()),
        is_first_(strip == 0),
        out_lane_(static_cast<int32_t>(pair.rows - strip * kStrip < kStrip ? pair.rows - strip * kStrip : kStrip) - 1),
        tiles_(pair.tiles(strip)),
        costs_(static_cast<const Real*>(plan.costs) +
               (b * slab.slab_strips + strip - slab.first) * plan.tiles * kTileCells + lane_),
        pointers_(plan.pointers + (b * slab.segment_strips + strip - slab.segment) * plan.tiles * kTileSteps + lane_) {}

  __device__ Tiles tiles() const { return tiles_; }

  // Before the first tile, when the strip above has come as far.
  __device__ void enter() {
    const int64_t column = tiles_.first * kTileSteps;
    if (lane_ > 0 || is_first_) return;
    if (column >= 1) front_.above1 = row_[column - 1];
    if (column >= 2) front_.above2 = row_[column - 2];
  }

  __device__ void cross(int64_t tile) {
    const int64_t step = tile * kTileSteps, mine = step + lane_;
    const double coming = is_first_ || mine >= pair_.columns ? kForbidden : row_[mine];
    const Real* costs = costs_ + (tile - tiles_.first) * kTileCells;
    StepBits kept{};
#pragma unroll 8
    for (int32_t k = 0; k < kTileSteps; ++k) {
      const double entering = __shfl_sync(kAllLanes, coming, k), higher = __shfl_up_sync(kAllLanes, front_.left, 1);
      const bool may_start = is_first_ && lane_ == 0 && (step + k == 0 || plan_.batch.open_begin);
      const uint32_t winner =
          advance<kPattern>(front_, lane_ == 0 ? entering : higher, static_cast<double>(costs[k * kStrip]), may_start);
      const unsigned lower = __ballot_sync(kAllLanes, static_cast<int>(winner & 1));
      const unsigned upper = __ballot_sync(kAllLanes, static_cast<int>(winner & 2));
      if (lane_ == k) kept = {lower, upper};
      const int64_t column = step + k - out_lane_;
      if (lane_ == out_lane_ && column >= 0 && column < pair_.columns) row_[column] = front_.left;
    }
    pointers_[(tile - tiles_.first) * kTileSteps] = kept;
  }

 private:
  const DtwPlan& plan_;
  const Pair& pair_;
  double* row_;
  int32_t lane_;
  bool is_first_;
  int32_t out_lane_;
  Tiles tiles_;
  const Real* costs_;
  StepBits* pointers_;
  Front front_;
};

__device__ void copy_row(const double* from, double* to, int64_t columns) {
  for (int64_t j = threadIdx.x; j < columns; j += blockDim.x) to[j] = from != nullptr ? from[j] : kForbidden;
}

// A block a pair, its warps at strips one below the other, each two tiles behind the one above. A strip writes its last
// row over that of the strip above, columns that have been read by then.
template <class Real, int kPattern>
__global__ void __launch_bounds__(kMostWarps* kWarp) cross_kernel(DtwPlan plan, Slab slab, SavedRows saved) {
  const int64_t b = blockIdx.x;
  if (plan.closed[b] != 0) return;
  const Pair pair = plan.pair(b);
  const int64_t last = pair.strips() < slab.last ? pair.strips() : slab.last;
  if (slab.first >= last) return;
  double* row = plan.row + b * plan.batch.columns;
  if (slab.first == 0) copy_row(nullptr, row, pair.columns);
  if (saved.from != nullptr) copy_row(saved.from + b * plan.batch.columns, row, pair.columns);
  Parts shared(shared_memory());
  auto* done = shared.take<long long>(kMostWarps);
  if (lane_of_thread() == 0) done[warp_of_thread()] = -1;
  __syncthreads();
  const Progress progress(done);
  const int32_t warp = warp_of_thread(), above = (warp + warps_in_block() - 1) % warps_in_block();
  for (int64_t strip = slab.first + warp; strip < last; strip += warps_in_block()) {
    Crossing<Real, kPattern> crossing(plan, slab, b, pair, strip);
    const Tiles tiles = crossing.tiles();
    for (int64_t tile = tiles.first; tile < tiles.last; ++tile) {
      if (strip > slab.first) progress.wait(above, strip - 1, tile + 2);
      if (tile == tiles.first) crossing.enter();
      crossing.cross(tile);
      progress.tell(warp, strip, tile + 1 < tiles.last ? tile + 1 : Progress::kAll);
    }
  }
  __syncthreads();
  if (saved.to != nullptr) copy_row(row, saved.to + b * plan.batch.columns, pair.columns);
}

template <class Real, int kPattern = 0>
void start(const DtwPlan& plan, const Slab& slab, const SavedRows& saved, int32_t warps, void* stream) {
  if constexpr (kPattern < kStepPatternCount) {
    if (plan.batch.pattern != kPattern) return start<Real, kPattern + 1>(plan, slab, saved, warps, stream);
    Parts shared(nullptr);
    shared.take<long long>(kMostWarps);
    launch(cross_kernel<Real, kPattern>, dim3(static_cast<unsigned>(plan.batch.batch)),
           dim3(static_cast<unsigned>(warps * kWarp)), shared.used(), stream, plan, slab, saved);
  }
}

}  // namespace

void cross_strips(const DtwPlan& plan, const Slab& slab, const SavedRows& saved, int device, void* stream) {
  const bool many = plan.batch.batch > 2 * card_of(device).multiprocessors;
  const auto warps = static_cast<int32_t>(std::min<int64_t>(slab.last - slab.first, many ? kFewWarps : kMostWarps));
  if (plan.batch.is_double) {
    start<double>(plan, slab, saved, warps, stream);
  } else {
    start<float>(plan, slab, saved, warps, stream);
  }
}

}  // namespace streamhmm::cuda
