// The semi-Markov recursion by max. Recursion and order of operations: ../semi_markov.h.
#include "../semi_markov.h"
#include "kernels.h"
#include "semi_markov_window.h"

namespace streamhmm {
namespace STREAMHMM_TARGET {
namespace {

struct Best {
  STREAMHMM_KERNEL Octet start() { return fill(-kInfinity); }
  STREAMHMM_KERNEL Octet add(const Octet& sum, const Octet& opened, const Octet& weight) {
    return larger(sum, opened + weight);
  }
};

void begin_block(SemiMarkov& m, int64_t t) {
  m.block = t;
  fill_window<Best>(m, t, m.open, m.durations);
}

// opened[j] = max_i (ended[i] + w_ij)
STREAMHMM_KERNEL void pass_matrix(const SemiMarkov& m, const double* ended, double* opened) {
  const int64_t width = m.padded();
  for (int32_t g = 0; g < m.groups; ++g) {
    const double* weight = m.arcs.matrix + g * kOctet;
    Octet best[4] = {fill(-kInfinity), fill(-kInfinity), fill(-kInfinity), fill(-kInfinity)};
    int64_t i = 0;
    for (; i + 4 <= m.states; i += 4, weight += 4 * width) {
      for (int64_t k = 0; k < 4; ++k) best[k] = larger(best[k], fill(ended[i + k]) + load(weight + k * width));
    }
    for (; i < m.states; ++i, weight += width) best[0] = larger(best[0], fill(ended[i]) + load(weight));
    store(opened + g * kOctet, larger(larger(best[0], best[1]), larger(best[2], best[3])));
  }
}

STREAMHMM_KERNEL void pass_list(const SemiMarkov& m, const double* ended, double* opened) {
  const SegmentArcs& arcs = m.arcs;
  for (int32_t j = 0; j < m.states; ++j) {
    double best = -kInfinity;
    for (int32_t k = arcs.begin[j]; k < arcs.begin[j + 1]; ++k) {
      const double total = ended[arcs.source[k]] + arcs.weight[k];
      best = total > best ? total : best;
    }
    opened[j] = best;
  }
  for (int64_t j = m.states; j < m.padded(); ++j) opened[j] = -kInfinity;
}

void arrive(SemiMarkov& m, int64_t t, double* in_window, double* ended, double* opened) {
  for (int32_t g = 0; g < m.groups; ++g) {
    const Octet best = load(m.window + (g * kBlock + t - m.block) * kOctet);
    store(in_window + g * kOctet, best);
    store(ended + g * kOctet, best + load(m.total + g * kOctet));
  }
  if (opened == nullptr) return;
  if (t == 0) {
    for (int32_t g = 0; g < m.groups; ++g) store(opened + g * kOctet, load(m.initial + g * kOctet));
  } else if (m.arcs.matrix != nullptr) {
    pass_matrix(m, ended, opened);
  } else {
    pass_list(m, ended, opened);
  }
}

// A score that P does not hold: added to every X that frame t has open.
void pass_large(const SemiMarkov& m, int64_t t, int32_t group, int32_t lane, double score) {
  double* x = m.open + open_place(m, group, window_begin(m, t + 1)) + lane;
  const double* end = m.open + open_place(m, group, t + 1);
  for (; x < end; x += kOctet) *x += score;
  double* window = m.window + group * kBlock * kOctet + lane;
  for (int64_t k = t - m.block + 1; k < kBlock; ++k) window[k * kOctet] += score;
}

void leave(SemiMarkov& m, int64_t t, const double* opened, const double* scores) {
  for (int32_t g = 0; g < m.groups; ++g) {
    const Octet total = load(m.total + g * kOctet), x = load(opened + g * kOctet) - total;
    store(m.open + open_place(m, g, t), x);
    extend_window<Best>(m, t, g, x, m.durations);
    Octet score = load(scores + g * kOctet);
    if (any_large(score)) {
      score = without_large(score, [&](int32_t lane, double value) { pass_large(m, t, g, lane, value); });
    }
    store(m.total + g * kOctet, total + score);
  }
}

}  // namespace

void fill_semi_markov_best(Kernels& table) { table.semi_markov_best = {begin_block, arrive, leave}; }

}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
