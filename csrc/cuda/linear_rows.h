// What the waves of sums over plain linear graphs keep, and what becomes of it.
#pragma once

#include "linear_scaled.h"
#include "linear_wave.h"
#include "summer.h"

namespace streamhmm::cuda {

// Numbers of all states, whole tiles of them: (batch, frames, tiles · kTile). Rows of α; the mantissas become γ on the
// way back.
template <class Real>
struct LinearRows {
  ScaledPair<Real>* pairs;
  int64_t frames;
  int64_t tiles;

  __host__ __device__ static int64_t bytes(int64_t batch, int64_t frames, int64_t tiles) {
    return batch * frames * tiles * kWarp * static_cast<int64_t>(sizeof(ScaledPair<Real>));
  }
  __host__ __device__ LinearRows(const char* memory, int64_t frame_count, int64_t tile_count)
      : pairs(reinterpret_cast<ScaledPair<Real>*>(const_cast<char*>(memory))), frames(frame_count), tiles(tile_count) {}
  // The calling lane's pair.
  __device__ ScaledPair<Real>& at(int64_t sequence, int64_t frame, int32_t tile) const {
    return pairs[((sequence * frames + frame) * tiles + tile) * kWarp + lane_of_thread()];
  }
  __device__ const Scaled<Real>* row(int64_t sequence, int64_t frame) const {
    return &pairs[(sequence * frames + frame) * tiles * kWarp].even;
  }
};

// What lasts for the operation.
template <class Real>
struct LinearCarried {
  Scaled<Real>* totals;  // (batch) Z
  Scaled<Real>* parts;   // (batch, tiles) of Z
  char* betas;           // LinearRows of a frame

  LinearCarried(Parts& memory, int64_t batch, int64_t tiles) {
    totals = memory.take<Scaled<Real>>(batch);
    parts = memory.take<Scaled<Real>>(batch * tiles);
    betas = memory.take<char>(LinearRows<Real>::bytes(batch, 1, tiles));
  }
};

// Z, from its parts, of the sequences that end in the segment.
void sum_up(const DeviceBatch& batch, const LinearWave& wave, const Segment& segment, const SumTargets& to,
            char* carried);

// Posteriors of a segment, from the rows of γ.
void deliver(const DeviceBatch& batch, const LinearWave& wave, const Segment& segment, const SumTargets& to,
             char* carried);

}  // namespace streamhmm::cuda
