#include "dtw_trace.h"
#include "numbers.h"

namespace streamhmm::cuda {
namespace {

constexpr int32_t kThreads = 128;
constexpr double kForbidden = __builtin_inf();

// The lowest column of the last row in which a path may end and is cheapest, see ends_at() of ../dtw.h; −1: there is
// none. To all threads of the block.
__device__ int64_t last_column(const DtwPlan& plan, PerFrame per_frame, const Pair& pair, const double* row,
                               Best<double>* scratch) {
  const Columns inside = pair.band.at(pair.rows - 1);
  const int64_t last = pair.columns - 1;
  if (!plan.batch.open_end) return inside.last == pair.columns && row[last] < kForbidden ? last : -1;
  const bool divide = per_frame == PerFrame::both && !plan.batch.open_begin;
  Best<double> least{-kForbidden, -1};  // of the costs' opposites
  for (int64_t j = inside.first + threadIdx.x; j < inside.last; j += kThreads) {
    const double cost = divide ? row[j] / frames_of(per_frame, pair.rows, j + 1) : row[j];
    if (-cost > least.value) least = {-cost, static_cast<int32_t>(j)};
  }
  return block_best(least, scratch).index;
}

// A block a pair.
__global__ void ends_kernel(DtwPlan plan, PerFrame per_frame, const int64_t* invalid, DtwResult result,
                            DtwTrace* traces) {
  const int64_t b = blockIdx.x;
  const Pair pair = plan.pair(b);
  Parts shared(shared_memory());
  auto* scratch = shared.take<Best<double>>(kWarp);
  const double* row = plan.row + b * plan.batch.columns;
  const bool bad = invalid[b] >= 0;
  const bool passes = pair.strips() > 0 && plan.closed[b] == 0 && !bad;
  const int64_t column = passes ? last_column(plan, per_frame, pair, row, scratch) : -1;
  if (threadIdx.x != 0) return;
  const double nothing = bad ? __longlong_as_double(0x7ff8000000000000LL) : kForbidden;
  traces[b] = {column < 0 ? -1 : pair.rows - 1, column, column};
  result.path_size[b] = 0;
  result.distance[b] = column < 0 ? nothing : row[column];
  result.normalized[b] = nothing / frames_of(per_frame, 1, 1);
}

struct Moves {
  Move move[3];
};

// A pair, by a warp whose lanes all know the same but for the steps, of which each keeps one.
class Tracer {
 public:
  __device__ Tracer(const DtwPlan& plan, const Slab& segment, const Moves& moves, int64_t* path, int64_t b)
      : plan_(plan),
        segment_(segment),
        moves_(moves),
        pair_(plan.pair(b)),
        pointers_(plan.pointers + b * segment.segment_strips * plan.tiles * kTileSteps),
        end_(path + (b + 1) * 2 * (plan.batch.rows + plan.batch.columns - 1)) {}

  // Follows a path of `size` cells so far; counts those that are new.
  __device__ DtwTrace follow(DtwTrace at, int64_t& size) const {
    while (at.row >= segment_.first * kStrip) {
      const int64_t strip = at.row / kStrip, first = pair_.tiles(strip).first * kTileSteps;
      const StepBits* steps = pointers_ + (strip - segment_.segment) * plan_.tiles * kTileSteps;
      int64_t step = at.column + at.row % kStrip;
      const int64_t lowest = step - (kWarp - 1);
      const StepBits mine = lowest + lane_of_thread() >= first ? steps[lowest + lane_of_thread() - first] : StepBits{};
      while (at.row >= strip * kStrip && step >= lowest) {
        write(at, ++size);
        const auto lane = static_cast<int32_t>(at.row % kStrip), holder = static_cast<int32_t>(step - lowest);
        const uint32_t lower = __shfl_sync(kAllLanes, mine.lower, holder) >> lane & 1;
        const uint32_t upper = __shfl_sync(kAllLanes, mine.upper, holder) >> lane & 1;
        if ((lower & upper) != 0) return {-1, at.column, at.last_column};
        const Move& move = moves_.move[2 * upper + lower];
        at = {at.row - move.rows, at.column - move.columns, at.last_column};
        step = at.column + at.row - strip * kStrip;
      }
    }
    return at;
  }

 private:
  __device__ void write(const DtwTrace& at, int64_t size) const {
    if (lane_of_thread() < 2) end_[-2 * size + lane_of_thread()] = lane_of_thread() == 0 ? at.row : at.column;
  }

  const DtwPlan& plan_;
  const Slab& segment_;
  const Moves& moves_;
  Pair pair_;
  const StepBits* pointers_;
  int64_t* end_;
};

__global__ void trace_kernel(DtwPlan plan, Slab segment, Moves moves, PerFrame per_frame, DtwResult result,
                             DtwTrace* traces) {
  const int64_t b = blockIdx.x;
  DtwTrace at = traces[b];
  if (at.row < segment.first * kStrip) return;
  int64_t size = result.path_size[b];
  at = Tracer(plan, segment, moves, result.path, b).follow(at, size);
  __syncwarp();  // all have read
  if (lane_of_thread() != 0) return;
  traces[b] = at;
  result.path_size[b] = size;
  if (at.row >= 0) return;
  const double frames = frames_of(per_frame, plan.pair(b).rows, at.last_column - at.column + 1);
  result.normalized[b] = result.distance[b] / frames;
}

}  // namespace

void find_ends(const DtwPlan& plan, const int64_t* invalid, const DtwResult& result, DtwTrace* traces, void* stream) {
  Parts shared(nullptr);
  shared.take<Best<double>>(kWarp);
  launch(ends_kernel, dim3(static_cast<unsigned>(plan.batch.batch)), dim3(kThreads), shared.used(), stream, plan,
         kStepPatterns[plan.batch.pattern].per_frame, invalid, result, traces);
}

void trace_segment(const DtwPlan& plan, const Slab& segment, const DtwResult& result, DtwTrace* traces, void* stream) {
  const StepPattern& pattern = kStepPatterns[plan.batch.pattern];
  const Moves moves{{pattern.moves[0], pattern.moves[1], pattern.moves[2]}};
  launch(trace_kernel, dim3(static_cast<unsigned>(plan.batch.batch)), dim3(kWarp), 0, stream, plan, segment, moves,
         pattern.per_frame, result, traces);
}

}  // namespace streamhmm::cuda
