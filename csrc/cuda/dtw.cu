// The driver of dynamic time warping: forward over the strips and back along the winning moves, segment by segment
// where memory is short. Costs exist for the strips of a slab at a time, back-pointers for those of a segment.
#include <algorithm>

#include "dtw.h"
#include "dtw_costs.h"
#include "dtw_steps.h"
#include "dtw_trace.h"
#include "segments.h"

namespace streamhmm::cuda {
namespace {

constexpr int64_t kMostStrips = 65535;  // of a slab: blocks along y

int64_t length_of(const int64_t* lengths, int64_t b, int64_t most) {
  return lengths != nullptr ? std::clamp<int64_t>(lengths[b], 0, most) : most;
}

// Tiles of the longest strip; `batch` has its lengths in the host's memory.
int64_t most_tiles(const DtwBatch& batch) {
  int64_t most = 1;
  const bool alike = batch.x_lengths == nullptr && batch.y_lengths == nullptr;
  for (int64_t b = 0; b < (alike ? 1 : batch.batch); ++b) {
    const Pair pair(batch.band, length_of(batch.x_lengths, b, batch.rows),
                    length_of(batch.y_lengths, b, batch.columns));
    const int64_t strips = batch.band.shape == Band::Shape::none ? std::min<int64_t>(pair.strips(), 1) : pair.strips();
    for (int64_t strip = 0; strip < strips; ++strip) {
      const Tiles tiles = pair.tiles(strip);
      most = std::max(most, tiles.last - tiles.first);
    }
  }
  return most;
}

class Warper {
 public:
  Warper(const DeviceDtwBatch& batch, Parts& workspace)
      : device_(batch.device),
        stream_(batch.stream),
        strips_(Pair({}, batch.batch.rows, batch.batch.columns).strips()) {
    const DtwBatch& b = batch.batch;
    plan_.batch = b;
    plan_.batch.x_lengths = batch.x_lengths;
    plan_.batch.y_lengths = batch.y_lengths;
    plan_.tiles = most_tiles(b);
    const int64_t number = b.is_double ? sizeof(double) : sizeof(float);
    const int64_t strip_costs = b.batch * plan_.tiles * kTileCells * number;
    const int64_t strip_pointers = b.batch * plan_.tiles * kTileSteps * static_cast<int64_t>(sizeof(StepBits));
    const int64_t row_bytes = b.batch * b.columns * static_cast<int64_t>(sizeof(double)), half = b.memory_budget / 2;
    segment_ = segment_frames(strips_, strip_pointers, row_bytes, half, 1);
    slab_ = std::clamp<int64_t>(half / strip_costs, 1, std::min(segment_, kMostStrips));
    segments_ = (strips_ + segment_ - 1) / segment_;
    plan_.costs = workspace.take<char>(slab_ * strip_costs);
    plan_.pointers = workspace.take<StepBits>(segment_ * strip_pointers / static_cast<int64_t>(sizeof(StepBits)));
    plan_.row = workspace.take<double>(b.batch * b.columns);
    saved_ = workspace.take<double>(std::max<int64_t>(segments_ - 1, 0) * b.batch * b.columns);
    if (b.y != nullptr && b.metric == Metric::cosine) {
      plan_.x_scale = workspace.take<double>(b.batch * b.rows);
      plan_.y_scale = workspace.take<double>(b.batch * b.columns);
    }
    plan_.closed = workspace.take<uint32_t>(b.batch);
    traces_ = workspace.take<DtwTrace>(b.batch);
  }

  void run(const DtwResult& result, int64_t* invalid) const {
    prepare_costs(plan_, invalid, stream_);
    for (int64_t s = 0; s < segments_; ++s) forward(s, nullptr, s < segments_ - 1 ? saved(s) : nullptr, invalid);
    find_ends(plan_, invalid, result, traces_, stream_);
    for (int64_t s = segments_ - 1; s >= 0; --s) {
      if (s < segments_ - 1) forward(s, s > 0 ? saved(s - 1) : nullptr, nullptr, invalid);
      trace_segment(plan_, slab(s, begin(s), begin(s + 1)), result, traces_, stream_);
    }
  }

 private:
  int64_t begin(int64_t segment) const { return std::min(segment * segment_, strips_); }
  double* saved(int64_t segment) const { return saved_ + segment * plan_.batch.batch * plan_.batch.columns; }
  Slab slab(int64_t segment, int64_t first, int64_t last) const {
    return {first, last, begin(segment), segment_, slab_};
  }

  // A segment from the row `from`, or from where the one before has left it; leaves its last row at `to`.
  void forward(int64_t segment, const double* from, double* to, int64_t* invalid) const {
    for (int64_t first = begin(segment); first < begin(segment + 1); first += slab_) {
      const int64_t last = std::min(first + slab_, begin(segment + 1));
      const Slab strips = slab(segment, first, last);
      fill_costs(plan_, strips, invalid, stream_);
      cross_strips(plan_, strips, {first == begin(segment) ? from : nullptr, last == begin(segment + 1) ? to : nullptr},
                   device_, stream_);
    }
  }

  int device_;
  void* stream_;
  int64_t strips_;
  DtwPlan plan_{};
  int64_t segment_, slab_, segments_;
  double* saved_;
  DtwTrace* traces_;
};

}  // namespace

int64_t dtw(const DeviceDtwBatch& batch, const DtwResult& result, int64_t* invalid, void* workspace) {
  if (batch.batch.batch == 0) return 0;
  Parts parts(workspace);
  const Warper warper(batch, parts);
  if (workspace == nullptr) return parts.used();

  const DeviceGuard guard(batch.device);
  warper.run(result, invalid);
  return 0;
}

}  // namespace streamhmm::cuda
