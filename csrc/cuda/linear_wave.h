// How the warps of a wave over plain linear graphs share the work. Blocks take their parts of the work in the order in
// which they begin to run, tiles of a sequence from the first one up: who waits, waits for a block that runs already.
#pragma once

#include <algorithm>

#include "../viterbi.h"
#include "path_finder.h"

namespace streamhmm::cuda {

struct LinearWave {
  Selection selection;
  Inspection inspection;
  int32_t* taken;   // (batch) whether the selection takes the sequence
  int32_t* ticket;  // of the next block
  int32_t tiles;    // of the widest graph
  int32_t parts;    // blocks a sequence
  int32_t warps;    // a block

  LinearWave(const Selection& selects, const Inspection& inspects, int32_t states)
      : selection(selects), inspection(inspects), tiles((states + kTile - 1) / kTile) {
    parts = (tiles + kMostWarps - 1) / kMostWarps;
    warps = (tiles + parts - 1) / parts;
  }

  // Where `taken` and `ticket` stand.
  __host__ __device__ void place(Parts& memory, int64_t batch) {
    taken = memory.take<int32_t>(batch);
    ticket = memory.take<int32_t>(1);
  }

  static constexpr int32_t kMostWarps = 4;
};

// A warp's tile.
struct TilePlace {
  int64_t sequence;
  int32_t tile;
};

// By all threads of a block, once; `scratch` is shared memory.
__device__ inline TilePlace take_tile(const LinearWave& wave, int32_t* scratch) {
  if (threadIdx.x == 0) *scratch = atomicAdd(wave.ticket, 1);
  __syncthreads();
  const int32_t ticket = *scratch;
  return {ticket / wave.parts, ticket % wave.parts * wave.warps + warp_of_thread()};
}

// Before each wave: who takes part is not to change while it runs.
void select_sequences(const DeviceBatch& batch, const LinearWave& wave);

}  // namespace streamhmm::cuda
