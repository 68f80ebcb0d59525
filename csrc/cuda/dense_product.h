// The product of rows of numbers with a matrix, in a semiring, by the blocks of a grid, frame after frame:
//
//   out[q][j] = ⊕_i row[q][i] ⊗ matrix[i][j]         rows: one a sequence; in (max, +) or (+, ×)
//
// A block has some of the sequences and some of the columns. The sources i pass through its shared memory in slices,
// two at a time; a thread has a tile of kRows × kColumns results, for every `parts`-th quad of sources. At the end the
// parts are put together.
#pragma once

#include "async_copy.h"
#include "block.h"
#include "numbers.h"

namespace streamhmm::cuda {

// How a product is divided. All lengths of rows are multiples of 4.
struct ProductShape {
  static constexpr int32_t kRows = 4;
  static constexpr int32_t kColumns = 8;
  static constexpr int32_t kMostThreads = 512;

  int32_t row;            // sources, and columns, with padding
  int32_t row_groups;     // of kRows sequences in a block
  int32_t column_groups;  // of kColumns columns in a block
  int32_t parts;
  int32_t slice;     // sources at once
  bool is_resident;  // the block's part of the matrix stays in shared memory
  int32_t across;    // blocks beside each other, for all columns
  int32_t sets;      // of sequences: blocks for the same columns
  int32_t rounds;    // in which the sets take their sequences

  __host__ __device__ int32_t sequences() const { return kRows * row_groups; }
  __host__ __device__ int32_t columns() const { return kColumns * column_groups; }
  __host__ __device__ int32_t threads() const {
    return (row_groups * column_groups * parts + kWarp - 1) / kWarp * kWarp;
  }
  // Where the matrix of a block has a column: lanes beside each other read four columns each, without a gap.
  __host__ __device__ int32_t place_of(int32_t column) const {
    const int32_t group = column / kColumns, c = column % kColumns;
    return (c / 4 * column_groups + group) * 4 + c % 4;
  }
  // Where a number of the matrix is, in the order in which blocks read it: (across, row, columns).
  __host__ __device__ int64_t matrix_place(int32_t i, int32_t j) const {
    return (int64_t{j / columns()} * row + i) * columns() + place_of(j % columns());
  }
  __host__ __device__ int32_t alpha_stride() const { return slice + 4; }  // other banks for the next sequence
  __host__ __device__ int64_t matrix_size() const { return int64_t{across} * row * columns(); }
};

struct MaxPlus {
  __device__ static float zero() { return never<float>(); }
  __device__ static float add(float a, float b) { return fmaxf(a, b); }
  __device__ static float add_product(float sum, float a, float b) { return fmaxf(sum, a + b); }
};

struct SumProduct {
  __device__ static float zero() { return 0; }
  __device__ static float add(float a, float b) { return a + b; }
  __device__ static float add_product(float sum, float a, float b) { return fmaf(a, b, sum); }
};

// A block's shared memory for products.
struct ProductMemory {
  float* resident;  // (row, columns), or null; columns as place_of says
  float* stages;    // two of (sequences, alpha_stride), (slice, columns)
  float* sums;      // (parts, sequences, columns), where the stages are

  __host__ __device__ static int64_t stage_size(const ProductShape& s) {
    return int64_t{s.sequences()} * s.alpha_stride() + (s.is_resident ? 0 : int64_t{s.slice} * s.columns());
  }
  __host__ __device__ ProductMemory(Parts& shared, const ProductShape& s) {
    const int64_t of_stages = 2 * stage_size(s), of_sums = int64_t{s.parts} * s.sequences() * s.columns();
    resident = s.is_resident ? shared.take<float>(int64_t{s.row} * s.columns()) : nullptr;
    stages = shared.take<float>(of_stages > of_sums ? of_stages : of_sums);
    sums = stages;
  }
};

// The rows that are multiplied: of sequence q of the block at first + q · stride, `count` sequences.
struct ProductRows {
  const float* first;
  int64_t stride;
  int32_t count;
};

template <class Semiring>
class Product {
 public:
  static constexpr int32_t kRows = ProductShape::kRows, kColumns = ProductShape::kColumns;

  // `matrix`: the columns of this block, (row, columns), as place_of says.
  __device__ Product(const ProductShape& shape, const ProductMemory& memory, const float* matrix)
      : shape_(shape), memory_(memory), matrix_(matrix) {
    const auto thread = static_cast<int32_t>(threadIdx.x);
    row_group_ = thread % shape.row_groups;
    column_group_ = thread / shape.row_groups % shape.column_groups;
    part_ = thread / (shape.row_groups * shape.column_groups);
    if (shape.is_resident) copy_matrix(memory.resident, 0, shape.row);
  }

  __device__ int32_t first_column() const { return kColumns * column_group_; }

