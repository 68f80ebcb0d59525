// The drivers of what only the sums for any graph know: filtering, smoothing, sampling.
#include <array>
#include <memory>
#include <vector>

#include "filter.h"
#include "path_score.h"
#include "sample.h"
#include "sum_plan.h"

namespace streamhmm::cuda {
namespace {

// The summer for usual numbers and the one for what is too large for it, each with its plan.
struct BothSums {
  std::array<std::unique_ptr<AnySums>, 2> summers;
  std::vector<SumPlan> plans;

  explicit BothSums(const SumCall& call)
      : summers{call.summer({true, true, 0}, call.usual_numbers()),
                call.summer({true, true, kLarge}, SumNumbers::logarithms)} {
    for (const auto& summer : summers) plans.emplace_back(*summer, call.batch, true);
  }
};

}  // namespace

int64_t filter(const DeviceBatch& batch, const Window& window, const Filtered& result, void* workspace) {
  if (batch.batch.batch == 0) return 0;
  Sums sums;
  sums.by_state = result.by_state;
  sums.states_wide = result.states_wide;
  sums.by_pdf = result.by_pdf;
  Parts parts(workspace);
  const SumCall call(batch, sums, parts);
  const BothSums both(call);
  const SumRooms rooms = SumPlan::take_rooms(parts, both.plans);
  if (workspace == nullptr) return parts.used();

  const DeviceGuard guard(batch.device);
  call.begin(true);
  for (size_t i = 0; i < both.plans.size(); ++i) {
    const SumMemory memory = rooms.anew();
    both.plans[i].forward(memory, call.to, [&](const Segment& segment) {
      both.summers[i]->smooth(segment, window, call.to, memory.carried, memory.scratch);
    });
  }
  call.finish();
  return 0;
}

int64_t sample(const DeviceBatch& batch, const Samples& samples, void* workspace) {
  const int64_t count = batch.batch.batch * samples.samples;
  if (count == 0) return 0;
  Parts parts(workspace);
  const SumCall call(batch, Sums{}, parts);
  auto* current = parts.take<int32_t>(count);
  const BothSums both(call);
  const SumRooms rooms = SumPlan::take_rooms(parts, both.plans);
  if (workspace == nullptr) return parts.used();

  const DeviceGuard guard(batch.device);
  clear_paths(batch, samples.states, count * batch.batch.frames);
  call.begin(false);
  for (size_t i = 0; i < both.plans.size(); ++i) {
    const SumMemory memory = rooms.anew();
    both.plans[i].back(memory, call.to, [&](const Segment& segment) {
      both.summers[i]->draw(segment, samples, current, memory.carried);
    });
  }
  return 0;
}

}  // namespace streamhmm::cuda
