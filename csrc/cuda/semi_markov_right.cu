// Semi-Markov sums: the pass from the right, and what follows from both. Recursion: ../semi_markov.h.
#include "delivery.h"
#include "semi_markov_sum_recursion.h"
#include "semi_markov_sums.h"

namespace streamhmm::cuda {
namespace {

constexpr int32_t kMostThreads = 512;
constexpr double kNothing = -700;  // logarithm of what is no count

__device__ double probability(double logarithm) { return logarithm > kNothing ? exp(logarithm) : 0; }

// One sequence. A thread has its own states in everything but the durations.
class SegmentPosteriors {
 public:
  __device__ SegmentPosteriors(const BatchView& view, const SegmentSums& sums, const SumBorders& borders, int64_t b)
      : sums_(sums),
        borders_(borders),
        b_(b),
        frames_(view.length(b)),
        columns_(view.columns),
        total_(sums.totals[b]),
        at_(weights_layout(view.record(b))),
        delivery_(view, sums.to, b),
        by_pdf_(sums.columns_in_shared ? columns_in_shared(view) : sums.columns + b * view.columns),
        right_(view, sums.plan, b, shared_memory() + sums.scratch_bytes, sums.outgoing) {}

  __device__ void run() {
    int64_t t = frames_ < borders_.last ? frames_ : borders_.last - 1;
    if (t == frames_) {
      right_.start();
      right_.for_each_state([&](int32_t j) { right_.occupancy(j) = 0; });
    } else {
      right_.restore(frames_ - t, sums_.carried);
      right_.for_each_state([&](int32_t j) { right_.occupancy(j) = sums_.occupancies[b_ * sums_.plan.states + j]; });
    }
    clear_columns();
    for (; t >= borders_.first; --t) {
      right_.arrive(frames_ - t);
      if (t < frames_) begin_segments(t);
      if (t == 0) return;
      right_.open(frames_ - t);
      end_segments(t);
      deliver(t - 1);
      right_.leave(frames_ - t, t - 1, (t - 1) % kBlock == 0 ? sums_.offset(b_, t - 1) : 0);
    }
    right_.save(frames_ - t, sums_.carried);
    right_.for_each_state([&](int32_t j) { sums_.occupancies[b_ * sums_.plan.states + j] = right_.occupancy(j); });
  }

 private:
  __device__ FixedPoint* columns_in_shared(const BatchView& view) const {
    Parts shared(shared_memory());
    return shared.take<FixedPoint>(delivery_.wants_pdfs() ? view.columns : 0);
  }
  __device__ const double* row(int64_t t, SumBorders::Row which) const {
    return borders_.row(b_, sums_.plan.states, t, which);
  }

  // begins_t, and the counts of what passes border t.
  __device__ void begin_segments(int64_t t) {
    const double* opened = row(t, SumBorders::kOpened);
    double* counts = delivery_.counts();
    right_.for_each_state([&](int32_t j) {
      const double begins = probability(opened[j] + right_.ended(j) - total_);
      right_.occupancy(j) -= begins;
      if (t == 0 && counts != nullptr) counts[at_.initial + j] += begins;
    });
    if (sums_.segment_counts != nullptr) {
      double* to = sums_.segment_counts + b_ * sums_.longest_given * sums_.plan.states;
      right_.for_each_duration(frames_ - t, [&](int32_t j, int32_t d, double goes_on) {
        const double count = probability(opened[j] + goes_on - total_);
        if (count > 0) to[int64_t{d - 1} * sums_.plan.states + j] += count;
      });
      __syncthreads();  // all have read what leave() writes over
    }
    if (t == 0 || counts == nullptr) return;
    const double* ended = row(t, SumBorders::kEnded);
    right_.for_each_arc(t, [&](int32_t j, int64_t place, double weight, int32_t source) {
      const double count = probability(ended[source] + weight + right_.ended(j) - total_);
      if (count > 0) counts[place] += count;
    });
  }

  // ends_t, and with it the occupancy of frame t−1.
  __device__ void end_segments(int64_t t) {
    const double* ended = row(t, SumBorders::kEnded);
    right_.for_each_state([&](int32_t j) {
      const double ends = probability(ended[j] + right_.opened(j) - total_);
      const double occupancy = right_.occupancy(j) + ends;  // rounding may carry it past either end
      right_.occupancy(j) = fmin(fmax(occupancy, 0.0), 1.0);
      if (t == frames_ && delivery_.counts() != nullptr) delivery_.counts()[at_.final + j] += ends;
    });
  }

  __device__ void deliver(int64_t frame) const {
    right_.for_each_state([&](int32_t j) {
      delivery_.by_state(frame, j, right_.occupancy(j));
      if (delivery_.wants_pdfs()) atomicAdd(by_pdf_ + right_.pdf(j), to_fixed_point(right_.occupancy(j)));
    });
    if (!delivery_.wants_pdfs()) return;
    __syncthreads();
    for (int64_t column = threadIdx.x; column < columns_; column += blockDim.x) {
      delivery_.by_pdf(frame, column, from_fixed_point(by_pdf_[column]));
      by_pdf_[column] = 0;
    }
    __syncthreads();
  }

  __device__ void clear_columns() const {
    if (!delivery_.wants_pdfs()) return;
    for (int64_t column = threadIdx.x; column < columns_; column += blockDim.x) by_pdf_[column] = 0;
    __syncthreads();
  }

  const SegmentSums& sums_;
  const SumBorders& borders_;
  int64_t b_, frames_, columns_;
  double total_;
  WeightsLayout at_;
  Delivery delivery_;
  FixedPoint* by_pdf_;
  SumRecursion<true> right_;
};

// A block a sequence.
__global__ void __launch_bounds__(kMostThreads) right_kernel(BatchView view, SegmentSums sums, SumBorders borders) {
  const int64_t b = blockIdx.x;
  if (!sums.plan.takes(view, b) || view.length(b) < borders.first || is_never(sums.totals[b])) return;
  SegmentPosteriors(view, sums, borders, b).run();
}

}  // namespace

void sum_from_right(const DeviceBatch& batch, const SegmentSums& sums, const SumBorders& borders) {
  launch(right_kernel, dim3(static_cast<unsigned>(batch.batch.batch)), dim3(sums.plan.threads()),
         shared_bytes(sums.plan, sums.scratch_bytes), batch.stream, BatchView::of(batch), sums, borders);
}

}  // namespace streamhmm::cuda
