// Sums over paths of a dense graph that the batch shares, as ordinary float probabilities, with products by the whole
// grid. The recursions, the scaling and what may underflow are those of dense_narrow_sums.h.
//
// The way forward leaves rows of α, the way back rows of β; posteriors and counts are made of them by other kernels,
// frame by frame. What is known of every frame, and lasts for the operation, are the largest score (of the states'
// columns), and the largest number of the rows α_t and B_t, as the bits of a float: of numbers that are not negative,
// these are in the same order.
#pragma once

#include "dense_probabilities.h"
#include "dense_product.h"
#include "dense_shape.h"
#include "summer.h"

namespace streamhmm::cuda {

constexpr int32_t kMostCounted = 16000;  // states: a grid has so many squares of counts

// What the kernels know beside the batch.
struct WideSum {
  Inspection inspection;
  Selection selection;
  SumTargets to;
  ProductShape shape;
  int32_t states;
  bool forward_only;
  bool pdfs_are_shared;  // by states
};

// The largest of each kind of weights; the smallest transition, divided by the largest.
struct WeightTops {
  float transition, initial, final, least;
};

// What lasts for the operation.
struct WideSumCarried {
  WeightTops* weights;   // (1)
  float* ahead;          // the transitions as the product wants them, from row to column
  float* back;           // and from column to row
  float* score_top;      // (batch, frames)
  int32_t* alpha_top;    // (batch, frames)
  int32_t* weighed_top;  // (batch, frames) of B
  double* total;         // (batch, frames) Σ_j α_t[j] · β_t[j]
  int32_t* faintest;     // (batch) the smallest α, where checked
  float* beta;           // (batch, row) of the frame before the segment
  float* weighed;        // (batch, 2, row) B of two frames

  __host__ __device__ WideSumCarried(Parts& memory, int64_t batch, int64_t frames, const ProductShape& shape) {
    weights = memory.take<WeightTops>(1);
    ahead = memory.take<float>(shape.matrix_size());
    back = memory.take<float>(shape.matrix_size());
    score_top = memory.take<float>(batch * frames);
    alpha_top = memory.take<int32_t>(batch * frames);
    weighed_top = memory.take<int32_t>(batch * frames);
    total = memory.take<double>(batch * frames);
    faintest = memory.take<int32_t>(batch);
    beta = memory.take<float>(batch * shape.row);
    weighed = memory.take<float>(batch * 2 * shape.row);
  }
};

// Rows of a segment: α and β (batch, depth, row). Of α, where no rows are kept, two: (batch, 2, row).
struct SumRows {
  float* alpha;
  float* beta;
  int64_t first;
  int64_t depth;
  int32_t row;

  __host__ __device__ SumRows(Parts& memory, int64_t batch, int64_t first_frame, int64_t frames, int32_t row_size,
                              bool has_beta)
      : first(first_frame), depth(frames), row(row_size) {
    alpha = memory.take<float>(batch * depth * row);
    beta = memory.take<float>(has_beta ? batch * depth * row : 0);
  }
  __device__ int64_t at(int64_t b, int64_t t) const { return (b * depth + (t - first) % depth) * row; }
};

// What the operation needs before the first frame.
void wide_sum_prepare(const DeviceBatch& batch, const WideSum& sum, char* carried);
void wide_sum_forward(const DeviceBatch& batch, const WideSum& sum, const Segment& segment, char* carried,
                      char* scratch);
// Log-likelihoods of the sequences that end in the segment.
void wide_sum_total(const DeviceBatch& batch, const WideSum& sum, const Segment& segment, char* carried);
void wide_sum_backward(const DeviceBatch& batch, const WideSum& sum, const Segment& segment, char* carried);
// Posteriors and counts of the segment's frames.
void wide_sum_deliver(const DeviceBatch& batch, const WideSum& sum, const Segment& segment, char* carried);

// Shared memory of a block beside the product's; of one that delivers.
int64_t wide_sum_bytes(const ProductShape& shape);
int64_t wide_deliver_bytes(const WideSum& sum, int64_t columns);

}  // namespace streamhmm::cuda