  // Ends with a barrier, after which result() may be called until the next product. shift(source, q) is multiplied to
  // the row of the q-th sequence; it is asked for whenever source is a multiple of 64, or the first of a thread's.
  template <class Shift>
  __device__ void compute(const ProductRows& rows, const Shift& shift) {
    float sum[kRows][kColumns];
#pragma unroll
    for (auto& of_row : sum) {
#pragma unroll
      for (float& each : of_row) each = Semiring::zero();
    }
    copy_slice(rows, 0, 0);
    for (int32_t begin = 0, stage = 0; begin < shape_.row; begin += shape_.slice, stage ^= 1) {
      if (begin + shape_.slice < shape_.row) {
        copy_slice(rows, begin + shape_.slice, stage ^ 1);
        wait_for_copies<1>();
      } else {
        wait_for_copies<0>();
      }
      __syncthreads();
      if (part_ < shape_.parts) add_slice(begin, stage, shift, sum);
      __syncthreads();
    }
    if (part_ < shape_.parts) {
#pragma unroll
      for (int32_t q = 0; q < kRows; ++q) {
        float* to = memory_.sums + (part_ * shape_.sequences() + sequence(q)) * shape_.columns() + first_column();
        *reinterpret_cast<Four*>(to) = {sum[q][0], sum[q][1], sum[q][2], sum[q][3]};
        *reinterpret_cast<Four*>(to + 4) = {sum[q][4], sum[q][5], sum[q][6], sum[q][7]};
      }
    }
    __syncthreads();
  }

  // Of sequence q of the block and its column c.
  __device__ float result(int32_t q, int32_t c) const {
    const float* sums = memory_.sums + q * shape_.columns() + c;
    float total = sums[0];
    for (int32_t part = 1; part < shape_.parts; ++part) {
      total = Semiring::add(total, sums[part * shape_.sequences() * shape_.columns()]);
    }
    return total;
  }

 private:
  __device__ int32_t sequence(int32_t q) const { return row_group_ + q * shape_.row_groups; }
  __device__ float* stage_of(int32_t stage) const { return memory_.stages + stage * ProductMemory::stage_size(shape_); }
  __device__ float* stage_matrix(int32_t stage) const {
    return stage_of(stage) + shape_.sequences() * shape_.alpha_stride();
  }

  __device__ void copy_matrix(float* to, int32_t begin, int32_t sources) const {
    const auto* from = reinterpret_cast<const Four*>(matrix_ + int64_t{begin} * shape_.columns());
    const int32_t count = sources * shape_.columns() / 4;
    for (auto i = static_cast<int32_t>(threadIdx.x); i < count; i += static_cast<int32_t>(blockDim.x)) {
      copy_async(reinterpret_cast<Four*>(to) + i, from + i);
    }
  }

  __device__ void copy_slice(const ProductRows& rows, int32_t begin, int32_t stage) const {
    const int32_t left = shape_.row - begin, sources = left < shape_.slice ? left : shape_.slice, quads = sources / 4;
    float* to = stage_of(stage);
    for (auto i = static_cast<int32_t>(threadIdx.x); i < rows.count * quads; i += static_cast<int32_t>(blockDim.x)) {
      const int32_t q = i / quads, quad = i - q * quads;
      copy_async(reinterpret_cast<Four*>(to + q * shape_.alpha_stride()) + quad,
                 reinterpret_cast<const Four*>(rows.first + q * rows.stride + begin) + quad);
    }
    if (!shape_.is_resident) copy_matrix(stage_matrix(stage), begin, sources);
    end_copies();
  }

  template <class Shift>
  __device__ void add_slice(int32_t begin, int32_t stage, const Shift& shift, float (&sum)[kRows][kColumns]) const {
    const float* alpha = stage_of(stage);
    const float* matrix =
        (shape_.is_resident ? memory_.resident + int64_t{begin} * shape_.columns() : stage_matrix(stage)) +
        4 * column_group_;
    const int32_t left = shape_.row - begin, sources = left < shape_.slice ? left : shape_.slice;
    int32_t tile = -1;
    float factor[kRows] = {};
    for (int32_t i = 4 * part_; i < sources; i += 4 * shape_.parts) {
      if ((begin + i) / 64 != tile) {
        tile = (begin + i) / 64;
#pragma unroll
        for (int32_t q = 0; q < kRows; ++q) factor[q] = shift(tile, sequence(q));
      }
      Four from[kRows];
#pragma unroll
      for (int32_t q = 0; q < kRows; ++q) {
        from[q] = *reinterpret_cast<const Four*>(alpha + sequence(q) * shape_.alpha_stride() + i);
#pragma unroll
        for (float& each : from[q].x) each = Shift::apply(each, factor[q]);
      }
#pragma unroll
      for (int32_t k = 0; k < 4; ++k) {
        const Four low = *reinterpret_cast<const Four*>(matrix + (i + k) * shape_.columns());
        const Four high =
            *reinterpret_cast<const Four*>(matrix + (i + k) * shape_.columns() + 4 * shape_.column_groups);
#pragma unroll
        for (int32_t q = 0; q < kRows; ++q) {
#pragma unroll
          for (int32_t c = 0; c < kColumns; ++c) {
            sum[q][c] = Semiring::add_product(sum[q][c], from[q].x[k], c < 4 ? low.x[c] : high.x[c - 4]);
          }
        }
      }
    }
  }

  const ProductShape& shape_;
  ProductMemory memory_;
  const float* matrix_;
  int32_t row_group_, column_group_, part_;
};

}  // namespace streamhmm::cuda
