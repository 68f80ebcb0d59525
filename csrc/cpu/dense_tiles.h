// The sequences of a batch that share one dense graph, in tiles that advance together: sequences of like length side by
// side, as many tiles as there are threads at least.
#pragma once

#include <algorithm>
#include <vector>

#include "../graph.h"
#include "batch_rows.h"
#include "dense.h"

namespace streamhmm {

inline bool shares_dense_graph(const Batch& batch) {
  if (batch.batch < 1 || graph_count(batch) != 1) return false;
  const GraphRecord record = graph_record(batch, 0);
  return record.family == Family::dense && record.detail == 0;
}

template <class Real>
class DenseTiles {
 public:
  explicit DenseTiles(const Batch& batch) : rows_(batch) {
    for (int64_t b = 0; b < batch.batch; ++b) {
      if (frames(b) > 0) order_.push_back(b);
    }
    std::stable_sort(order_.begin(), order_.end(), [this](int64_t a, int64_t b) { return frames(a) > frames(b); });
    const int64_t threads = std::max(batch.threads, 1), sequences = static_cast<int64_t>(order_.size());
    width_ = std::clamp<int64_t>((sequences + threads - 1) / threads, 1, kDenseTile);
  }

  int64_t count() const { return (static_cast<int64_t>(order_.size()) + width_ - 1) / width_; }
  const int64_t* sequences(int64_t tile) const { return order_.data() + tile * width_; }
  int size(int64_t tile) const {
    return static_cast<int>(std::min<int64_t>(width_, static_cast<int64_t>(order_.size()) - tile * width_));
  }

 private:
  int64_t frames(int64_t b) const { return rows_.sequence(b).frames; }

  BatchRows<Real> rows_;
  std::vector<int64_t> order_;
  int64_t width_ = 1;
};

}  // namespace streamhmm
