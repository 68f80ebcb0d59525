// The parts of the semi-Markov kernels that max and log Σ exp share. Recursion: ../semi_markov.h.
#pragma once

#include "octet.h"

namespace streamhmm {
namespace STREAMHMM_TARGET {

constexpr int64_t kRowsAtOnce = Octet::kParts == 1 ? 8 : Octet::kParts == 2 ? 4 : 2;  // as many as fit the registers

// Where X of border t lies.
STREAMHMM_KERNEL int64_t open_place(const SemiMarkov& m, int32_t group, int64_t t) {
  return (group * m.rows + (t - m.first)) * kOctet;
}
STREAMHMM_KERNEL int64_t duration_place(const SemiMarkov& m, int32_t group, int64_t duration) {
  return (group * (m.longest + kBlock) + duration - 1) * kOctet;
}
// The first border whose X a segment that ends at t can have begun at.
STREAMHMM_KERNEL int64_t window_begin(const SemiMarkov& m, int64_t t) {
  const int64_t begin = t - m.longest;
  return begin < m.first ? m.first : begin;
}

// window[k] = ⊕_{u < t} (open_u ⊗ durations_{t+k−u}). Reduction has start() and add(sum, open, duration).
template <class Reduction>
STREAMHMM_KERNEL void fill_window(const SemiMarkov& m, int64_t t, const double* open, const double* durations) {
  const int64_t begin = window_begin(m, t), count = t - begin;
  for (int32_t g = 0; g < m.groups; ++g) {
    double* window = m.window + g * kBlock * kOctet;
    for (int64_t row = 0; row < kBlock; row += kRowsAtOnce) {
      const double* x = open + open_place(m, g, begin);
      const double* weight = durations + duration_place(m, g, count + row);
      Octet sum[kRowsAtOnce];
      for (int64_t k = 0; k < kRowsAtOnce; ++k) sum[k] = Reduction::start();
      for (int64_t i = 0; i < count; ++i, x += kOctet, weight -= kOctet) {
        const Octet opened = load(x);
        for (int64_t k = 0; k < kRowsAtOnce; ++k) {
          sum[k] = Reduction::add(sum[k], opened, load(weight + k * kOctet));
        }
      }
      for (int64_t k = 0; k < kRowsAtOnce; ++k) store(window + (row + k) * kOctet, sum[k]);
    }
  }
}

// The same for one more X, that of border t, and the borders after it.
template <class Reduction>
STREAMHMM_KERNEL void extend_window(const SemiMarkov& m, int64_t t, int32_t group, const Octet& opened,
                                    const double* durations) {
  double* window = m.window + group * kBlock * kOctet;
  const int64_t place = t - m.block;
  const double* weight = durations + duration_place(m, group, 1);
  for (int64_t k = place + 1; k < kBlock; ++k, weight += kOctet) {
    store(window + k * kOctet, Reduction::add(load(window + k * kOctet), opened, load(weight)));
  }
}

STREAMHMM_KERNEL bool is_large(double score) { return !(__builtin_fabs(score) <= kLargestSummed); }

STREAMHMM_KERNEL bool any_large(const Octet& scores) {
  const Octet largest = fill(kLargestSummed);
  return (not_less(largest, scores) & not_less(scores, fill(0.0) - largest)) != 0xff;
}

// The scores of a group at frame t that may be summed into P; others become 0 there, and `pass` deals with them.
template <class Pass>
STREAMHMM_KERNEL Octet without_large(const Octet& scores, Pass pass) {
  double lanes[kOctet];
  store(lanes, scores);
  for (int32_t lane = 0; lane < kOctet; ++lane) {
    if (!is_large(lanes[lane])) continue;
    pass(lane, lanes[lane]);
    lanes[lane] = 0;
  }
  return load(lanes);
}

}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
