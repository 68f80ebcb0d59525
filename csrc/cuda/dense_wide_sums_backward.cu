#include "dense_wide_summing.h"

namespace streamhmm::cuda {
namespace {

class WideSumBackward : public WideSumming {
 public:
  __device__ WideSumBackward(const BatchView& view, const WideSum& sum, const Segment& segment,
                             const WideSumCarried& carried, const SumRows& rows)
      : WideSumming(view, sum, segment, carried, carried.back), rows_(rows) {}

  __device__ void run(int32_t round) {
    grid_.choose(view_, round, segment_.last);
    begin_tops();
    for (int64_t t = grid_.until() - 1; t >= segment_.first; --t) {
      start_those_that_end(t);
      grid_.wait();
      if (t > 0 && t < grid_.own_until()) step(t);
    }
    grid_.wait();
  }

 private:
  // β in the last frame of a sequence, or of the segment.
  __device__ void start_those_that_end(int64_t t) {
    bool any = false;
    for (int32_t q = 0; q < grid_.count(); ++q) any |= grid_.end(q) == t + 1;
    if (!any) return;
    grid_.for_each_result([&](int32_t q, int32_t i) {
      if (grid_.end(q) != t + 1) return;
      const int64_t b = grid_.sequence(q);
      const bool is_last = grid_.length(q) == t + 1;
      const float carried = is_last ? 0.0f : carried_.beta[b * sum_.shape.row + i];
      const bool ends = is_last && i < sum_.states;
      put(q, i, t, ends ? relative(graph_.final<float>(i), carried_.weights->final) : carried);
    });
    end_tops(carried_.weighed_top, t);
  }

  // From B_t to β_{t−1}.
  __device__ void step(int64_t t) {
    const int32_t row = sum_.shape.row;
    product_.compute({carried_.weighed + (grid_.sequence(0) * 2 + t % 2) * row, 2 * row, grid_.count()}, NoShift{});
    const bool leaves = t == segment_.first;
    grid_.for_each_result([&](int32_t q, int32_t i) {
      if (t >= grid_.length(q)) return;
      const int64_t b = grid_.sequence(q);
      const float value =
          product_.result(q, i - grid_.first_column()) * scale_of(carried_.weighed_top + b * view_.frames + t);
      if (leaves) {
        carried_.beta[b * row + i] = value;
      } else {
        put(q, i, t - 1, value);
      }
    });
    if (!leaves) end_tops(carried_.weighed_top, t - 1);
  }

  // β_t[i], and B_t[i].
  __device__ void put(int32_t q, int32_t i, int64_t t, float beta) {
    const int64_t b = grid_.sequence(q);
    rows_.beta[rows_.at(b, t) + i] = beta;
    const float weighed = i < sum_.states ? beta * emission(b, t, i) : 0.0f;
    carried_.weighed[(b * 2 + t % 2) * sum_.shape.row + i] = weighed;
    note(q, weighed);
    if (t > 0 && i < sum_.states) view_.scores.prefetch_at(view_.row(b, t - 1) + graph_.pdf(i));
  }

  const SumRows& rows_;
};

}  // namespace

void wide_sum_backward(const DeviceBatch& batch, const WideSum& sum, const Segment& segment, char* carried) {
  Parts parts = Parts::within(segment.pointers);
  const int64_t depth = segment.last - segment.first;
  start_wide_sum<WideSumBackward>(batch, sum, segment, carried,
                                  SumRows(parts, batch.batch.batch, segment.first, depth, sum.shape.row, true));
}

}  // namespace streamhmm::cuda
