// The sequences of a block in a grid whose blocks go through the frames of wide dense graphs together.
#pragma once

#include "batch.h"
#include "dense_product.h"

namespace streamhmm::cuda {

// Grid: (sets, across). Blocks with the same sequences lie across.
class GridSequences {
 public:
  __device__ GridSequences(Parts& shared, const ProductShape& shape)
      : across_(static_cast<int32_t>(blockIdx.y)), shape_(shape) {
    length_ = shared.take<int64_t>(shape.sequences());
  }
  static void take(Parts& shared, const ProductShape& shape) { shared.take<int64_t>(shape.sequences()); }

  // All blocks find the same until() and longest(), from nothing that changes while they run: they wait for each other.
  __device__ void choose(const BatchView& view, int32_t round, int64_t segment_end) {
    const int64_t size = shape_.sequences(), round_first = round * shape_.sets * size;
    segment_end_ = segment_end;
    first_ = round_first + blockIdx.x * size;
    const int64_t left = view.batch > first_ ? view.batch - first_ : 0;
    count_ = static_cast<int32_t>(left < size ? left : size);
    for (auto q = static_cast<int32_t>(threadIdx.x); q < size; q += static_cast<int32_t>(blockDim.x)) {
      length_[q] = q < count_ ? view.length(first_ + q) : 0;
    }
    const int64_t begin = shape_.across > 1 ? round_first : first_;
    const int64_t behind = begin + (shape_.across > 1 ? shape_.sets : 1) * size;
    const int64_t end = behind < view.batch ? behind : view.batch;
    longest_ = own_until_ = 0;
    for (int64_t b = begin + lane_of_thread(); b < end; b += kWarp) {
      const int64_t length = view.length(b);
      longest_ = length > longest_ ? length : longest_;
    }
    longest_ = warp_max(longest_);
    __syncthreads();
    for (int32_t q = 0; q < count_; ++q) own_until_ = length_[q] > own_until_ ? length_[q] : own_until_;
    own_until_ = own_until_ < segment_end_ ? own_until_ : segment_end_;
  }

  // For the blocks that have to.
  __device__ void wait() const {
    if (shape_.across > 1) {
      wait_for_grid();
    } else {
      __syncthreads();
    }
  }

  __device__ int32_t count() const { return count_; }
  __device__ int64_t sequence(int32_t q) const { return first_ + q; }
  __device__ int64_t length(int32_t q) const { return length_[q]; }
  // Where a sequence ends in the segment.
  __device__ int64_t end(int32_t q) const { return length_[q] < segment_end_ ? length_[q] : segment_end_; }
  __device__ int64_t longest() const { return longest_; }  // of the sequences of all blocks that wait for each other
  __device__ int64_t until() const {
    return longest_ < segment_end_ ? longest_ : segment_end_;
  }  // they end in the segment
  __device__ int64_t own_until() const { return own_until_; }  // where this block's end
  __device__ int32_t across() const { return across_; }
  __device__ int32_t first_column() const { return across_ * shape_.columns(); }

  // use(q, column) for all results of the block, a thread each; column counted in the row.
  template <class Use>
  __device__ void for_each_result(const Use& use) const {
    const int32_t columns = shape_.columns();
    for (auto i = static_cast<int32_t>(threadIdx.x); i < count_ * columns; i += static_cast<int32_t>(blockDim.x)) {
      const int32_t q = i / columns, j = first_column() + i - q * columns;
      if (j < shape_.row) use(q, j);
    }
  }
  // use(q) for the sequences of which this one, of the blocks across, has the care; a thread each.
  template <class Use>
  __device__ void for_each_owned(const Use& use) const {
    const int32_t stride = shape_.across * static_cast<int32_t>(blockDim.x);
    for (int32_t q = across_ + shape_.across * static_cast<int32_t>(threadIdx.x); q < count_; q += stride) use(q);
  }

 private:
  int32_t across_;
  const ProductShape& shape_;
  int64_t* length_;  // (sequences), 0 where there is none
  int64_t segment_end_ = 0;
  int64_t first_ = 0;
  int32_t count_ = 0;
  int64_t longest_ = 0;
  int64_t own_until_ = 0;
};

}  // namespace streamhmm::cuda
