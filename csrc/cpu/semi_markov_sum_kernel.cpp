// The semi-Markov recursion by log Σ exp (../semi_markov.h), in two ways. Fast: products of exponentials relative to a
// reference of each state. Exact: log Σ exp relative to the largest term. The fast sum counts where what it can have
// lost is negligible: each factor is right unless below e^−708, so with open_odds of at most e^kMostOdds a term that is
// lost is below e^(kMostOdds − 708), and a sum of at least e^kLeastSum is off by less than e^−58 for each of its terms.
#include "../semi_markov.h"
#include "kernels.h"
#include "semi_markov_window.h"

namespace streamhmm {
namespace STREAMHMM_TARGET {
namespace {

constexpr double kMostOdds = 300;  // logarithms
constexpr double kLeastSum = -350;
constexpr double kLeastInto = -600;  // the same for the sum over arcs, whose factors are at most 1
constexpr double kStray = 200;       // how far the largest X may move from the reference before that follows it
constexpr double kExpLeastSum = 9.929590396264981e-153, kExpMostSum = 1e200, kExpLeastInto = 2.6503965530043108e-261;

struct Sum {
  STREAMHMM_KERNEL Octet start() { return fill(0.0); }
  STREAMHMM_KERNEL Octet add(const Octet& sum, const Octet& opened, const Octet& weight) {
    return multiply_add(opened, weight, sum);
  }
};

// One bit for each state of a group.
STREAMHMM_KERNEL uint32_t all_states(const SemiMarkov& m, int32_t group) {
  const int32_t left = m.states - group * kOctet;
  return left >= kOctet ? 0xff : (1u << left) - 1;
}

// exp, with +inf above kMostOdds, where the fast sum is not to be trusted.
STREAMHMM_KERNEL Octet odds_of(const Octet& x) {
  const Octet most = fill(kMostOdds);
  return choose_not_less(most, x, exp(smaller(x, most)), fill(kInfinity));
}

// Moves the references of a group to the largest X in the window where that has strayed too far.
STREAMHMM_KERNEL void follow(const SemiMarkov& m, int64_t t, int32_t group) {
  const int64_t count = t - window_begin(m, t), place = open_place(m, group, t - count);
  const double* x = m.open + place;
  Octet top[2] = {fill(-kInfinity), fill(-kInfinity)};
  for (int64_t i = 0; i < count; ++i) top[i % 2] = larger(top[i % 2], load(x + i * kOctet));
  double* reference = m.reference + group * kOctet;
  const Octet old = load(reference), largest = larger(top[0], top[1]), stray = largest - old;
  const uint32_t finite = not_less(largest, fill(-1e300));
  const uint32_t near = not_less(fill(kStray), stray) & not_less(stray, fill(-kStray));
  if ((finite & ~near) == 0) return;
  const Octet moved = choose_not_less(largest, fill(-1e300), largest, old);
  store(reference, moved);
  double* odds = m.open_odds + place;
  for (int64_t i = 0; i < count; ++i) store(odds + i * kOctet, odds_of(load(x + i * kOctet) - moved));
}

void begin_block(SemiMarkov& m, int64_t t) {
  m.block = t;
  for (int32_t g = 0; g < m.groups; ++g) follow(m, t, g);
  fill_window<Sum>(m, t, m.open_odds, m.odds);
}

// m + log Σ exp(term − m) for each state of a group; −inf where no term is more. `term(i)`, i < count, gives an Octet.
template <class Term>
STREAMHMM_KERNEL Octet log_sum(int64_t count, Term term) {
  Octet top = fill(-kInfinity);
  for (int64_t i = 0; i < count; ++i) top = larger(top, term(i));
  const Octet least = fill(-1.7e308);
  if (not_less(top, least) == 0) return top;
  const Octet base = larger(top, least);
  Octet sum = fill(0.0);
  for (int64_t i = 0; i < count; ++i) sum = sum + exp(term(i) - base);
  return choose_not_less(top, least, base + log(larger(sum, fill(1.0))), top);
}

STREAMHMM_KERNEL Octet exact_window(const SemiMarkov& m, int64_t t, int32_t group) {
  const int64_t count = t - window_begin(m, t);
  const double* x = m.open + open_place(m, group, t - 1);
  const double* weight = m.durations + duration_place(m, group, 1);
  return log_sum(count, [=](int64_t i) { return load(x - i * kOctet) + load(weight + i * kOctet); });
}

STREAMHMM_KERNEL Octet sum_window(const SemiMarkov& m, int64_t t, int32_t g) {
  const Octet sum = load(m.window + (g * kBlock + t - m.block) * kOctet);
  const uint32_t good = not_less(sum, fill(kExpLeastSum)) & not_less(fill(kExpMostSum), sum);
  if ((~good & all_states(m, g)) != 0) return exact_window(m, t, g);
  const Octet safe = choose_not_less(sum, fill(kExpLeastSum), sum, fill(1.0));
  return log(safe) + load(m.reference + g * kOctet) + load(m.best + g * kOctet);
}

STREAMHMM_KERNEL Octet sum_matrix(const SemiMarkov& m, const double* odds, int32_t group) {
  const int64_t width = m.padded();
  const double* arc = m.arcs.matrix_odds + group * kOctet;
  Octet sum[4] = {fill(0.0), fill(0.0), fill(0.0), fill(0.0)};
  int64_t i = 0;
  for (; i + 4 <= m.states; i += 4, arc += 4 * width) {
    for (int64_t k = 0; k < 4; ++k) sum[k] = multiply_add(fill(odds[i + k]), load(arc + k * width), sum[k]);
  }
  for (; i < m.states; ++i, arc += width) sum[0] = multiply_add(fill(odds[i]), load(arc), sum[0]);
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

STREAMHMM_KERNEL Octet sum_list(const SemiMarkov& m, const double* odds, int32_t group) {
  const SegmentArcs& arcs = m.arcs;
  double lanes[kOctet] = {0, 0, 0, 0, 0, 0, 0, 0};
  for (int32_t lane = 0; lane < kOctet && group * kOctet + lane < m.states; ++lane) {
    const int32_t j = group * kOctet + lane;
    for (int32_t k = arcs.begin[j]; k < arcs.begin[j + 1]; ++k) lanes[lane] += odds[arcs.source[k]] * arcs.odds[k];
  }
  return load(lanes);
}

STREAMHMM_KERNEL Octet exact_into(const SemiMarkov& m, const double* ended, int32_t group) {
  const SegmentArcs& arcs = m.arcs;
  if (arcs.matrix != nullptr) {
    const double* weight = arcs.matrix + group * kOctet;
    const int64_t width = m.padded();
    return log_sum(m.states, [=](int64_t i) { return fill(ended[i]) + load(weight + i * width); });
  }
  const int32_t* begin = arcs.begin + group * kOctet;
  const int32_t states = m.states - group * kOctet < kOctet ? m.states - group * kOctet : kOctet;
  int64_t longest = 0;
  for (int32_t lane = 0; lane < states; ++lane) {
    const int64_t count = begin[lane + 1] - begin[lane];
    longest = count > longest ? count : longest;
  }
  return log_sum(longest, [&, begin, states](int64_t i) {
    double lanes[kOctet];
    for (int32_t lane = 0; lane < kOctet; ++lane) {
      const bool there = lane < states && i < begin[lane + 1] - begin[lane];
      lanes[lane] = there ? ended[arcs.source[begin[lane] + i]] + arcs.weight[begin[lane] + i] : -kInfinity;
    }
    return load(lanes);
  });
}

// opened[j] = log Σ_i exp(ended[i] + w_ij)
STREAMHMM_KERNEL void pass_arcs(const SemiMarkov& m, const double* ended, double* opened) {
  Octet tops = fill(-kInfinity);
  for (int32_t g = 0; g < m.groups; ++g) tops = larger(tops, load(ended + g * kOctet));
  double lanes[kOctet];
  store(lanes, tops);
  double top = lanes[0];
  for (int32_t lane = 1; lane < kOctet; ++lane) top = lanes[lane] > top ? lanes[lane] : top;
  if (top == -kInfinity) {
    for (int32_t g = 0; g < m.groups; ++g) store(opened + g * kOctet, fill(-kInfinity));
    return;
  }
  for (int32_t g = 0; g < m.groups; ++g) store(m.scratch + g * kOctet, exp(load(ended + g * kOctet) - fill(top)));
  for (int32_t g = 0; g < m.groups; ++g) {
    const Octet sum = m.arcs.matrix != nullptr ? sum_matrix(m, m.scratch, g) : sum_list(m, m.scratch, g);
    const Octet least = fill(kExpLeastInto);
    if ((~not_less(sum, least) & all_states(m, g)) != 0) {
      store(opened + g * kOctet, exact_into(m, ended, g));
    } else {
      store(opened + g * kOctet, log(larger(sum, least)) + fill(top) + load(m.arcs.best + g * kOctet));
    }
  }
}

void arrive(SemiMarkov& m, int64_t t, double*, double* ended, double* opened) {
  for (int32_t g = 0; g < m.groups; ++g) {
    double* out = ended + g * kOctet;
    store(out, sum_window(m, t, g) + load(m.total + g * kOctet));
    for (int32_t lane = m.states - g * kOctet; lane < kOctet; ++lane) out[lane] = -kInfinity;
  }
  if (opened == nullptr) return;
  if (t == 0) {
    for (int32_t g = 0; g < m.groups; ++g) store(opened + g * kOctet, load(m.initial + g * kOctet));
  } else {
    pass_arcs(m, ended, opened);
    for (int64_t j = m.states; j < m.padded(); ++j) opened[j] = -kInfinity;
  }
}

// A score that P does not hold. As a factor it is 0 or infinite; an infinity, or 0 times one, leads to the exact sum.
void pass_large(const SemiMarkov& m, int64_t t, int32_t group, int32_t lane, double score) {
  const int64_t begin = open_place(m, group, window_begin(m, t + 1)), end = open_place(m, group, t + 1);
  const double factor = score < 0 ? 0.0 : kInfinity;
  for (int64_t place = begin + lane; place < end; place += kOctet) {
    m.open[place] += score;
    m.open_odds[place] *= factor;
  }
  double* window = m.window + group * kBlock * kOctet + lane;
  for (int64_t k = t - m.block + 1; k < kBlock; ++k) window[k * kOctet] *= factor;
}

void leave(SemiMarkov& m, int64_t t, const double* opened, const double* scores) {
  for (int32_t g = 0; g < m.groups; ++g) {
    const Octet total = load(m.total + g * kOctet), x = load(opened + g * kOctet) - total;
    const Octet odds = odds_of(x - load(m.reference + g * kOctet));
    store(m.open + open_place(m, g, t), x);
    store(m.open_odds + open_place(m, g, t), odds);
    extend_window<Sum>(m, t, g, odds, m.odds);
    Octet score = load(scores + g * kOctet);
    if (any_large(score)) {
      score = without_large(score, [&](int32_t lane, double value) { pass_large(m, t, g, lane, value); });
    }
    store(m.total + g * kOctet, total + score);
  }
}

void exponentials(const double* in, const double* shift, int64_t count, double* out) {
  const Octet by = load(shift);
  for (int64_t i = 0; i < count; i += kOctet) store(out + i, exp(load(in + i) - by));
}

void count_durations(const SemiMarkov& m, int64_t t, const double* base, double* counts) {
  const int64_t begin = window_begin(m, t);
  const Octet least = fill(kLeastExponent);
  for (int32_t g = 0; g < m.groups; ++g) {
    const Octet shift = load(base + g * kOctet);
    const double* x = m.open + open_place(m, g, t - 1);
    const int64_t place = duration_place(m, g, 1);
    for (int64_t i = 0; i < t - begin; ++i) {
      const Octet value = (load(x - i * kOctet) + load(m.durations + place + i * kOctet)) + shift;
      if (not_less(value, least) == 0) continue;
      double* out = counts + place + i * kOctet;
      store(out, load(out) + exp(value));
    }
  }
}

void count_arcs(const SemiMarkov& m, const double* ended, const double* begun, double* counts) {
  const Octet least = fill(kLeastExponent);
  const int64_t width = m.padded();
  for (int32_t i = 0; i < m.states; ++i) {
    if (ended[i] == -kInfinity) continue;
    for (int64_t j = 0; j < width; j += kOctet) {
      const Octet value = (fill(ended[i]) + load(m.arcs.matrix + i * width + j)) + load(begun + j);
      if (not_less(value, least) == 0) continue;
      store(counts + i * width + j, load(counts + i * width + j) + exp(value));
    }
  }
}

}  // namespace

void fill_semi_markov_sum(Kernels& table) {
  table.semi_markov_sum = {begin_block, arrive, leave};
  table.segment_counting = {exponentials, count_durations, count_arcs};
}

}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
