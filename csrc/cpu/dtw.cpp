// The driver of dynamic time warping: one pair of the batch after the other, over threads.
#include "../dtw.h"

#include <mutex>

#include "dtw_warper.h"
#include "thread_pool.h"

namespace streamhmm {
namespace {

constexpr double kForbidden = std::numeric_limits<double>::infinity();

// Keeps the report of the lowest sequence.
class FirstInvalidCost {
 public:
  void report(const InvalidCost& found) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (result_.sequence < 0 || found.sequence < result_.sequence) result_ = found;
  }
  InvalidCost result() const { return result_; }

 private:
  std::mutex mutex_;
  InvalidCost result_;
};

// One pair: its sizes and where its results go.
struct Pair {
  int64_t index;
  int64_t rows;
  int64_t columns;
};

Pair pair_of(const DtwBatch& batch, int64_t b) {
  return {b, batch.x_lengths != nullptr ? batch.x_lengths[b] : batch.rows,
          batch.y_lengths != nullptr ? batch.y_lengths[b] : batch.columns};
}

// The first invalid cost inside the band, from a row on.
template <class Real>
InvalidCost find_invalid(const DtwBatch& batch, const MatrixCosts<Real>& costs, const Pair& pair, int64_t row) {
  const BandRows band(batch.band, pair.rows, pair.columns);
  for (int64_t i = row; i < pair.rows; ++i) {
    const Columns inside = band.at(i);
    for (int64_t j = inside.first; j < inside.last; ++j) {
      if (!(costs.row(i)[j] > -std::numeric_limits<Real>::infinity())) return {pair.index, i, j};
    }
  }
  return {};
}

double frames_spanned(const DtwBatch& batch, const Pair& pair, const DtwResult& result) {
  const int64_t capacity = batch.rows + batch.columns - 1;
  const int64_t* end = result.path + (pair.index + 1) * capacity * 2;
  const int64_t* begin = end - 2 * result.path_size[pair.index];
  return frames_of(kStepPatterns[batch.pattern].per_frame, pair.rows, end[-1] - begin[1] + 1);
}

template <class Real, class Costs>
int64_t warp_pair(const DtwBatch& batch, Costs& costs, const Pair& pair, const DtwResult& result) {
  const int64_t workers = std::max<int64_t>(std::min<int64_t>(batch.threads, batch.batch), 1);
  const int64_t capacity = batch.rows + batch.columns - 1;
  PathWriter path(result.path + pair.index * capacity * 2, capacity);
  Warper<Real, Costs> warper(batch, costs, pair.rows, pair.columns, batch.memory_budget / workers);
  const double distance = warper.find(path);
  result.path_size[pair.index] = path.size();
  result.distance[pair.index] = distance;
  if (path.size() > 0) result.normalized[pair.index] = distance / frames_spanned(batch, pair, result);
  return warper.invalid_row();
}

template <class Real>
InvalidCost dtw_batch(const DtwBatch& batch, const DtwResult& result) {
  FirstInvalidCost invalid;
  parallel_for(batch.batch, batch.threads, [&](int64_t b) {
    const Pair pair = pair_of(batch, b);
    result.path_size[b] = 0;
    result.distance[b] = kForbidden;
    result.normalized[b] = kForbidden / frames_of(kStepPatterns[batch.pattern].per_frame, 1, 1);
    if (pair.rows == 0 || pair.columns == 0) return;
    const Real* x = static_cast<const Real*>(batch.x) + b * batch.x_batch_stride;
    if (batch.y != nullptr) {
      const Real* y = static_cast<const Real*>(batch.y) + b * batch.y_batch_stride;
      FeatureCosts<Real> costs(batch, x, pair.rows, y, pair.columns);
      warp_pair<Real>(batch, costs, pair, result);
    } else {
      MatrixCosts<Real> costs(x, batch.x_stride);
      const int64_t row = warp_pair<Real>(batch, costs, pair, result);
      if (row >= 0) invalid.report(find_invalid(batch, costs, pair, row));
    }
  });
  return invalid.result();
}

}  // namespace

InvalidCost dtw(const DtwBatch& batch, const DtwResult& result) {
  return batch.is_double ? dtw_batch<double>(batch, result) : dtw_batch<float>(batch, result);
}

int64_t ends_at(const double* last_row, int64_t first, int64_t last, int64_t rows, PerFrame per_frame,
                bool open_begin) {
  const bool divide = per_frame == PerFrame::both && !open_begin;
  double least = kForbidden;
  int64_t column = -1;
  for (int64_t j = first; j < last; ++j) {
    const double cost = divide ? last_row[j] / frames_of(per_frame, rows, j + 1) : last_row[j];
    if (cost < least) {
      least = cost;
      column = j;
    }
  }
  return column;
}

}  // namespace streamhmm
