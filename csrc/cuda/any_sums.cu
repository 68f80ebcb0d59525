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
#include "delivery.h"
#include "draws.h"
#include "windows.h"

namespace streamhmm::cuda {
namespace {

template <class Number>
__global__ void __launch_bounds__(kMostSummingThreads)
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
__global__ void __launch_bounds__(kMostSummingThreads)
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
class AnySummer : public AnySums {
 public:
  AnySummer(const DeviceBatch& batch, const GraphSizes& sizes, const Inspection& inspection,
            const OutgoingIndex& outgoing, const Selection& selection)
      : batch_(batch), work_bytes_(Summing<Number>::work_bytes(sizes.states, batch.batch.columns)) {
    const bool in_shared = work_bytes_ <= static_cast<int64_t>(card_of(batch.device).shared_bytes);
    sum_ = {inspection, outgoing, selection, sizes.states, in_shared, nullptr, nullptr, nullptr};
    while (threads_ < sizes.states && threads_ < kMostSummingThreads) threads_ *= 2;
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
    start(forward_kernel<Number>, 1, carried, scratch, segment, to);
  }
  void backward(const Segment& segment, const SumTargets& to, char* carried, char* scratch) const override {
    start(backward_kernel<Number>, 1, carried, scratch, segment, to);
  }
  void smooth(const Segment& segment, const Window& window, const SumTargets& to, char* carried,
              char* scratch) const override {
    const int64_t blocks = sum_.in_shared ? std::min<int64_t>(segment.last - segment.first, kMostBlocks) : 1;
    start(smooth_kernel<Number>, blocks, carried, scratch, segment, to, window);
  }
  void draw(const Segment& segment, const Samples& samples, int32_t* current, char* carried) const override {
    start(draw_kernel<Number>, 1, carried, nullptr, segment, samples, current);
  }

 private:
  static constexpr int64_t kMostBlocks = 1024;  // of a sequence

  Sum carried(Parts& memory) const {
    Sum sum = sum_;
    sum.totals = reinterpret_cast<char*>(memory.take<Number>(batch_.batch.batch));
    sum.betas = memory.take<char>(saved_bytes());
    return sum;
  }

  template <class Kernel, class... Arguments>
  void start(Kernel kernel, int64_t blocks, char* memory, char* scratch, const Arguments&... arguments) const {
    Parts parts(memory);
    Sum sum = carried(parts);
    sum.scratch = scratch;
    const dim3 grid(static_cast<unsigned>(batch_.batch.batch), static_cast<unsigned>(blocks));
    launch(kernel, grid, dim3(static_cast<unsigned>(threads_)), sum.in_shared ? static_cast<size_t>(work_bytes_) : 0,
           batch_.stream, BatchView::of(batch_), sum, arguments...);
  }

  DeviceBatch batch_;
  int64_t work_bytes_;
  Sum sum_;
  int32_t threads_ = kWarp;
};

}  // namespace

std::unique_ptr<AnySums> any_summer(const DeviceBatch& batch, const GraphSizes& sizes, const Inspection& inspection,
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
