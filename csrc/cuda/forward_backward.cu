// The driver of sums over paths: who sums what.
#include <memory>
#include <vector>

#include "dense_sums.h"
#include "forward_backward.h"
#include "linear_sums.h"
#include "sum_plan.h"

namespace streamhmm::cuda {
namespace {

using Summers = std::vector<std::unique_ptr<Summer>>;

// Those whose numbers suit usual scores and weights, and the one for what is too large for them.
Summers summers_for(const SumCall& call) {
  Summers summers;
  if (call.sizes.has_plain_linear) {
    summers.push_back(linear_summer(call.batch, call.sizes, call.inspection, {true, false, 0}));
  }
  uint32_t left = 0;  // the flag of those that are left to the kernels for any graph
  if (auto dense = dense_summer(call.batch, call.sizes, call.inspection, call.to)) {
    summers.push_back(std::move(dense));
    left = kFaint;
  }
  if (call.sizes.has_others) summers.push_back(call.summer({false, true, left}, call.usual_numbers()));
  summers.push_back(call.summer({true, true, kLarge}, SumNumbers::logarithms));
  return summers;
}

}  // namespace

int64_t forward_backward(const DeviceBatch& batch, const Sums& sums, void* workspace) {
  if (batch.batch.batch == 0) return 0;
  const bool going_back = !sums.forward_only();
  Parts parts(workspace);
  const SumCall call(batch, sums, parts);
  const Summers summers = summers_for(call);
  std::vector<SumPlan> plans;
  for (const auto& summer : summers) plans.emplace_back(*summer, batch, going_back);
  const SumRooms rooms = SumPlan::take_rooms(parts, plans);
  if (workspace == nullptr) return parts.used();

  const DeviceGuard guard(batch.device);
  call.begin(going_back);
  for (size_t i = 0; i < plans.size(); ++i) {
    const SumMemory memory = rooms.anew();
    if (!going_back) {
      plans[i].forward(memory, call.to, [](const Segment&) {});
      continue;
    }
    plans[i].back(memory, call.to, [&](const Segment& segment) {
      summers[i]->backward(segment, call.to, memory.carried, memory.scratch);
    });
  }
  call.finish();
  return 0;
}

}  // namespace streamhmm::cuda
