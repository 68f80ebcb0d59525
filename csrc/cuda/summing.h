// A sequence's sums over paths in a block of threads, frame by frame; shared by the kernels for any graph.
#pragma once

#include "fixed_point.h"
#include "outgoing.h"
#include "path_finder.h"
#include "scaled.h"

namespace streamhmm::cuda {

constexpr int32_t kMostSummingThreads = 256;

// What the kernels know beside the batch.
struct Sum {
  Inspection inspection;
  OutgoingIndex outgoing;
  Selection selection;
  int64_t states_wide;
  bool in_shared;  // rows at work stand in shared memory, else in `scratch`
  char* scratch;
  char* totals;  // (batch) Z
  char* betas;   // (batch, states_wide)
};

// Two rows of numbers, and for each column of the scores its posterior.
template <class Number>
struct Rows {
  Number* now;
  Number* next;
  FixedPoint* by_pdf;

  __host__ __device__ Rows(Parts& memory, int64_t states, int64_t columns) {
    now = memory.take<Number>(states);
    next = memory.take<Number>(states);
    by_pdf = memory.take<FixedPoint>(columns);
  }
  __device__ void swap() {
    Number* before = now;
    now = next;
    next = before;
  }
};

template <class Use>
__device__ void for_each(int64_t count, const Use& use) {
  for (auto i = static_cast<int32_t>(threadIdx.x); i < count; i += static_cast<int32_t>(blockDim.x)) use(i);
}

// The sum over the block's threads, to all of them.
template <class Number>
__device__ Number block_total(Number value, Number* scratch) {
  scratch[threadIdx.x] = value;
  for (uint32_t half = blockDim.x / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) scratch[threadIdx.x] = scratch[threadIdx.x] + scratch[threadIdx.x + half];
  }
  __syncthreads();
  value = scratch[0];
  __syncthreads();
  return value;
}

// A sequence in a block of threads.
template <class Number>
class Summing {
 public:
  using Real = typename Number::Real;

  __device__ Summing(const BatchView& view, const Sum& sum, int64_t sequence)
      : view_(view),
        sum_(sum),
        b_(sequence),
        arcs_(view.record(sequence), view.weights, sum.inspection.extras_of(view, sequence)),
        memory_(memory_for(view, sum, sequence)),
        totals_(memory_.take<Number>(blockDim.x)),
        rows_(memory_, sum.states_wide, view.columns),
        limit_(static_cast<Real>(Number::kLimited ? sum.inspection.limit : __builtin_inf())) {}

  __device__ int32_t states() const { return arcs_.states(); }
  __device__ Rows<Number>& rows() { return rows_; }
  __device__ const ArcsView& arcs() const { return arcs_; }
  __device__ uint32_t found() const { return found_; }

  // b_j(t). Scores that are not summed stand as 1, so that nothing overflows before the sequence is given up.
  __device__ Number emission(int64_t t, int32_t j) {
    const Real score = view_.scores.at<Real>(view_.row(b_, t) + arcs_.pdf(j));
    const uint32_t wrong = flags_for(score, limit_);
    found_ |= wrong;
    return Number::from_log(wrong == 0 ? score : Real(0));
  }
  __device__ Number weight(int64_t place) const { return Number::from_log(arcs_.weight<Real>(place)); }

  __device__ void start() {
    for_each(states(),
             [&](int32_t j) { rows_.now[j] = Number::from_log(arcs_.template initial<Real>(j)) * emission(0, j); });
    __syncthreads();
  }
  __device__ void step(int64_t t) {
    for_each(states(), [&](int32_t j) {
      Number sum = Number::zero();
      arcs_.into(j, t, [&](int32_t i, int64_t place) { sum = sum + rows_.now[i] * weight(place); });
      rows_.next[j] = sum * emission(t, j);
    });
    __syncthreads();
    rows_.swap();
  }
  __device__ void copy_in(const Number* from) {
    for_each(states(), [&](int32_t j) { rows_.now[j] = from[j]; });
    __syncthreads();
  }
  __device__ void copy_out(Number* to) const {
    for_each(states(), [&](int32_t j) { to[j] = rows_.now[j]; });
  }
  // Z, to all threads.
  __device__ Number total() {
    Number sum = Number::zero();
    for_each(states(), [&](int32_t j) { sum = sum + rows_.now[j] * final(j); });
    return over_block(sum);
  }
  // The sum over the block's threads, to all of them.
  __device__ Number over_block(Number part) { return block_total(part, totals_); }
  __device__ Number final(int32_t j) const { return Number::from_log(arcs_.template final<Real>(j)); }

 private:
  __device__ static char* memory_for(const BatchView& view, const Sum& sum, int64_t sequence) {
    return sum.in_shared ? shared_memory() : sum.scratch + sequence * work_bytes(sum.states_wide, view.columns);
  }

 public:
  __host__ __device__ static int64_t work_bytes(int64_t states, int64_t columns) {
    Parts nothing(nullptr);
    nothing.take<Number>(kMostSummingThreads);
    Rows<Number>(nothing, states, columns);
    return nothing.used();
  }

 private:
  const BatchView& view_;
  const Sum& sum_;
  int64_t b_;
  ArcsView arcs_;
  Parts memory_;
  Number* totals_;
  Rows<Number> rows_;
  Real limit_;
  uint32_t found_ = 0;
};

// Rows of α of a segment: (batch, frames, states_wide).
template <class Number>
__device__ Number* alpha_row(const Sum& sum, const Segment& segment, int64_t b, int64_t t) {
  const int64_t frames = segment.last - segment.first;
  return reinterpret_cast<Number*>(segment.pointers) + (b * frames + t - segment.first) * sum.states_wide;
}

// From β_t in rows().now to β_{t−1}, and the counts of the arcs between them; `before` is α_{t−1}.
template <class Number>
__device__ void step_back(Summing<Number>& work, const OutgoingView& outgoing, const Number* before, Number total,
                          int64_t t, double* counts) {
  Rows<Number>& rows = work.rows();
  for_each(work.states(), [&](int32_t j) { rows.now[j] = rows.now[j] * work.emission(t, j); });
  __syncthreads();
  for_each(work.states(), [&](int32_t i) {
    Number sum = Number::zero();
    outgoing.from(i, t, [&](int32_t j, int64_t place) {
      const Number term = work.weight(place) * rows.now[j];
      sum = sum + term;
      if (counts != nullptr) counts[place] += static_cast<double>(ratio(before[i] * term, total));
    });
    rows.next[i] = sum;
  });
  __syncthreads();
  rows.swap();
}

}  // namespace streamhmm::cuda
