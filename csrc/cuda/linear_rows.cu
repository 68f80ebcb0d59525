#include <algorithm>

#include "fixed_point.h"
#include "linear_rows.h"

namespace streamhmm::cuda {
namespace {

constexpr int32_t kMostWarps = 8;

template <class Real>
__global__ void total_kernel(BatchView view, LinearWave wave, Segment segment, SumTargets to,
                             LinearCarried<Real> carried) {
  const int64_t b = blockIdx.x, length = view.length(b);
  if (wave.taken[b] == 0 || length <= segment.first || length > segment.last) return;
  const int32_t tiles = (view.record(b).states + kTile - 1) / kTile;
  auto total = Scaled<Real>::zero();
  for (int32_t k = lane_of_thread(); k < tiles; k += kWarp) total = total + carried.parts[b * wave.tiles + k];
  total = warp_total(total);
  if (lane_of_thread() != 0) return;
  carried.totals[b] = total;
  to.log_likelihood[b] = total.log();
}

// A frame's γ in the memory of the results.
template <class Real>
struct Results {
  void* memory;
  __device__ void put(int64_t index, double value) const {
    static_cast<Real*>(memory)[index] = static_cast<Real>(value);
  }
};

// The posteriors of columns first … first + count − 1, summed over the states of each in any order: in fixed point. A
// lane adds up what it has of the same column one after the other before it goes to shared memory.
template <class Real>
__device__ void sum_columns(const Scaled<Real>* gamma, const GraphRecord& record, int64_t first, int64_t count,
                            FixedPoint* sums) {
  for (int64_t i = lane_of_thread(); i < count; i += kWarp) sums[i] = 0;
  __syncwarp();
  int64_t column = -1;
  FixedPoint sum = 0;
  for (int32_t j = lane_of_thread(); j < record.states; j += kWarp) {
    const int64_t next = record.body[j] - first;
    if (next < 0 || next >= count) continue;
    if (next != column && column >= 0) {
      atomicAdd(sums + column, sum);
      sum = 0;
    }
    column = next;
    sum += to_fixed_point(static_cast<double>(gamma[j].mantissa));
  }
  if (column >= 0) atomicAdd(sums + column, sum);
  __syncwarp();
}

// A warp a frame; `columns` at a time.
template <class Real>
__global__ void deliver_kernel(BatchView view, LinearWave wave, Segment segment, SumTargets to,
                               LinearCarried<Real> carried, int64_t columns) {
  Parts shared(shared_memory());
  FixedPoint* sums = shared.take<FixedPoint>(columns * warps_in_block()) + columns * warp_of_thread();
  const int64_t frames = segment.last - segment.first;
  const LinearRows<Real> rows(segment.pointers, frames, wave.tiles);
  const Sums& results = to.sums;
  for (int64_t i = int64_t{blockIdx.x} * warps_in_block() + warp_of_thread(); i < view.batch * frames;
       i += int64_t{gridDim.x} * warps_in_block()) {
    const int64_t b = i / frames, t = segment.first + i % frames;
    if (wave.taken[b] == 0 || t >= view.length(b) || carried.totals[b].is_zero()) continue;
    const GraphRecord record = view.record(b);
    const Scaled<Real>* gamma = rows.row(b, t - segment.first);
    if (results.by_state != nullptr) {
      const int64_t at = (b * view.frames + t) * results.states_wide;
      for (int32_t j = lane_of_thread(); j < record.states; j += kWarp) {
        Results<Real>{results.by_state}.put(at + j, static_cast<double>(gamma[j].mantissa));
      }
    }
    const double scale = results.by_pdf_scale != nullptr ? results.by_pdf_scale[b] : 1;
    for (int64_t first = 0; results.by_pdf != nullptr && first < view.columns; first += columns) {
      const int64_t count = view.columns - first < columns ? view.columns - first : columns;
      sum_columns(gamma, record, first, count, sums);
      for (int64_t v = lane_of_thread(); v < count; v += kWarp) {
        Results<Real>{results.by_pdf}.put((b * view.frames + t) * view.columns + first + v,
                                          from_fixed_point(sums[v]) * scale);
      }
      __syncwarp();
    }
  }
}

template <class Real>
void launch_deliver(const DeviceBatch& batch, const LinearWave& wave, const Segment& segment, const SumTargets& to,
                    char* carried) {
  constexpr int64_t kShared = 24 << 10, kMostBlocks = 1 << 16, kGap = 256;
  const int64_t most = (static_cast<int64_t>(card_of(batch.device).shared_bytes) - kGap) / sizeof(FixedPoint);
  const int64_t wanted = to.sums.by_pdf != nullptr ? batch.batch.columns : 1, columns = std::min(wanted, most);
  const auto bytes = static_cast<int64_t>(columns * sizeof(FixedPoint));
  const int64_t warps = std::clamp<int64_t>(kShared / bytes, 1, kMostWarps);
  const int64_t frames = batch.batch.batch * (segment.last - segment.first);
  const int64_t blocks = std::min((frames + warps - 1) / warps, kMostBlocks);
  Parts memory(carried), shared(nullptr);
  shared.take<FixedPoint>(columns * warps);
  launch(deliver_kernel<Real>, dim3(static_cast<unsigned>(blocks)), dim3(static_cast<unsigned>(warps * kWarp)),
         shared.used(), batch.stream, BatchView::of(batch), wave, segment, to,
         LinearCarried<Real>(memory, batch.batch.batch, wave.tiles), columns);
}

template <class Real>
void launch_total(const DeviceBatch& batch, const LinearWave& wave, const Segment& segment, const SumTargets& to,
                  char* carried) {
  Parts memory(carried);
  launch(total_kernel<Real>, dim3(static_cast<unsigned>(batch.batch.batch)), dim3(kWarp), 0, batch.stream,
         BatchView::of(batch), wave, segment, to, LinearCarried<Real>(memory, batch.batch.batch, wave.tiles));
}

}  // namespace

void sum_up(const DeviceBatch& batch, const LinearWave& wave, const Segment& segment, const SumTargets& to,
            char* carried) {
  const auto run = batch.batch.is_double ? launch_total<double> : launch_total<float>;
  run(batch, wave, segment, to, carried);
}

void deliver(const DeviceBatch& batch, const LinearWave& wave, const Segment& segment, const SumTargets& to,
             char* carried) {
  const auto run = batch.batch.is_double ? launch_deliver<double> : launch_deliver<float>;
  run(batch, wave, segment, to, carried);
}

}  // namespace streamhmm::cuda
