// What stands between two products of dense_product_kernel.cpp: emissions, ends, expected counts.
#include "dense.h"
#include "exponential.h"
#include "kernels.h"
#include "simd.h"

namespace streamhmm {
namespace STREAMHMM_TARGET {
namespace {

// The scores of a frame's states, a vector at a time. `kDirect`: each state has a column of its own, and the vectors
// are full; else `behind` is added to the last one, which is −inf for what lies behind the states.
template <class Real, bool kDirect>
struct FrameScores {
  const Real* scores;
  const int32_t* pdf;
  int64_t states;
  Vec<Real> behind;

  STREAMHMM_KERNEL Vec<Real> at(const FrameScores& f, int64_t first) {
    using V = Vec<Real>;
    if constexpr (kDirect) return V::load(f.scores + first);
    const int64_t left = f.states - first;
    const V all = f.pdf != nullptr    ? V::gather(f.scores, f.pdf + first)
                  : left >= V::kLanes ? V::load(f.scores + first)
                                      : V::load_first(f.scores + first, static_cast<int>(left));
    return left >= V::kLanes ? all : V::add(all, f.behind);
  }
};

// Frames that rows of scores are asked for beforehand: the next block's, which is some work away.
constexpr int64_t kAhead = 16;

// Returns the largest score.
template <class Real, bool kDirect>
STREAMHMM_KERNEL Real emissions_of_frame(const FrameScores<Real, kDirect>& f, int64_t ahead, Real* out) {
  using V = Vec<Real>;
  V highest = V::fill(-ExponentialOf<Real>::kLargest);
  for (int64_t j = 0; j < f.states; j += V::kLanes) {
    __builtin_prefetch(f.scores + ahead + j);
    highest = V::max(highest, FrameScores<Real, kDirect>::at(f, j));
  }
  const Real top = V::largest_lane(highest);
  const V shift = V::fill(-top);
  for (int64_t j = 0; j < f.states; j += V::kLanes) {
    V::store(out + j, exponential<Real>(V::add(FrameScores<Real, kDirect>::at(f, j), shift)));
  }
  return top;
}

template <class Real, bool kDirect>
void emissions_of(const DenseEmissions<Real>& d) {
  using V = Vec<Real>;
  const int64_t row = dense_row_size(d.states);
  Real lanes[V::kLanes];
  for (int lane = 0; lane < V::kLanes; ++lane) {
    lanes[lane] = lane < d.states % V::kLanes ? Real(0) : static_cast<Real>(-__builtin_inf());
  }
  FrameScores<Real, kDirect> f{d.scores, d.pdf, d.states, V::load(lanes)};
  for (int64_t t = 0; t < d.frames; ++t, f.scores += d.stride) {
    const Real top = emissions_of_frame(f, kAhead * d.stride, d.out + t * row);
    d.top[t] = top > -ExponentialOf<Real>::kLargest ? static_cast<double>(top) : 0.0;
  }
}

template <class Real>
void emissions(const DenseEmissions<Real>& d) {
  const bool direct = d.pdf == nullptr && d.states % Vec<Real>::kLanes == 0;
  direct ? emissions_of<Real, true>(d) : emissions_of<Real, false>(d);
}

template <class Real>
Real inner_product(const Real* a, const Real* b, int32_t states) {
  using V = Vec<Real>;
  V sum = V::fill(0);
  for (int64_t j = 0; j < states; j += V::kLanes) sum = V::multiply_add(V::load(a + j), V::load(b + j), sum);
  return V::sum_of_lanes(sum);
}

template <class Real>
Real lowest(const Real* row, int32_t states) {
  using V = Vec<Real>;
  V low = V::fill(ExponentialOf<Real>::kLargest);
  int64_t j = 0;
  for (; j + V::kLanes <= states; j += V::kLanes) low = V::min(low, V::load(row + j));
  Real result = -V::largest_lane(V::mul(low, V::fill(-1)));
  for (; j < states; ++j) result = row[j] < result ? row[j] : result;
  return result;
}

// Rows i … i + kRows − 1 of the counts, kVectors vectors from column `first` on.
template <class Real, int kRows, int kVectors>
STREAMHMM_KERNEL void count_block(const Real* alpha, const Real* emitted, int64_t frames, int64_t row, int64_t i,
                                  int64_t first, Real* counts) {
  using V = Vec<Real>;
  V sum[kRows][kVectors];
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) sum[r][v] = V::fill(0);
  }
  for (int64_t t = 0; t < frames; ++t) {
    V to[kVectors];
    for (int v = 0; v < kVectors; ++v) to[v] = V::load(emitted + t * row + first + v * V::kLanes);
    for (int r = 0; r < kRows; ++r) {
      const V from = V::fill(alpha[t * row + i + r]);
      for (int v = 0; v < kVectors; ++v) sum[r][v] = V::multiply_add(from, to[v], sum[r][v]);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) V::store(counts + (i + r) * row + first + v * V::kLanes, sum[r][v]);
  }
}

template <class Real>
void counts(const Real* alpha, const Real* emitted, int32_t frames, int32_t states, Real* out) {
  constexpr int64_t kLanes = Vec<Real>::kLanes, kWidth = kPanelVectors * kLanes;
  const int64_t row = dense_row_size(states), end = (states + kLanes - 1) / kLanes * kLanes;
  for (int64_t i = 0; i < states; i += 4) {  // rows are padded to a multiple of four and more
    int64_t first = 0;
    for (; first + kWidth <= end; first += kWidth) count_block<Real, 4, 4>(alpha, emitted, frames, row, i, first, out);
    for (; first < end; first += kLanes) count_block<Real, 4, 1>(alpha, emitted, frames, row, i, first, out);
  }
}

template <class Real>
void exponentials_below(const Real* row, Real top, int64_t count, Real* out) {
  using V = Vec<Real>;
  const V shift = V::fill(-top);
  for (int64_t i = 0; i + V::kLanes <= count; i += V::kLanes) {
    V::store(out + i, exponential<Real>(V::add(V::load(row + i), shift)));
  }
  const int64_t left = count % V::kLanes, last = count - left;
  if (left == 0) return;
  const V value = exponential<Real>(V::add(V::load_first(row + last, static_cast<int>(left)), shift));
  V::store_first(out + last, static_cast<int>(left), value);
}

template <class Real>
void fill(KernelsOf<Real>& table) {
  table.dense_emissions = emissions<Real>;
  table.inner_product = inner_product<Real>;
  table.lowest = lowest<Real>;
  table.dense_counts = counts<Real>;
  table.exponentials_below = exponentials_below<Real>;
}

}  // namespace

void fill_dense_rows(Kernels& table) {
  fill(table.single_precision);
  fill(table.double_precision);
}

}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
