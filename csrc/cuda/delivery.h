// Where the posteriors and counts of a sequence go.
#pragma once

#include "summer.h"
#include "summing.h"

namespace streamhmm::cuda {

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

}  // namespace streamhmm::cuda
