// Back-pointers of plain linear graphs, and the walk along them.
#pragma once

#include "linear_wave.h"

namespace streamhmm::cuda {

// Two bits a state a frame: the lower one, "the arc from s−1 beat that from s−2", the higher one, "the stay beat both".
// A lane's two states have a word for kWordFrames frames, four bits a frame, the even state's lower.
constexpr int32_t kWordFrames = 8;
constexpr int32_t kChunkWords = kRecentre / kWordFrames;  // a lane

// The frames of a segment in chunks of kRecentre; of each tile and chunk, (kChunkWords, kWarp) words.
struct LinearPointers {
  uint32_t* words;
  int64_t tiles;
  int64_t chunks;

  __host__ __device__ LinearPointers(Parts& memory, int64_t batch, int64_t tile_count, int64_t frames)
      : tiles(tile_count), chunks((frames + kRecentre - 1) / kRecentre) {
    words = memory.take<uint32_t>(batch * tiles * chunks * kChunkWords * kWarp);
  }
  __host__ __device__ int64_t place(int64_t sequence, int64_t tile, int64_t chunk) const {
    return (sequence * tiles + tile) * chunks + chunk;
  }
  __device__ uint32_t* of(int64_t sequence, int64_t tile, int64_t chunk) const {
    return words + place(sequence, tile, chunk) * kChunkWords * kWarp;
  }
};

// What is kept of a sequence between segments, and at its end: the tiles' offsets, then α.
template <class Real>
struct LinearSaved {
  double* offset;
  Real* alpha;
  int64_t bytes;

  // Of sequence `sequence`, among as many as stand one behind the other in `memory`.
  __host__ __device__ LinearSaved(char* memory, int64_t sequence, int64_t tiles) {
    Parts nothing(nullptr);
    take(nothing, tiles);
    bytes = nothing.used();
    Parts parts(memory != nullptr ? memory + sequence * bytes : nullptr);
    take(parts, tiles);
  }

 private:
  __host__ __device__ void take(Parts& parts, int64_t tiles) {
    offset = parts.take<double>(tiles);
    alpha = parts.take<Real>(tiles * kTile);
  }
};

// Along the back-pointers of a segment.
void walk_back(const DeviceBatch& batch, const LinearWave& wave, const Segment& segment, const Paths& paths,
               bool in_double);

}  // namespace streamhmm::cuda
