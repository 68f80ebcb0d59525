// What the drivers of sums over paths share: what is known of a call, and how a summer goes through the frames, segment
// by segment where memory is short.
#pragma once

#include <algorithm>
#include <vector>

#include "any_sums.h"
#include "scaled.h"
#include "segments.h"
#include "sum_targets.h"

namespace streamhmm::cuda {

// A call: its graphs, what is wrong with their numbers, where its results go.
struct SumCall {
  DeviceBatch batch;
  GraphSizes sizes;
  Inspection inspection;
  OutgoingIndex outgoing;
  SumTargets to;

  SumCall(const DeviceBatch& on_device, const Sums& sums, Parts& parts)
      : batch(on_device),
        sizes(graph_sizes(batch.batch)),
        inspection(take_inspection(parts, batch, sizes, scaled_limit(2 * batch.batch.frames + 2))),
        outgoing(take_outgoing(parts, sizes)),
        to{sums, batch.batch.is_double, parts.take<double>(batch.batch.batch)} {}

  std::unique_ptr<AnySums> summer(const Selection& selection, SumNumbers numbers) const {
    return any_summer(batch, sizes, inspection, outgoing, selection, numbers);
  }
  SumNumbers usual_numbers() const {
    return batch.batch.is_double ? SumNumbers::scaled_double : SumNumbers::scaled_float;
  }
  // Before the first and after the last summer.
  void begin(bool going_back) const {
    clear_sums(batch, to);
    inspect(batch, sizes, inspection);
    if (going_back) index_outgoing(batch, sizes, outgoing);
  }
  void finish() const { finish_sums(batch, inspection, to); }
};

// What a summer works in.
struct SumMemory {
  char* rows;
  char* saved;
  char* carried;
  char* scratch;
};

// The same for several summers, one after the other.
struct SumRooms {
  Room rows, saved, carried, scratch;

  SumMemory anew() const { return {rows.anew(), saved.anew(), carried.anew(), scratch.anew()}; }
};

// How a summer goes through the frames, and what it needs for that.
class SumPlan {
 public:
  // Without rows no α are kept, and nothing goes back.
  SumPlan(const Summer& summer, const DeviceBatch& batch, bool keeps_rows)
      : summer_(summer),
        keeps_rows_(keeps_rows),
        frames_(batch.batch.frames),
        segment_(keeps_rows
                     ? segment_frames(frames_, summer.rows_bytes(1), summer.saved_bytes(), batch.batch.memory_budget)
                     : std::max<int64_t>(frames_, 1)) {}

  int64_t segments() const { return (frames_ + segment_ - 1) / segment_; }

  // Room for whichever plan needs most.
  static SumRooms take_rooms(Parts& parts, const std::vector<SumPlan>& plans) {
    int64_t rows = 0, saved = 0, carried = 0, scratch = 0;
    for (const SumPlan& plan : plans) {
      rows = std::max(rows, plan.keeps_rows_ ? plan.summer_.rows_bytes(plan.segment_) : 0);
      saved = std::max(saved, (plan.segments() + 1) * plan.summer_.saved_bytes());
      carried = std::max(carried, plan.summer_.carried_bytes());
      scratch = std::max(scratch, plan.summer_.scratch_bytes());
    }
    return {Room::take(parts, rows), Room::take(parts, saved), Room::take(parts, carried), Room::take(parts, scratch)};
  }

  Segment part(int64_t s, const SumMemory& memory, bool with_rows) const {
    char* from = memory.saved + s * summer_.saved_bytes();
    const int64_t last = std::min((s + 1) * segment_, frames_);
    return {s * segment_, last, from, from + summer_.saved_bytes(), with_rows ? memory.rows : nullptr};
  }

  // use(segment, with its rows) for each segment forward.
  template <class Use>
  void forward(const SumMemory& memory, const SumTargets& to, const Use& use) const {
    summer_.prepare(memory.carried);
    for (int64_t s = 0; s < segments(); ++s) {
      const Segment segment = part(s, memory, keeps_rows_);
      summer_.forward(segment, to, memory.carried, memory.scratch);
      use(segment);
    }
  }
  // Forward over all, then use(segment, with its rows) for each from the last to the first.
  template <class Use>
  void back(const SumMemory& memory, const SumTargets& to, const Use& use) const {
    summer_.prepare(memory.carried);
    for (int64_t s = 0; s < segments(); ++s) {
      summer_.forward(part(s, memory, s == segments() - 1), to, memory.carried, memory.scratch);
    }
    for (int64_t s = segments() - 1; s >= 0; --s) {
      const Segment segment = part(s, memory, true);
      if (s < segments() - 1) summer_.forward(segment, to, memory.carried, memory.scratch);
      use(segment);
    }
  }

 private:
  const Summer& summer_;
  bool keeps_rows_;
  int64_t frames_;
  int64_t segment_;
};

}  // namespace streamhmm::cuda
