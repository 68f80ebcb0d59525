// How the matrix of a pair is cut: into strips of kStrip rows, a row a lane of a warp. A strip is crossed in steps: in
// step s, lane r stands at row r of the strip and column s − r, so that all cells of a step lie on an anti-diagonal and
// depend on earlier steps only. kTileSteps steps are a tile.
#pragma once

#include <cstdint>

#include "../dtw_band.h"
#include "block.h"

namespace streamhmm::cuda {

constexpr int32_t kStrip = kWarp;
constexpr int32_t kTileSteps = kWarp;  // one for each lane to keep what a step has found
constexpr int32_t kTileCells = kStrip * kTileSteps;

// The winning moves of a step's lanes, a bit a lane: the lower and the upper one. 3 stands for a start.
struct alignas(8) StepBits {
  uint32_t lower, upper;
};

// Of a strip: those that hold a cell inside the band.
struct Tiles {
  int64_t first;
  int64_t last;  // exclusive
};

// A pair of sequences.
struct Pair {
  int64_t rows;
  int64_t columns;
  BandRows band;

  STREAMHMM_BOTH Pair(Band shape, int64_t n, int64_t m) : rows(n), columns(m), band(shape, n, m) {}

  STREAMHMM_BOTH int64_t strips() const { return columns > 0 ? (rows + kStrip - 1) / kStrip : 0; }
  STREAMHMM_BOTH Tiles tiles(int64_t strip) const {
    const int64_t below = (strip + 1) * kStrip < rows ? (strip + 1) * kStrip : rows;
    const int64_t first = band.at(strip * kStrip).first, last = band.at(below - 1).last;
    if (first >= last) return {0, 0};
    return {first / kTileSteps, (last - 1 + kStrip - 1) / kTileSteps + 1};
  }
};

// What the kernels know of the batch and of where they work.
struct DtwPlan {
  DtwBatch batch;  // whose lengths are on the device
  int64_t tiles;   // of a strip, at most

  void* costs;         // (batch, slab, tiles, kTileSteps, kStrip) of the batch's type, +inf outside the band
  StepBits* pointers;  // (batch, segment, tiles, kTileSteps)
  double* row;         // (batch, columns) D of the last row crossed
  double* x_scale;     // (batch, rows) of the cosine, else null
  double* y_scale;     // (batch, columns)
  uint32_t* closed;    // (batch) whether some row has no cell inside the band

  __device__ Pair pair(int64_t b) const {
    return {batch.band, length(batch.x_lengths, b, batch.rows), length(batch.y_lengths, b, batch.columns)};
  }

 private:
  __device__ static int64_t length(const int64_t* lengths, int64_t b, int64_t most) {
    if (lengths == nullptr) return most;
    return lengths[b] < 0 ? 0 : lengths[b] > most ? most : lengths[b];
  }
};

// Strips first … last−1; those of the same segment have their pointers from `segment` on.
struct Slab {
  int64_t first, last;
  int64_t segment;         // the first strip of the segment
  int64_t segment_strips;  // the most that a segment has
  int64_t slab_strips;     // the most that a slab has
};

}  // namespace streamhmm::cuda
