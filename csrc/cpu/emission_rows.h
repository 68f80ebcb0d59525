// EmissionRows: exp(score) of the columns that a graph reads, as numbers. Where the sequence is known, for a block of
// frames at once: exponentials of one frame alone are a chain of operations that each wait for the one before.
#pragma once

#include <algorithm>

#include "batch_rows.h"
#include "buffer.h"
#include "isa.h"
#include "linear_viterbi.h"

namespace streamhmm {

template <class Real>
class EmissionRows {
 public:
  // `scores` are those that rows may come from; others may come as well.
  EmissionRows(const ColumnsRead& columns, const ScoreRows<Real>& scores)
      : scores_(scores),
        columns_(linear_groups(columns.count()) * kGroup, columns.data()[columns.count() - 1]),
        mantissa_(kBlock * columns_.size()),
        exponent_(kBlock * columns_.size()) {
    std::copy_n(columns.data(), columns.count(), columns_.data());
    contiguous_ = columns_[columns.count() - 1] - columns_[0] == columns.count() - 1;
    count_ = columns.count();
  }

  ConstScaledRow<Real> at(const Real* row) {
    const int64_t t = frame(row);
    if (t < 0) {
      first_ = last_ = 0;
      fill(0, row);
      return slot(0);
    }
    if (t < first_ || t >= last_) fill_block(t);
    return slot(t - first_);
  }

 private:
  static constexpr int64_t kBlock = 16;

  // The frame that a row is, or −1. Mostly a neighbour of the one asked for before, which saves a division.
  int64_t frame(const Real* row) {
    const int64_t offset = row - scores_.data;
    if (scores_.stride <= 0 || offset < 0 || offset >= scores_.frames * scores_.stride) return -1;
    if (offset == offset_ + scores_.stride) {
      ++frame_;
    } else if (offset == offset_ - scores_.stride) {
      --frame_;
    } else {
      frame_ = offset / scores_.stride;
    }
    offset_ = offset;
    return frame_;
  }

  // The block of frame t, which comes either first in it or, on the way back, last.
  void fill_block(int64_t t) {
    first_ = t / kBlock * kBlock;
    last_ = std::min(first_ + kBlock, scores_.frames);
    for (int64_t i = 0; i < last_ - first_; ++i) fill(i, scores_.data + (first_ + i) * scores_.stride);
  }

  void fill(int64_t i, const Real* row) {
    const int64_t width = columns_.size();
    const ScaledRow<Real> out{mantissa_.data() + i * width, exponent_.data() + i * width};
    const auto& exponentials = kernels_of<Real>().exponentials;
    if (contiguous_) {
      exponentials(row + columns_[0], nullptr, count_, out);
    } else {
      exponentials(row, columns_.data(), count_, out);
    }
  }

  ConstScaledRow<Real> slot(int64_t i) const {
    const int64_t width = columns_.size();
    return {mantissa_.data() + i * width, exponent_.data() + i * width};
  }

  ScoreRows<Real> scores_;
  Buffer<int32_t> columns_;
  bool contiguous_;
  int32_t count_;
  Buffer<Real> mantissa_;
  Buffer<Exponent<Real>> exponent_;
  int64_t first_ = 0, last_ = 0;    // the block's frames
  int64_t frame_ = 0, offset_ = 0;  // of the row asked for last
};

}  // namespace streamhmm
