#include <algorithm>

#include "linear_sum_backward.h"
#include "linear_sum_forward.h"
#include "linear_sums.h"

namespace streamhmm::cuda {
namespace {

template <class Real>
__global__ void __launch_bounds__(LinearWave::kMostWarps* kWarp)
    forward_kernel(BatchView view, LinearWave wave, SumWave<Real> sum, Segment segment) {
  Parts shared(shared_memory());
  const TilePlace place = take_tile(wave, shared.take<int32_t>(1));
  if (wave.taken[place.sequence] == 0) return;
  if (place.tile * kTile >= view.record(place.sequence).states) return;
  const int64_t length = view.length(place.sequence), last = length < segment.last ? length : segment.last;
  if (last <= segment.first) return;
  const SumEdges<Real> edges(shared, wave.warps, warp_of_thread());
  ForwardSum<Real>(view, wave, sum, segment, place, edges).run(last, length);
}

template <class Real>
__global__ void __launch_bounds__(LinearWave::kMostWarps* kWarp)
    backward_kernel(BatchView view, LinearWave wave, SumWave<Real> sum, Segment segment, Sums to) {
  Parts shared(shared_memory());
  TilePlace place = take_tile(wave, shared.take<int32_t>(1));
  if (wave.taken[place.sequence] == 0) return;
  const GraphRecord record = view.record(place.sequence);
  place.tile = (record.states + kTile - 1) / kTile - 1 - place.tile;  // the last tile begins
  if (place.tile < 0) return;
  const int64_t length = view.length(place.sequence), last = length < segment.last ? length : segment.last;
  if (last <= segment.first) return;
  if (sum.carried.totals[place.sequence].is_zero()) return;  // no path: all stays 0
  double* counts = to.counts;
  if (counts != nullptr) counts += record.weights_offset + place.sequence * to.counts_stride;
  const SumEdges<Real> edges(shared, wave.warps, warp_of_thread());
  BackwardSum<Real>(view, wave, sum, segment, place, edges, counts).run(last, length);
}

// Waves cover as many frames as what the tiles hand over has memory for; α, or β, is saved in between.
template <class Real>
class LinearSummer : public Summer {
 public:
  LinearSummer(const DeviceBatch& batch, const LinearWave& wave) : batch_(batch), wave_(wave) {
    constexpr int64_t kFewestFrames = 1024;
    const int64_t budget = std::max<int64_t>(batch.batch.memory_budget / 4 / border_bytes(kRecentre) * kRecentre, 0);
    const int64_t frames = std::min(std::max(budget, kFewestFrames), std::max<int64_t>(batch.batch.frames, 1));
    chunks_ = (frames + kRecentre - 1) / kRecentre;
  }

  int64_t rows_bytes(int64_t frames) const override {
    return LinearRows<Real>::bytes(batch_.batch.batch, frames, wave_.tiles);
  }
  int64_t saved_bytes() const override { return rows_bytes(1); }
  int64_t carried_bytes() const override {
    Parts nothing(nullptr);
    LinearCarried<Real>(nothing, batch_.batch.batch, wave_.tiles);
    return nothing.used();
  }
  int64_t scratch_bytes() const override {
    Parts nothing(nullptr);
    LinearWave wave = wave_;
    place(nothing, wave);
    return nothing.used();
  }

  void forward(const Segment& segment, const SumTargets& to, char* carried, char* scratch) const override {
    Segment part = segment;
    for (part.last = segment.first; part.last < segment.last; part.from = segment.to) {
      part.first = part.last;
      part.last = std::min(part.first + chunks_ * kRecentre, segment.last);
      LinearWave wave = wave_;
      const SumWave<Real> sum = begin(segment, to, carried, scratch, wave);
      launch(forward_kernel<Real>, blocks(), threads(), shared_bytes(), batch_.stream, BatchView::of(batch_), wave, sum,
             part);
      sum_up(batch_, wave, part, to, carried);
    }
  }

  void backward(const Segment& segment, const SumTargets& to, char* carried, char* scratch) const override {
    const int64_t most = chunks_ * kRecentre;
    Segment part = segment;
    LinearWave wave = wave_;
    for (part.first = segment.last; part.first > segment.first;) {
      part.last = part.first;
      part.first = segment.first + (part.last - 1 - segment.first) / most * most;
      const SumWave<Real> sum = begin(segment, to, carried, scratch, wave);
      launch(backward_kernel<Real>, blocks(), threads(), shared_bytes(), batch_.stream, BatchView::of(batch_), wave,
             sum, part, to.sums);
    }
    if (wants_gamma(to)) deliver(batch_, wave, segment, to, carried);
  }

 private:
  static bool wants_gamma(const SumTargets& to) { return to.sums.by_state != nullptr || to.sums.by_pdf != nullptr; }

  int64_t border_words(int64_t frames) const {
    const int64_t chunks = (frames + kRecentre - 1) / kRecentre;
    return batch_.batch.batch * wave_.tiles * chunks * Border<Scaled<Real>>::kWords;
  }
  int64_t border_bytes(int64_t frames) const { return border_words(frames) * static_cast<int64_t>(sizeof(uint64_t)); }
  uint64_t* place(Parts& memory, LinearWave& wave) const {
    wave.place(memory, batch_.batch.batch);
    return memory.take<uint64_t>(border_words(chunks_ * kRecentre));
  }

  // Before a wave.
  SumWave<Real> begin(const Segment& segment, const SumTargets& to, char* carried, char* scratch,
                      LinearWave& wave) const {
    Parts memory(carried), room(scratch);
    const LinearCarried<Real> lasting(memory, batch_.batch.batch, wave_.tiles);
    uint64_t* borders = place(room, wave);
    zero(borders, border_bytes(chunks_ * kRecentre), batch_.stream);
    select_sequences(batch_, wave);
    return {
        lasting, borders, chunks_, wave.inspection.limit, wants_gamma(to), segment.first, segment.last - segment.first};
  }

  dim3 blocks() const { return dim3(static_cast<unsigned>(batch_.batch.batch * wave_.parts)); }
  dim3 threads() const { return dim3(static_cast<unsigned>(wave_.warps * kWarp)); }
  size_t shared_bytes() const {
    Parts shared(nullptr);
    shared.take<int32_t>(1);
    SumEdges<Real>(shared, wave_.warps, 0);
    return static_cast<size_t>(shared.used());
  }

  DeviceBatch batch_;
  LinearWave wave_;
  int64_t chunks_;  // of a wave
};

}  // namespace

std::unique_ptr<Summer> linear_summer(const DeviceBatch& batch, const GraphSizes& sizes, const Inspection& inspection,
                                      const Selection& selection) {
  const LinearWave wave(selection, inspection, sizes.states);
  if (batch.batch.is_double) return std::make_unique<LinearSummer<double>>(batch, wave);
  return std::make_unique<LinearSummer<float>>(batch, wave);
}

}  // namespace streamhmm::cuda
