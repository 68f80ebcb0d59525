// The driver of sums over paths: who sums what, forward over all frames and back, segment by segment where memory is
// short.
#include <algorithm>
#include <memory>
#include <vector>

#include "any_sums.h"
#include "forward_backward.h"
#include "scaled.h"
#include "segments.h"
#include "sum_targets.h"

namespace streamhmm::cuda {
namespace {

using Summers = std::vector<std::unique_ptr<Summer>>;

// Those whose numbers suit usual scores and weights, and the one for what is too large for them.
Summers summers_for(const DeviceBatch& batch, const GraphSizes& sizes, const Inspection& inspection,
                    const OutgoingIndex& outgoing) {
  Summers summers;
  const Selection sound{true, true, 0}, large{true, true, kLarge};
  const SumNumbers usual = batch.batch.is_double ? SumNumbers::scaled_double : SumNumbers::scaled_float;
  summers.push_back(any_summer(batch, sizes, inspection, outgoing, sound, usual));
  summers.push_back(any_summer(batch, sizes, inspection, outgoing, large, SumNumbers::logarithms));
  return summers;
}

// What a summer works in.
struct Memory {
  char* rows;
  char* saved;
  char* carried;
  char* scratch;
};

// How a summer goes through the frames, and what it needs for that.
struct Plan {
  const Summer& summer;
  bool forward_only;
  int64_t frames;
  int64_t segment;
  int64_t segments;

  Plan(const Summer& by, const DeviceBatch& batch, bool only_forward)
      : summer(by),
        forward_only(only_forward),
        frames(batch.batch.frames),
        segment(only_forward ? std::max<int64_t>(frames, 1)
                             : segment_frames(frames, by.rows_bytes(1), by.saved_bytes(), batch.batch.memory_budget)),
        segments((frames + segment - 1) / segment) {}

  int64_t rows_bytes() const { return forward_only ? 0 : summer.rows_bytes(segment); }
  int64_t saved_bytes() const { return (segments + 1) * summer.saved_bytes(); }

  void run(const Memory& memory, const SumTargets& to) const {
    summer.prepare(memory.carried);
    for (int64_t s = 0; s < segments; ++s) {
      const bool keeps_rows = !forward_only && s == segments - 1;
      summer.forward(part(s, memory, keeps_rows), to, memory.carried, memory.scratch);
    }
    for (int64_t s = segments - 1; s >= 0 && !forward_only; --s) {
      if (s < segments - 1) summer.forward(part(s, memory, true), to, memory.carried, memory.scratch);
      summer.backward(part(s, memory, true), to, memory.carried, memory.scratch);
    }
  }

 private:
  Segment part(int64_t s, const Memory& memory, bool keeps_rows) const {
    char* from = memory.saved + s * summer.saved_bytes();
    return {s * segment, std::min((s + 1) * segment, frames), from, from + summer.saved_bytes(),
            keeps_rows ? memory.rows : nullptr};
  }
};

// Room for whichever plan needs most.
Memory take_memory(Parts& parts, const std::vector<Plan>& plans) {
  int64_t rows = 0, saved = 0, carried = 0, scratch = 0;
  for (const Plan& plan : plans) {
    rows = std::max(rows, plan.rows_bytes());
    saved = std::max(saved, plan.saved_bytes());
    carried = std::max(carried, plan.summer.carried_bytes());
    scratch = std::max(scratch, plan.summer.scratch_bytes());
  }
  return {parts.take<char>(rows), parts.take<char>(saved), parts.take<char>(carried), parts.take<char>(scratch)};
}

}  // namespace

int64_t forward_backward(const DeviceBatch& batch, const Sums& sums, void* workspace) {
  const Batch& b = batch.batch;
  if (b.batch == 0) return 0;
  const GraphSizes sizes = graph_sizes(b);
  Parts parts(workspace);
  const Inspection inspection = take_inspection(parts, batch, sizes, scaled_limit(2 * b.frames + 2));
  const OutgoingIndex outgoing = take_outgoing(parts, sizes);
  const SumTargets to{sums, b.is_double, parts.take<double>(b.batch)};
  const Summers summers = summers_for(batch, sizes, inspection, outgoing);
  std::vector<Plan> plans;
  for (const auto& summer : summers) plans.emplace_back(*summer, batch, sums.forward_only());
  const Memory memory = take_memory(parts, plans);
  if (workspace == nullptr) return parts.used();

  const DeviceGuard guard(batch.device);
  clear_sums(batch, to);
  inspect(batch, sizes, inspection);
  if (!sums.forward_only()) index_outgoing(batch, sizes, outgoing);
  for (const Plan& plan : plans) plan.run(memory, to);
  finish_sums(batch, inspection, to);
  return 0;
}

}  // namespace streamhmm::cuda
