#include <algorithm>
#include <stdexcept>

#include "semi_markov_plan.h"

namespace streamhmm::cuda {
namespace {

constexpr int32_t kMostThreads = 512, kWantedThreads = 256;
constexpr int32_t kFewestDurations = 4;  // that are worth a part
constexpr int32_t kTurnThreads = 256;

// turned[d, j] = given[j, d]; what is wrong with a weight is wrong with every graph.
__global__ void turn_kernel(const double* given, int64_t given_longest, double* turned, SegmentPlan plan,
                            int64_t graphs) {
  const int64_t count = int64_t{plan.longest} * plan.states, stride = int64_t{blockDim.x} * gridDim.x;
  bool invalid = false;
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += stride) {
    const double weight = given[i % plan.states * given_longest + i / plan.states];
    invalid |= is_invalid(weight);
    turned[i] = weight;
  }
  if (!invalid) return;
  for (int64_t g = 0; g < graphs; ++g) atomicOr(plan.inspection.graph_flags + g, uint32_t{kInvalid});
}

void check(const Batch& batch, const Durations& durations) {
  if (durations.longest < 1) throw std::invalid_argument("durations must be (S, D) with D at least 1");
  for (int64_t index = 0; index < graph_count(batch); ++index) {
    const GraphRecord record = graph_structure(batch, index);
    if (record.states != durations.states) throw std::invalid_argument("durations and graph differ in states");
    if (record.family == Family::dense && record.detail > 0) {
      throw std::invalid_argument("durations with transitions that vary are not supported");
    }
  }
}

int64_t ring_bytes(const SegmentPlan& plan) {
  Parts nothing(nullptr);
  nothing.take<double>(int64_t{plan.longest} * plan.states);
  return nothing.used();
}

}  // namespace

SegmentPlan take_segment_plan(Parts& workspace, const DeviceBatch& batch, const Durations& durations,
                              size_t more_shared_bytes) {
  const Batch& b = batch.batch;
  check(b, durations);
  SegmentPlan plan{};
  const GraphSizes sizes = graph_sizes(b);
  plan.inspection = take_inspection(workspace, batch, sizes, kLargestSummed);
  plan.states = static_cast<int32_t>(durations.states);
  plan.longest = static_cast<int32_t>(std::min(durations.longest, std::max<int64_t>(b.frames, 1)));
  plan.width = std::min((plan.states + kWarp - 1) / kWarp * kWarp, kMostThreads);
  plan.parts = std::clamp(std::min(kWantedThreads / plan.width, plan.longest / kFewestDurations), 1, plan.longest);
  const auto limit = static_cast<int64_t>(card_of(batch.device).shared_bytes - more_shared_bytes);
  plan.rows_bytes = SegmentRows(nullptr, plan.states, plan.parts).bytes;
  plan.rows_in_shared = plan.rows_bytes <= limit;
  plan.ring_in_shared = plan.rows_in_shared && plan.rows_bytes + ring_bytes(plan) <= limit;
  plan.scratch_stride = (plan.rows_in_shared ? 0 : plan.rows_bytes) + (plan.ring_in_shared ? 0 : ring_bytes(plan));
  plan.durations = workspace.take<double>(int64_t{plan.longest} * plan.states);
  plan.scratch = workspace.take<char>(b.batch * plan.scratch_stride);
  return plan;
}

size_t shared_bytes(const SegmentPlan& plan, size_t more_shared_bytes) {
  return more_shared_bytes + (plan.rows_in_shared ? plan.rows_bytes : 0) + (plan.ring_in_shared ? ring_bytes(plan) : 0);
}

void prepare_segments(const DeviceBatch& batch, const Durations& durations, const SegmentPlan& plan) {
  const GraphSizes sizes = graph_sizes(batch.batch);
  inspect(batch, sizes, plan.inspection);
  const int64_t count = int64_t{plan.longest} * plan.states;
  const int64_t blocks = std::clamp<int64_t>((count + kTurnThreads - 1) / kTurnThreads, 1, 1024);
  launch(turn_kernel, dim3(static_cast<unsigned>(blocks)), dim3(kTurnThreads), 0, batch.stream, durations.weights,
         durations.longest, const_cast<double*>(plan.durations), plan, sizes.graphs);
}

}  // namespace streamhmm::cuda
