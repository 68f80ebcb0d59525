// The driver of Viterbi: who looks for which paths, forward over all frames and back, segment by segment where memory
// is short.
#include <algorithm>
#include <limits>
#include <memory>
#include <vector>

#include "any_viterbi.h"
#include "dense_viterbi.h"
#include "linear_viterbi.h"
#include "path_score.h"
#include "segments.h"
#include "viterbi.h"

namespace streamhmm::cuda {
namespace {

using Finders = std::vector<std::unique_ptr<PathFinder>>;

// Those for the sequences with this flag, or without any.
void add_finders(const DeviceBatch& batch, const GraphSizes& sizes, const Inspection& inspection, double beam,
                 const Constraints& constraints, uint32_t flagged, bool in_double, Finders& finders) {
  const bool plain =
      beam == std::numeric_limits<double>::infinity() && constraints.allowed == nullptr && constraints.fixed == nullptr;
  const bool linear = plain && sizes.has_plain_linear;
  if (linear) finders.push_back(linear_path_finder(batch, sizes, inspection, {true, false, flagged}, in_double));
  if (linear && !sizes.has_others) return;
  if (plain && flagged == 0) {
    if (auto dense = dense_path_finder(batch, sizes, inspection, beam)) {
      finders.push_back(std::move(dense));
      return;
    }
  }
  finders.push_back(any_path_finder(batch, sizes, inspection, {!linear, true, flagged}, beam, constraints, in_double));
}

// Those for single precision, and those in double for what is too large for it.
Finders finders_for(const DeviceBatch& batch, const GraphSizes& sizes, const Inspection& inspection, double beam,
                    const Constraints& constraints) {
  Finders finders;
  add_finders(batch, sizes, inspection, beam, constraints, 0, batch.batch.is_double, finders);
  if (!batch.batch.is_double) add_finders(batch, sizes, inspection, beam, constraints, kLarge, true, finders);
  return finders;
}

// How a finder goes through the frames, and what it needs for that.
struct Plan {
  const PathFinder& finder;
  int64_t frames;
  int64_t segment;
  int64_t segments;

  Plan(const PathFinder& path_finder, const DeviceBatch& batch)
      : finder(path_finder),
        frames(batch.batch.frames),
        segment(segment_frames(frames, path_finder.pointers_bytes(kRecentre) / kRecentre, path_finder.saved_bytes(),
                               batch.batch.memory_budget)),
        segments((frames + segment - 1) / segment) {}

  int64_t pointers_bytes() const { return finder.pointers_bytes(segment); }
  int64_t saved_bytes() const { return (segments + 1) * finder.saved_bytes(); }

  void run(char* room, char* saved, char* scratch, const Paths& paths) const {
    for (int64_t s = 0; s < segments; ++s) {
      finder.forward(part(s, saved, room, s == segments - 1), scratch);
    }
    for (int64_t s = segments - 1; s >= 0; --s) {
      if (s < segments - 1) finder.forward(part(s, saved, room, true), scratch);
      finder.back(part(s, saved, room, true), scratch, paths);
    }
  }

 private:
  Segment part(int64_t s, char* saved, char* room, bool keeps_pointers) const {
    char* from = saved + s * finder.saved_bytes();
    char* to = from + finder.saved_bytes();
    return {s * segment, std::min((s + 1) * segment, frames), from, to, keeps_pointers ? room : nullptr, room};
  }
};

}  // namespace

int64_t viterbi(const DeviceBatch& batch, double beam, const Constraints& constraints, int64_t* states, double* score,
                void* workspace) {
  const Batch& b = batch.batch;
  if (b.batch == 0) return 0;
  const GraphSizes sizes = graph_sizes(b);
  const double limit = b.is_double ? std::numeric_limits<double>::infinity() : kLargestSingle;
  Parts parts(workspace);
  const Inspection inspection = take_inspection(parts, batch, sizes, limit);
  const Paths paths{states, parts.take<int32_t>(b.batch)};
  const Finders finders = finders_for(batch, sizes, inspection, beam, constraints);
  std::vector<Plan> plans;
  int64_t pointers_bytes = 0, saved_bytes = 0, scratch_bytes = 0;
  for (const auto& finder : finders) {
    plans.emplace_back(*finder, batch);
    pointers_bytes = std::max(pointers_bytes, plans.back().pointers_bytes());
    saved_bytes = std::max(saved_bytes, plans.back().saved_bytes());
    scratch_bytes = std::max(scratch_bytes, finder->scratch_bytes());
  }
  const Room room = Room::take(parts, pointers_bytes), saved = Room::take(parts, saved_bytes);
  const Room scratch = Room::take(parts, scratch_bytes);
  if (workspace == nullptr) return parts.used();

  const DeviceGuard guard(batch.device);
  clear_paths(batch, states, b.batch * b.frames);
  inspect(batch, sizes, inspection);
  for (const Plan& plan : plans) plan.run(room.anew(), saved.anew(), scratch.anew(), paths);
  score_paths(batch, inspection, states, score);
  return 0;
}

}  // namespace streamhmm::cuda
