// The semi-Markov recursion by ⊕ = log Σ exp, from the left or from the right: a sum is taken relative to its largest
// term. Recursion: ../semi_markov.h.
#pragma once

#include "outgoing.h"
#include "semi_markov_recursion.h"
#include "summer.h"

namespace streamhmm::cuda {

constexpr double kNegligible = -50;  // a term this far below the largest is less than rounding leaves of it

// Σ exp(term − top), for terms that come one after the other, once `top` is the largest of them.
struct LogSum {
  double top;
  double sum = 0;

  __device__ void add(double term) {
    if (term - top > kNegligible) sum += exp(term - top);
  }
  __device__ double log_value() const { return sum > 0 ? top + log(sum) : never<double>(); }
};

// each(use) calls use(term) for every term; it is called twice.
template <class Each>
__device__ LogSum log_sum(const Each& each) {
  LogSum result{never<double>()};
  each([&](double term) { result.top = term > result.top ? term : result.top; });
  if (!is_never(result.top)) each([&](double term) { result.add(term); });
  return result;
}

// With kBack the sequence is taken from its end: border t stands for border T − t, ended is begun, opened is follows.
template <bool kBack>
class SumRecursion : public SegmentState {
 public:
  __device__ SumRecursion(const BatchView& view, const SegmentPlan& plan, int64_t sequence, char* shared,
                          const OutgoingIndex& outgoing)
      : SegmentState(view, plan, sequence, shared), outgoing_(view, sequence, outgoing) {}

  // What has ended at border t.
  __device__ void arrive(int64_t t) {
    const int32_t states = plan_.states;
    for_parts([&](int32_t j, int32_t part) {
      const LogSum found = log_sum([&](const auto& use) {
        for_window(t, t, j, part, [&](double x, double weight, int32_t) { use(x + weight); });
      });
      rows_.partial[2 * part * states + j] = found.top;
      rows_.partial[(2 * part + 1) * states + j] = found.sum;
    });
    __syncthreads();
    for_states([&](int32_t j) {
      LogSum all{never<double>()};
      for (int32_t part = 0; part < plan_.parts; ++part) {
        const double top = rows_.partial[2 * part * states + j];
        all.top = top > all.top ? top : all.top;
      }
      for (int32_t part = 0; part < plan_.parts && !is_never(all.top); ++part) {
        const double top = rows_.partial[2 * part * states + j];
        if (top - all.top > kNegligible) all.sum += rows_.partial[(2 * part + 1) * states + j] * exp(top - all.top);
      }
      rows_.ended[j] = all.log_value() + rows_.total[j];
    });
    __syncthreads();
  }

  // What is opened at border t. A thread knows that of its own states only.
  __device__ void open(int64_t t) {
    for_states([&](int32_t j) {
      rows_.opened[j] = t > 0   ? log_sum([&](const auto& use) { for_arcs(j, use); }).log_value()
                        : kBack ? arcs_.final<double>(j)
                                : arcs_.initial<double>(j);
    });
  }

  // Begins the segments opened at border t and passes the frame behind it, whose scores stand at `frame`.
  __device__ void leave(int64_t t, int64_t frame, double offset) {
    for_states([&](int32_t j) {
      double& total = rows_.total[j];
      if (t % kBlock == 0 && fabs(total) > kMostTotal) {
        add_to_window(t, j, total);
        total = 0;
      }
      x_at(t, j) = rows_.opened[j] - total;
      const double each = score(frame, j) - offset;
      if (is_large(each)) {
        add_to_window(t + 1, j, each);
      } else {
        total += each;
      }
    });
    __syncthreads();
  }

  __device__ double ended(int32_t j) const { return rows_.ended[j]; }
  __device__ double opened(int32_t j) const { return rows_.opened[j]; }
  __device__ double& occupancy(int32_t j) const { return rows_.occupancy[j]; }

  // What is to be taken from the scores of the frame behind border t, the same on every path, so that no logarithm
  // grows with the frames: a whole number, 0 where the opened ones are beyond what P holds.
  __device__ double offset_at(double* scratch) const {
    double most = never<double>();
    for_states([&](int32_t j) { most = fmax(most, rows_.opened[j]); });
    most = block_max(most, scratch);
    return fabs(most) <= kLargestSummed ? rint(most) : 0;
  }

  // log Σ_j exp(ended_T[j] + final[j])
  __device__ double log_likelihood(double* scratch) const {
    LogSum sum{never<double>()};
    for_states([&](int32_t j) { sum.top = fmax(sum.top, rows_.ended[j] + arcs_.final<double>(j)); });
    sum.top = block_max(sum.top, scratch);
    if (is_never(sum.top)) return sum.top;
    for_states([&](int32_t j) { sum.add(rows_.ended[j] + arcs_.final<double>(j)); });
    return sum.top + log(block_sum(sum.sum, scratch));
  }

  template <class Use>
  __device__ void for_each_state(const Use& use) const {
    for_states(use);
  }
  // use(j, place, weight, source) for the arcs into a thread's own states.
  template <class Use>
  __device__ void for_each_arc(int64_t t, const Use& use) const {
    for_states([&](int32_t j) {
      arcs_.into(j, t, [&](int32_t source, int64_t place) { use(j, place, arcs_.weight<double>(place), source); });
    });
  }
  // use(j, d, log Σ exp of the ways to go on with a segment of j that lasts d frames from border t).
  template <class Use>
  __device__ void for_each_duration(int64_t t, const Use& use) const {
    for_parts([&](int32_t j, int32_t part) {
      for_window(t, t, j, part, [&](double x, double weight, int32_t d) { use(j, d, x + weight + rows_.total[j]); });
    });
  }
  __device__ int32_t pdf(int32_t j) const { return arcs_.pdf(j); }

 private:
  static constexpr double kMostTotal = 4096;  // P starts again from 0 beyond: its differences would round

  template <class Use>
  __device__ void for_arcs(int32_t j, const Use& use) const {
    if constexpr (kBack) {
      outgoing_.from(j, 0, [&](int32_t target, int64_t place) { use(rows_.ended[target] + weight(place)); });
    } else {
      arcs_.into(j, 0, [&](int32_t source, int64_t place) { use(rows_.ended[source] + weight(place)); });
    }
  }
  __device__ double weight(int64_t place) const { return arcs_.template weight<double>(place); }

  __device__ void add_to_window(int64_t t, int32_t j, double value) {
    for (int64_t u = window_begin(t); u < t; ++u) x_at(u, j) += value;
  }

  OutgoingView outgoing_;
};

}  // namespace streamhmm::cuda
