#include "linear_border.h"
#include "linear_forward.h"
#include "linear_lane.h"
#include "linear_scores.h"
#include "linear_viterbi.h"

namespace streamhmm::cuda {
namespace {

template <class Real>
__global__ void __launch_bounds__(LinearWave::kMostWarps* kWarp, sizeof(Real) == sizeof(float) ? 4 : 3)
    forward_kernel(BatchView view, LinearWave wave, Segment segment) {
  Parts shared(shared_memory());
  const TilePlace place = take_tile(wave, shared.take<int32_t>(1));
  if (wave.taken[place.sequence] == 0) return;
  if (place.tile * kTile >= view.record(place.sequence).states) return;
  const int64_t length = view.length(place.sequence), last = length < segment.last ? length : segment.last;
  if (last <= segment.first) return;
  Parts memory(segment.room);
  const PathRoom<Real> room(memory, view.batch, wave.tiles, segment.last - segment.first);
  const PathEdges<Real> edges(shared, wave.warps, warp_of_thread());
  LinearForward<Real>(view, wave, segment, place, edges).run(last, room);
}

template <class Real>
class LinearPathFinder : public PathFinder {
 public:
  LinearPathFinder(const DeviceBatch& batch, const LinearWave& wave) : batch_(batch), wave_(wave) {}

  int64_t pointers_bytes(int64_t frames) const override {
    Parts nothing(nullptr);
    PathRoom<Real>(nothing, batch_.batch.batch, wave_.tiles, frames);
    return nothing.used();
  }
  int64_t saved_bytes() const override { return batch_.batch.batch * LinearSaved<Real>(nullptr, 0, wave_.tiles).bytes; }
  int64_t scratch_bytes() const override {
    Parts nothing(nullptr);
    LinearWave(wave_).place(nothing, batch_.batch.batch);
    return nothing.used();
  }

  void forward(const Segment& segment, char* scratch) const override {
    LinearWave wave = wave_;
    Parts places(scratch), memory(segment.room), shared(nullptr);
    wave.place(places, batch_.batch.batch);
    shared.take<int32_t>(1);
    PathEdges<Real>(shared, wave.warps, 0);
    const PathRoom<Real> room(memory, batch_.batch.batch, wave.tiles, segment.last - segment.first);
    zero(room.borders, room.words * sizeof(uint64_t), batch_.stream);
    select_sequences(batch_, wave);
    const auto blocks = static_cast<unsigned>(batch_.batch.batch * wave.parts);
    launch(forward_kernel<Real>, dim3(blocks), dim3(wave.warps * kWarp), shared.used(), batch_.stream,
           BatchView::of(batch_), wave, segment);
  }

  void back(const Segment& segment, char*, const Paths& paths) const override {
    walk_back(batch_, wave_, segment, paths, sizeof(Real) == sizeof(double));
  }

 private:
  DeviceBatch batch_;
  LinearWave wave_;
};

}  // namespace

std::unique_ptr<PathFinder> linear_path_finder(const DeviceBatch& batch, const GraphSizes& sizes,
                                               const Inspection& inspection, const Selection& selection,
                                               bool in_double) {
  const LinearWave wave(selection, inspection, sizes.states);
  if (in_double) return std::make_unique<LinearPathFinder<double>>(batch, wave);
  return std::make_unique<LinearPathFinder<float>>(batch, wave);
}

}  // namespace streamhmm::cuda
