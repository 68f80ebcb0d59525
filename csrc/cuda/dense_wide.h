// What the kernels that search a wide dense graph forward and back share: where α and the tiles' offsets stand.
//
// α of every frame of a segment are kept instead of back-pointers, so that the way forward needs nothing but the
// largest sum, and the way back finds out who won for the one state that it passes.
#pragma once

#include "dense_product.h"
#include "dense_shape.h"
#include "path_finder.h"
#include "tile_offsets.h"

namespace streamhmm::cuda {

// What the kernels know beside the batch.
struct WideSearch {
  Inspection inspection;
  Selection selection;
  ProductShape shape;
  int32_t states;
  int32_t tiles;
};

// α (batch, depth, row) and the offsets of the tiles (batch, epochs, tiles): those of epoch e hold in the step to a
// frame t with t / kRecentre = e. Rows and epochs are used again where not all are kept.
struct AlphaRows {
  float* rows;
  double* offsets;
  int64_t first;  // frame of the segment
  int64_t depth;
  int64_t epochs;
  int32_t row;
  int32_t tiles;

  __host__ __device__ AlphaRows(Parts& memory, int64_t batch, int64_t first_frame, int64_t frames, int32_t row_size,
                                int32_t tile_number)
      : first(first_frame), depth(frames), epochs(frames / kRecentre + 2), row(row_size), tiles(tile_number) {
    rows = memory.take<float>(batch * depth * row);
    offsets = memory.take<double>(batch * epochs * tiles);
  }
  __device__ float* row_at(int64_t b, int64_t t) const { return rows + (b * depth + (t - first) % depth) * row; }
  __device__ double* offsets_at(int64_t b, int64_t epoch) const {
    return offsets + (b * epochs + (epoch - first / kRecentre) % epochs) * tiles;
  }
};
constexpr int64_t kRollingRows = 2;

// What is saved between segments: offsets (batch, tiles), α (batch, row). Where the sequence goes on, it has been
// recentred for the frame that follows.
struct WideSaved {
  double* offset;
  float* alpha;

  __host__ __device__ WideSaved(Parts& memory, int64_t batch, int32_t row, int32_t tiles) {
    offset = memory.take<double>(batch * tiles);
    alpha = memory.take<float>(batch * row);
  }
};

// What stays while a finder works: the transitions as the product wants them, and by target state for the way back;
// rows where none are kept; what moves out of the tiles.
struct WideScratch {
  float* panels;  // (across, row, columns)
  float* into;    // (states, row): into[j][i] is the weight from i to j
  float* moved;   // (batch, tiles)
  AlphaRows rolling;

  __host__ __device__ WideScratch(Parts& memory, int64_t batch, const WideSearch& search, int64_t first)
      : panels(memory.take<float>(search.shape.matrix_size())),
        into(memory.take<float>(int64_t{search.states} * search.shape.row)),
        moved(memory.take<float>(batch * search.tiles)),
        rolling(memory, batch, first, kRollingRows, search.shape.row, search.tiles) {}
};

// Lays out the transitions in the scratch; then the ways forward and back.
void wide_prepare(const DeviceBatch& batch, const WideSearch& search, char* scratch);
void wide_forward(const DeviceBatch& batch, const WideSearch& search, const Segment& segment, char* scratch);
void wide_back(const DeviceBatch& batch, const WideSearch& search, const Segment& segment, char* scratch,
               const Paths& paths);

// Shared memory of a block of the way forward beside the product's; of one of the way back.
int64_t wide_forward_bytes(const ProductShape& shape, int32_t tiles);
int64_t wide_back_bytes(int32_t row, int32_t tiles);

}  // namespace streamhmm::cuda
