// What the drivers share: the sequences of a batch, each worker's part of the memory budget, the check of the scores.
#pragma once

#include <algorithm>
#include <mutex>
#include <stdexcept>
#include <string>

#include "../graph.h"
#include "../params.h"
#include "../viterbi.h"
#include "buffer.h"
#include "isa.h"

namespace streamhmm {

template <class Real>
class BatchRows {
 public:
  explicit BatchRows(const Batch& batch) : batch_(batch) {}

  // Throws std::invalid_argument for a length that is not in 0…frames.
  ScoreRows<Real> sequence(int64_t b) const {
    const Real* data = static_cast<const Real*>(batch_.scores) + b * batch_.batch_stride;
    const int64_t frames = batch_.lengths != nullptr ? batch_.lengths[b] : batch_.frames;
    if (frames < 0 || frames > batch_.frames) {
      throw std::invalid_argument("lengths must be in 0…" + std::to_string(batch_.frames) + ", got " +
                                  std::to_string(frames));
    }
    return {data, frames, batch_.columns, batch_.frame_stride};
  }
  const Real* weights() const { return static_cast<const Real*>(batch_.weights); }
  int64_t budget() const {
    const int64_t workers = std::max<int64_t>(std::min<int64_t>(batch_.threads, batch_.batch), 1);
    return batch_.memory_budget / workers;
  }

 private:
  const Batch& batch_;
};

// Keeps the report of the lowest sequence.
class FirstInvalid {
 public:
  void report(int64_t sequence, int64_t frame) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (result_.sequence < 0 || sequence < result_.sequence) result_ = {sequence, frame};
  }
  InvalidScore result() const { return result_; }

 private:
  std::mutex mutex_;
  InvalidScore result_;
};

// The columns of the scores that a graph reads, ascending, and for each state the rank of its own among them.
class ColumnsRead {
 public:
  ColumnsRead(const GraphRecord& record, int64_t columns) : rank_(columns, -1), columns_(columns) {
    for (int32_t j = 0; j < record.states; ++j) rank_[record.body[j]] = 0;
    for (int64_t column = 0; column < columns; ++column) {
      if (rank_[column] < 0) continue;
      rank_[column] = count_;
      columns_[count_++] = static_cast<int32_t>(column);
    }
  }
  const int32_t* data() const { return columns_.data(); }
  int32_t count() const { return count_; }
  int32_t rank(int32_t column) const { return rank_[column]; }
  int64_t width() const { return rank_.size(); }  // of the scores

 private:
  Buffer<int32_t> rank_;
  Buffer<int32_t> columns_;
  int32_t count_ = 0;
};

template <class Real>
ScoreScan scan_scores(const ScoreRows<Real>& scores, const ColumnsRead& columns) {
  return kernels_of<Real>().scan(scores, columns.data(), columns.count());
}

}  // namespace streamhmm
