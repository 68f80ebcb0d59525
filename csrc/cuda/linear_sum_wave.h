// What the waves of sums over plain linear graphs work in.
#pragma once

#include "linear_rows.h"
#include "linear_scores.h"

namespace streamhmm::cuda {

// What a wave works in, beside LinearWave.
template <class Real>
struct SumWave {
  LinearCarried<Real> carried;
  uint64_t* borders;
  int64_t chunks;  // of the wave
  double limit;
  bool wants_gamma;
  int64_t row_first;  // the frame of the first row
  int64_t row_frames;

  __device__ Border<Scaled<Real>> border(const BatchView& view, const LinearWave& wave, int64_t sequence, int32_t tile,
                                         int64_t chunk) const {
    const int64_t places = view.batch * wave.tiles * chunks;
    return {borders, places, (sequence * wave.tiles + tile) * chunks + chunk};
  }
};

// What a warp has in shared memory: of each frame of a chunk, what comes from the neighbouring tile, and what goes to
// the other one.
template <class Real>
struct SumEdges {
  ScaledPair<Real>* coming;
  ScaledPair<Real>* going;

  __host__ __device__ SumEdges(Parts& memory, int32_t warps, int32_t warp) {
    coming = memory.take<ScaledPair<Real>>(warps * kRecentre) + warp * kRecentre;
    going = memory.take<ScaledPair<Real>>(warps * kRecentre) + warp * kRecentre;
  }
};

template <class Real>
__device__ ScaledPair<Real> zeros() {
  return {Scaled<Real>::zero(), Scaled<Real>::zero()};
}

}  // namespace streamhmm::cuda
