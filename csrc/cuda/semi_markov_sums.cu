// Semi-Markov sums: the pass from the left, and the driver: forward over all borders and back, chunk by chunk where
// memory is short. Recursion: ../semi_markov.h.
#include <algorithm>

#include "segments.h"
#include "semi_markov.h"
#include "semi_markov_sum_recursion.h"
#include "semi_markov_sums.h"
#include "sum_targets.h"

namespace streamhmm::cuda {
namespace {

constexpr int32_t kMostThreads = 512;
constexpr int64_t kMostColumnBytes = 16 << 10;  // of shared memory

__device__ double offset_total(const SegmentSums& sums, int64_t b, int64_t frames, double* scratch) {
  double total = 0;  // of whole numbers
  for (int64_t t = int64_t{threadIdx.x} * kBlock; t < frames; t += int64_t{blockDim.x} * kBlock) {
    total += sums.offset(b, t);
  }
  return block_sum(total, scratch);
}

// A block a sequence.
__global__ void __launch_bounds__(kMostThreads) left_kernel(BatchView view, SegmentSums sums, SumBorders borders) {
  const int64_t b = blockIdx.x, frames = view.length(b);
  if (!sums.plan.takes(view, b) || frames < borders.first) return;
  Parts shared(shared_memory());
  auto* scratch = shared.take<double>(kWarp);
  SumRecursion<false> left(view, sums.plan, b, shared_memory() + sums.scratch_bytes, sums.outgoing);
  if (borders.first == 0) {
    left.start();
  } else {
    left.restore(borders.first, borders.from);
  }
  const auto keep = [&](int64_t t, SumBorders::Row which) {
    if (borders.rows == nullptr) return;
    double* row = borders.row(b, sums.plan.states, t, which);
    left.for_each_state([&](int32_t j) { row[j] = which == SumBorders::kEnded ? left.ended(j) : left.opened(j); });
  };
  for (int64_t t = borders.first; t < borders.last && t <= frames; ++t) {
    left.arrive(t);
    keep(t, SumBorders::kEnded);
    if (t == frames) break;
    left.open(t);
    keep(t, SumBorders::kOpened);
    double offset = 0;
    if (t % kBlock == 0) {
      offset = left.offset_at(scratch);
      if (threadIdx.x == 0) sums.offset(b, t) = offset;
    }
    left.leave(t, t, offset);
  }
  left.report();
  if (frames >= borders.last) {
    left.save(borders.last, borders.to);
    return;
  }
  const double total = left.log_likelihood(scratch), offsets = offset_total(sums, b, frames, scratch);
  if (threadIdx.x != 0) return;
  sums.totals[b] = total;
  sums.to.log_likelihood[b] = total + offsets;
}

// How the borders are cut, and where it all stands.
class Summation {
 public:
  Summation(const DeviceBatch& batch, const SegmentSums& sums, bool forward_only, Parts& workspace)
      : batch_(batch),
        sums_(sums),
        forward_only_(forward_only),
        borders_(batch.batch.frames + 1),
        saved_bytes_(batch.batch.batch * SavedSegments(nullptr, sums.plan.states, sums.plan.longest).bytes),
        chunk_(forward_only ? borders_
                            : segment_frames(borders_, row_bytes(), saved_bytes_, batch.batch.memory_budget)),
        chunks_((borders_ + chunk_ - 1) / chunk_),
        rows_(workspace.take<double>(
            forward_only ? 0 : std::min(chunk_, borders_) * row_bytes() / static_cast<int64_t>(sizeof(double)))),
        saved_(workspace.take<char>((chunks_ - 1) * saved_bytes_)) {}

  void run() const {
    for (int64_t c = 0; c < chunks_; ++c) sum_from_left(batch_, sums_, chunk(c, c == chunks_ - 1));
    for (int64_t c = chunks_ - 1; c >= 0 && !forward_only_; --c) {
      if (c < chunks_ - 1) sum_from_left(batch_, sums_, chunk(c, true));
      sum_from_right(batch_, sums_, chunk(c, true));
    }
  }

 private:
  int64_t row_bytes() const {
    return batch_.batch.batch * 2 * sums_.plan.states * static_cast<int64_t>(sizeof(double));
  }
  SumBorders chunk(int64_t c, bool keeps) const {
    char* to = saved_ + c * saved_bytes_;
    return {c * chunk_, std::min((c + 1) * chunk_, borders_), c > 0 ? to - saved_bytes_ : nullptr, to,
            keeps && !forward_only_ ? rows_ : nullptr};
  }

  DeviceBatch batch_;
  SegmentSums sums_;
  bool forward_only_;
  int64_t borders_, saved_bytes_, chunk_, chunks_;
  double* rows_;
  char* saved_;
};

SegmentSums take_segment_sums(Parts& workspace, const DeviceBatch& batch, const Durations& durations, const Sums& to,
                              double* segment_counts) {
  const Batch& b = batch.batch;
  const int64_t columns = to.by_pdf == nullptr ? 0 : b.columns;
  SegmentSums sums{};
  sums.columns_in_shared = columns * static_cast<int64_t>(sizeof(FixedPoint)) <= kMostColumnBytes;
  Parts scratch(nullptr);
  scratch.take<double>(kWarp);
  if (sums.columns_in_shared) scratch.take<FixedPoint>(columns);
  sums.scratch_bytes = scratch.used();
  sums.plan = take_segment_plan(workspace, batch, durations, sums.scratch_bytes);
  sums.outgoing = take_outgoing(workspace, graph_sizes(b));
  sums.to = {to, b.is_double, workspace.take<double>(b.batch)};
  sums.segment_counts = segment_counts;
  sums.longest_given = durations.longest;
  sums.totals = workspace.take<double>(b.batch);
  sums.blocks = b.frames / kBlock + 1;
  sums.offsets = workspace.take<double>(b.batch * sums.blocks);
  sums.carried = workspace.take<char>(b.batch * SavedSegments(nullptr, sums.plan.states, sums.plan.longest).bytes);
  sums.occupancies = workspace.take<double>(b.batch * sums.plan.states);
  sums.columns = workspace.take<FixedPoint>(sums.columns_in_shared ? 0 : b.batch * columns);
  return sums;
}

}  // namespace

void sum_from_left(const DeviceBatch& batch, const SegmentSums& sums, const SumBorders& borders) {
  launch(left_kernel, dim3(static_cast<unsigned>(batch.batch.batch)), dim3(sums.plan.threads()),
         shared_bytes(sums.plan, sums.scratch_bytes), batch.stream, BatchView::of(batch), sums, borders);
}

int64_t semi_markov_sums(const DeviceBatch& batch, const Durations& durations, const Sums& to, double* segment_counts,
                         void* workspace) {
  if (batch.batch.batch == 0) return 0;
  const bool forward_only = to.forward_only() && segment_counts == nullptr;
  Parts parts(workspace);
  const SegmentSums sums = take_segment_sums(parts, batch, durations, to, segment_counts);
  const Summation summation(batch, sums, forward_only, parts);
  if (workspace == nullptr) return parts.used();

  const DeviceGuard guard(batch.device);
  clear_sums(batch, sums.to);
  prepare_segments(batch, durations, sums.plan);
  if (!forward_only) index_outgoing(batch, graph_sizes(batch.batch), sums.outgoing);
  summation.run();
  finish_sums(batch, sums.plan.inspection, sums.to);
  return 0;
}

}  // namespace streamhmm::cuda
