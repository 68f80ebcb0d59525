// The recursions of ../forward_backward.h:
//
//   α_t[j] = (Σ_i α_{t−1}[i] · w_ij) · b_j(t)          rows of α are kept
//   B_t[j] = b_j(t) · β_t[j],   β_{t−1}[i] = Σ_j w_ij · B_t[j]
//   γ_t[j] = α_t[j] · β_t[j] / Z,   ξ_t[i, j] = α_{t−1}[i] · w_ij · B_t[j] / Z
//
// A thread has every blockDim-th state: as j going forward, as i going back, so that every sum and every count has one
// owner and one order.
#include <algorithm>

#include "any_sums.h"
#include "fixed_point.h"
#include "scaled.h"

namespace streamhmm::cuda {
namespace {

constexpr int32_t kMostThreads = 256;

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
        limit_(static_cast<Real>(sum.inspection.limit)) {}

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
    return block_total(sum, totals_);
  }
  __device__ Number final(int32_t j) const { return Number::from_log(arcs_.template final<Real>(j)); }

 private:
  __device__ static char* memory_for(const BatchView& view, const Sum& sum, int64_t sequence) {
    return sum.in_shared ? shared_memory() : sum.scratch + sequence * work_bytes(sum.states_wide, view.columns);
  }

 public:
  __host__ __device__ static int64_t work_bytes(int64_t states, int64_t columns) {
    Parts nothing(nullptr);
    nothing.take<Number>(kMostThreads);
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

template <class Number>
__global__ void __launch_bounds__(kMostThreads)
    forward_kernel(BatchView view, Sum sum, Segment segment, SumTargets to) {
  const int64_t b = blockIdx.x;
  if (!sum.selection.takes(view, sum.inspection, b)) return;
  const int64_t length = view.length(b), last = length < segment.last ? length : segment.last;
  if (last <= segment.first) return;
  Summing<Number> work(view, sum, b);
  const auto keep = [&](int64_t t) {
    if (segment.pointers != nullptr) work.copy_out(alpha_row<Number>(sum, segment, b, t));
  };
  int64_t t = segment.first;
  if (t == 0) {
    work.start();
    keep(t++);
  } else {
    work.copy_in(reinterpret_cast<const Number*>(segment.from) + b * sum.states_wide);
  }
  for (; t < last; ++t) {
    work.step(t);
    keep(t);
  }
  work.copy_out(reinterpret_cast<Number*>(segment.to) + b * sum.states_wide);
  if (last == length) {
    const Number total = work.total();
    if (threadIdx.x == 0) {
      reinterpret_cast<Number*>(sum.totals)[b] = total;
      to.log_likelihood[b] = total.log();
    }
  }
  if (work.found() != 0) atomicOr(sum.inspection.flags + b, work.found());
}

// What a sequence's posteriors and counts are written to.
class Delivery {
 public:
  __device__ Delivery(const BatchView& view, const SumTargets& to, int64_t sequence)
      : to_(to), b_(sequence), frames_(view.frames), columns_(view.columns) {
    const Sums& sums = to.sums;
    if (sums.by_pdf_scale != nullptr) scale_ = sums.by_pdf_scale[sequence];
    if (sums.counts != nullptr) {
      counts_ = sums.counts + view.record(sequence).weights_offset + sequence * sums.counts_stride;
    }
  }
  __device__ double* counts() const { return counts_; }
  __device__ bool wants_pdfs() const { return to_.sums.by_pdf != nullptr; }

  __device__ void by_state(int64_t t, int32_t j, double gamma) const {
    if (to_.sums.by_state == nullptr) return;
    put(to_.sums.by_state, (b_ * frames_ + t) * to_.sums.states_wide + j, gamma);
  }
  __device__ void by_pdf(int64_t t, int32_t column, double gamma) const {
    put(to_.sums.by_pdf, (b_ * frames_ + t) * columns_ + column, gamma * scale_);
  }

 private:
  __device__ void put(void* memory, int64_t index, double value) const {
    if (to_.in_double) {
      static_cast<double*>(memory)[index] = value;
    } else {
      static_cast<float*>(memory)[index] = static_cast<float>(value);
    }
  }

  const SumTargets& to_;
  int64_t b_, frames_, columns_;
  double scale_ = 1;
  double* counts_ = nullptr;
};

// Posteriors of frame t, whose β stand in rows().now.
template <class Number>
__device__ void deliver_posteriors(Summing<Number>& work, const Number* alpha, Number total, int64_t t, int64_t columns,
                                   const Delivery& delivery) {
  FixedPoint* by_pdf = work.rows().by_pdf;
  for_each(work.states(), [&](int32_t j) {
    const auto gamma = static_cast<double>(ratio(alpha[j] * work.rows().now[j], total));
    delivery.by_state(t, j, gamma);
    if (delivery.wants_pdfs()) atomicAdd(by_pdf + work.arcs().pdf(j), to_fixed_point(gamma));
  });
  if (!delivery.wants_pdfs()) return;
  __syncthreads();
  for_each(columns, [&](int32_t column) {
    delivery.by_pdf(t, column, from_fixed_point(by_pdf[column]));
    by_pdf[column] = 0;
  });
  __syncthreads();
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

// The counts of the first and the last frame's states.
template <class Number>
__device__ void count_ends(Summing<Number>& work, const GraphRecord& record, const Number* alpha, Number total,
                           bool first, bool last, double* counts) {
  const WeightsLayout at = weights_layout(record);
  for_each(work.states(), [&](int32_t j) {
    const auto gamma = static_cast<double>(ratio(alpha[j] * work.rows().now[j], total));
    if (first) counts[at.initial + j] += gamma;
    if (last) counts[at.final + j] += gamma;
  });
}

// Frames last−1 … first of a segment. `from` of the segment is α of frame first−1.
template <class Number>
__global__ void __launch_bounds__(kMostThreads)
    backward_kernel(BatchView view, Sum sum, Segment segment, SumTargets to) {
  const int64_t b = blockIdx.x;
  if (!sum.selection.takes(view, sum.inspection, b)) return;
  const int64_t length = view.length(b), last = length < segment.last ? length : segment.last;
  if (last <= segment.first) return;
  const Number total = reinterpret_cast<const Number*>(sum.totals)[b];
  if (total.is_zero()) return;  // no path: all stays 0
  Summing<Number> work(view, sum, b);
  const OutgoingView outgoing(view, b, sum.outgoing);
  const Delivery delivery(view, to, b);
  Number* beta = reinterpret_cast<Number*>(sum.betas) + b * sum.states_wide;
  for_each(view.columns, [&](int32_t column) { work.rows().by_pdf[column] = 0; });
  if (last == length) {
    for_each(work.states(), [&](int32_t j) { work.rows().now[j] = work.final(j); });
    __syncthreads();
  } else {
    work.copy_in(beta);
  }
  for (int64_t t = last - 1; t >= segment.first; --t) {
    const Number* alpha = alpha_row<Number>(sum, segment, b, t);
    deliver_posteriors(work, alpha, total, t, view.columns, delivery);
    if (delivery.counts() != nullptr && (t == 0 || t == length - 1)) {
      count_ends(work, view.record(b), alpha, total, t == 0, t == length - 1, delivery.counts());
    }
    if (t == 0) break;
    const Number* before = t > segment.first ? alpha - sum.states_wide
                                             : reinterpret_cast<const Number*>(segment.from) + b * sum.states_wide;
    step_back(work, outgoing, before, total, t, delivery.counts());
  }
  work.copy_out(beta);
}

template <class Number>
class AnySummer : public Summer {
 public:
  AnySummer(const DeviceBatch& batch, const GraphSizes& sizes, const Inspection& inspection,
            const OutgoingIndex& outgoing, const Selection& selection)
      : batch_(batch), work_bytes_(Summing<Number>::work_bytes(sizes.states, batch.batch.columns)) {
    const bool in_shared = work_bytes_ <= static_cast<int64_t>(card_of(batch.device).shared_bytes);
    sum_ = {inspection, outgoing, selection, sizes.states, in_shared, nullptr, nullptr, nullptr};
    while (threads_ < sizes.states && threads_ < kMostThreads) threads_ *= 2;
  }

  int64_t rows_bytes(int64_t frames) const override { return frames * saved_bytes(); }
  int64_t saved_bytes() const override { return batch_.batch.batch * sum_.states_wide * sizeof(Number); }
  int64_t carried_bytes() const override {
    Parts nothing(nullptr);
    carried(nothing);
    return nothing.used();
  }
  int64_t scratch_bytes() const override { return sum_.in_shared ? 0 : batch_.batch.batch * work_bytes_; }

  void forward(const Segment& segment, const SumTargets& to, char* carried, char* scratch) const override {
    start(forward_kernel<Number>, segment, to, carried, scratch);
  }
  void backward(const Segment& segment, const SumTargets& to, char* carried, char* scratch) const override {
    start(backward_kernel<Number>, segment, to, carried, scratch);
  }

 private:
  Sum carried(Parts& memory) const {
    Sum sum = sum_;
    sum.totals = reinterpret_cast<char*>(memory.take<Number>(batch_.batch.batch));
    sum.betas = memory.take<char>(saved_bytes());
    return sum;
  }
  void start(void (*kernel)(BatchView, Sum, Segment, SumTargets), const Segment& segment, const SumTargets& to,
             char* memory, char* scratch) const {
    Parts parts(memory);
    Sum sum = carried(parts);
    sum.scratch = scratch;
    launch(kernel, dim3(static_cast<unsigned>(batch_.batch.batch)), dim3(static_cast<unsigned>(threads_)),
           sum.in_shared ? static_cast<size_t>(work_bytes_) : 0, batch_.stream, BatchView::of(batch_), sum, segment,
           to);
  }

  DeviceBatch batch_;
  int64_t work_bytes_;
  Sum sum_;
  int32_t threads_ = kWarp;
};

}  // namespace

std::unique_ptr<Summer> any_summer(const DeviceBatch& batch, const GraphSizes& sizes, const Inspection& inspection,
                                   const OutgoingIndex& outgoing, const Selection& selection, SumNumbers numbers) {
  if (numbers == SumNumbers::scaled_float) {
    return std::make_unique<AnySummer<Scaled<float>>>(batch, sizes, inspection, outgoing, selection);
  }
  if (numbers == SumNumbers::scaled_double) {
    return std::make_unique<AnySummer<Scaled<double>>>(batch, sizes, inspection, outgoing, selection);
  }
  return std::make_unique<AnySummer<LogNumber>>(batch, sizes, inspection, outgoing, selection);
}

}  // namespace streamhmm::cuda
