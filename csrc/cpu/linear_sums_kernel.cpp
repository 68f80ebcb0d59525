// Forward, backward and posteriors on a linear graph, a frame at a time (../forward_backward.h). Numbers are pairs
// (mantissa, exponent) in two arrays; each pass reads rows that lie in the first-level cache.
#include "kernels.h"
#include "lookup.h"
#include "scaled_simd.h"

namespace streamhmm {
namespace STREAMHMM_TARGET {
namespace {

template <class Real>
STREAMHMM_KERNEL ConstScaledRow<Real> as_const(ScaledRow<Real> row) {
  return {row.mantissa, row.exponent};
}

// b_j(t) of the states from `first` on: from registers where the columns fit, by gather elsewhere.
template <class Real, int kTables>
struct Emissions {
  using Table = Lookup<Real, kTables>;
  Table mantissa, exponent;

  STREAMHMM_KERNEL Emissions over(const LinearSums<Real>& g, ConstScaledRow<Real> row) {
    const auto layout = Table::layout(g.column_count);
    const Real* exponent = reinterpret_cast<const Real*>(row.exponent);  // moved, never computed with
    return {Table::over(row.mantissa, layout), Table::over(exponent, layout)};
  }
  STREAMHMM_KERNEL ScaledVec<Real> at(const Emissions& emissions, const LinearSums<Real>& g, int64_t first) {
    using S = ScaledVec<Real>;
    const auto index = Table::index(g.narrow_pdf + first);
    return {(typename S::Mantissa)Table::at(emissions.mantissa, index, 0).v,
            (typename S::Power)Table::at(emissions.exponent, index, 0).v};
  }
};

template <class Real>
struct Emissions<Real, 0> {
  ConstScaledRow<Real> row;

  STREAMHMM_KERNEL Emissions over(const LinearSums<Real>&, ConstScaledRow<Real> row) { return {row}; }
  STREAMHMM_KERNEL ScaledVec<Real> at(const Emissions& emissions, const LinearSums<Real>& g, int64_t first) {
    return ScaledVec<Real>::gather(emissions.row, g.pdf + first);
  }
};

// Σ over the band's arcs, whose ends lie kStep, 2·kStep states away: from `in`, for the states from `first` on. Weights
// go by source, so those of arcs from behind are read kStep away too.
template <class Real, bool kSkip, int kStep>
STREAMHMM_KERNEL ScaledVec<Real> weighted_band(const LinearSums<Real>& g, ConstScaledRow<Real> in, int64_t first) {
  using S = ScaledVec<Real>;
  constexpr int kBehind = kStep < 0 ? kStep : 0;
  const S stay = S::multiply(S::load(in, first), S::load(g.stay, first));
  const S advance = S::multiply(S::template load_beside<kStep>(in, first), S::load(g.advance, first + kBehind));
  if constexpr (!kSkip) return S::add(stay, advance);
  const S skip = S::multiply(S::template load_beside<2 * kStep>(in, first), S::load(g.skip, first + 2 * kBehind));
  return S::add(stay, advance, skip);
}

template <class Real, bool kSkip, int kStep, bool kMasked>
STREAMHMM_KERNEL ScaledVec<Real> band(const LinearSums<Real>& g, ConstScaledRow<Real> in, int64_t first) {
  if constexpr (!kMasked) return weighted_band<Real, kSkip, kStep>(g, in, first);
#if defined(__AVX512F__)
  if constexpr (kMasked) {
    const BandMask mask = (kStep < 0 ? g.entering : g.leaving)[first / kGroup];
    const auto stay = ScaledVec<float>::load(in, first), advance = ScaledVec<float>::load_beside<kStep>(in, first);
    if constexpr (!kSkip) return masked_sum(mask, stay, advance);
    return masked_sum(mask, stay, advance, ScaledVec<float>::load_beside<2 * kStep>(in, first));
  }
#endif
}

// entry[state] = Σ over its extra arcs of in[other end] · weight
template <class Real>
STREAMHMM_KERNEL void enter(const ArcLayers<Real>& arcs, ConstScaledRow<Real> in) {
  using S = ScaledVec<Real>;
  for (int32_t group = 0; group < arcs.groups; ++group) {
    for (int lane = 0; lane < kGroup; lane += S::kLanes) {
      S sum = S::zero();
      for (int32_t layer = arcs.first_layer[group]; layer < arcs.first_layer[group + 1]; ++layer) {
        const int64_t arc = static_cast<int64_t>(layer) * kGroup + lane;
        sum = S::add(sum, S::multiply(S::gather(in, arcs.other + arc), S::load(arcs.weight, arc)));
      }
      S::scatter(arcs.entry, arcs.state + group * kGroup + lane, S::normalise(sum));
    }
  }
}

constexpr int kNoEmissions = -1;

// One step of the recursion over all states: forward (kStep = −1, with emissions) or backward (kStep = 1).
template <class Real, int kStep, bool kSkip, bool kMasked, bool kExtras, int kTables>
void sweep(const LinearSums<Real>& model, ConstScaledRow<Real> row, ConstScaledRow<Real> in, ScaledRow<Real> out) {
  using S = ScaledVec<Real>;
  const LinearSums<Real> g = model;  // a copy that no store can change
  const ArcLayers<Real> extras = kStep < 0 ? g.into : g.out_of;
  const auto emissions = Emissions < Real, kTables < 0 ? 0 : kTables > ::over(g, row);
  if constexpr (kExtras) enter(extras, in);
  if constexpr (kTables >= 0) S::store(out, -S::kLanes, S::zero());
  for (int64_t j = 0; j < g.states; j += S::kLanes) {
    S sum = band<Real, kSkip, kStep, kMasked>(g, in, j);
    if constexpr (kExtras) sum = S::add(sum, S::load(as_const(extras.entry), j));
    if constexpr (kTables >= 0) sum = S::multiply(sum, emissions.at(emissions, g, j));
    S::store(out, j, S::normalise(sum));
  }
}

template <class Real, int kTables>
void emit_with(const LinearSums<Real>& model, ConstScaledRow<Real> row, ConstScaledRow<Real> in, ScaledRow<Real> out) {
  using S = ScaledVec<Real>;
  const LinearSums<Real> g = model;
  const auto emissions = Emissions<Real, kTables>::over(g, row);
  S::store(out, -S::kLanes, S::zero());
  for (int64_t j = 0; j < g.states; j += S::kLanes) {
    const S product = S::multiply(S::load(in, j), emissions.at(emissions, g, j));
    S::store(out, j, {product.m, S::larger(product.e, S::zero().e)});  // so that three factors more fit the exponent
  }
}

template <class Real>
using Pass = void (*)(const LinearSums<Real>&, ConstScaledRow<Real>, ConstScaledRow<Real>, ScaledRow<Real>);

template <class Real, int kStep, bool kSkip, bool kMasked, bool kExtras>
STREAMHMM_KERNEL Pass<Real> pass_for_columns(const LinearSums<Real>& g) {
  if constexpr (kStep > 0) return sweep<Real, kStep, kSkip, kMasked, kExtras, kNoEmissions>;
  if constexpr (kMasksLanes<Real>) {
    if (g.column_count <= 32) return sweep<Real, kStep, kSkip, kMasked, kExtras, 2>;
    if (g.column_count <= 64) return sweep<Real, kStep, kSkip, kMasked, kExtras, 4>;
  }
  return sweep<Real, kStep, kSkip, kMasked, kExtras, 0>;
}

template <class Real, int kStep, bool kSkip, bool kMasked>
STREAMHMM_KERNEL Pass<Real> pass_for_extras(const LinearSums<Real>& g) {
  if (g.into.groups > 0) return pass_for_columns<Real, kStep, kSkip, kMasked, true>(g);
  return pass_for_columns<Real, kStep, kSkip, kMasked, false>(g);
}

template <class Real, int kStep, bool kSkip>
STREAMHMM_KERNEL Pass<Real> pass_for_weights(const LinearSums<Real>& g) {
  if constexpr (kMasksLanes<Real>) {
    if (g.entering != nullptr) return pass_for_extras<Real, kStep, kSkip, true>(g);
  }
  return pass_for_extras<Real, kStep, kSkip, false>(g);
}

// The kernel for a graph's shape.
template <class Real, int kStep>
STREAMHMM_KERNEL Pass<Real> pass(const LinearSums<Real>& g) {
  if (g.skip.mantissa != nullptr) return pass_for_weights<Real, kStep, true>(g);
  return pass_for_weights<Real, kStep, false>(g);
}

// Exponentials of kLanes scores, in halves that fit a vector of doubles: exp(x) = m · 2^k with m in about 0.7 … 1.4.
// Taylor's series on |r| ≤ ln 2 / 2, as far as the result's precision reaches: the next term is below 2^−31 or 2^−53.
template <class Real>
struct Exponentials {
  static constexpr int kLanes = Vec<Real>::kLanes, kDoubles = Vec<double>::kLanes;
  typedef double Doubles __attribute__((vector_size(kDoubles * 8)));
  typedef int64_t Longs __attribute__((vector_size(kDoubles * 8)));
  typedef Real Reals __attribute__((vector_size(kDoubles * sizeof(Real))));
  typedef Exponent<Real> Powers __attribute__((vector_size(kDoubles * sizeof(Real))));

  // x · y + z, rounded once where the target can
  STREAMHMM_KERNEL Doubles multiply_add(Doubles x, Doubles y, Doubles z) {
#if defined(__AVX512F__)
    return (Doubles)_mm512_fmadd_pd((__m512d)x, (__m512d)y, (__m512d)z);
#elif defined(__AVX2__)
    return (Doubles)_mm256_fmadd_pd((__m256d)x, (__m256d)y, (__m256d)z);
#else
    return x * y + z;
#endif
  }

  STREAMHMM_KERNEL void of_half(Reals given, Reals& mantissa, Powers& power) {
    constexpr double kLog2High = 0x1.62e42fefa38p-1, kLog2Low = 0x1.ef35793c7673p-45, kPerLog2 = 1.4426950408889634074;
    constexpr double kToInteger = 0x1.8p52;  // once added, the integer stands in the lowest bits
    const Doubles all = __builtin_convertvector(given, Doubles);
    const Longs zero = all == -__builtin_inf();
    const Doubles x = zero ? Doubles{} : all;
    const Doubles shifted = x * kPerLog2 + kToInteger, whole = shifted - kToInteger;
    const Doubles r = multiply_add(whole, Doubles{} - kLog2Low, multiply_add(whole, Doubles{} - kLog2High, x));
    constexpr double kTerms[] = {
        1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040,
        1.0 / 720,        1.0 / 120,       1.0 / 24,       1.0 / 6,       0.5,          1.0,         1.0};
    constexpr int kFirst = sizeof(Real) == sizeof(float) ? 6 : 0;
    Doubles series = Doubles{} + kTerms[kFirst];
    for (int i = kFirst + 1; i < 14; ++i) series = multiply_add(series, r, Doubles{} + kTerms[i]);
    const Longs k = (Longs)shifted - (Longs)(Doubles{} + kToInteger);
    mantissa = __builtin_convertvector(zero ? Doubles{} : series, Reals);
    power = __builtin_convertvector(zero ? Longs{} + kZeroPower<double> : k, Powers);
  }

  // Each half is stored for itself: put together in memory, the whole would wait for them.
  STREAMHMM_KERNEL void store(Vec<Real> given, ScaledRow<Real> out, int64_t first) {
    Reals part[kLanes / kDoubles];
    __builtin_memcpy(part, &given, sizeof part);
    for (int i = 0; i < kLanes / kDoubles; ++i) {
      Reals mantissa;
      Powers power;
      of_half(part[i], mantissa, power);
      __builtin_memcpy(out.mantissa + first + i * kDoubles, &mantissa, sizeof mantissa);
      __builtin_memcpy(out.exponent + first + i * kDoubles, &power, sizeof power);
    }
  }
};

template <class Real>
void exponentials(const Real* row, const int32_t* columns, int32_t count, ScaledRow<Real> out) {
  using V = Vec<Real>;
  for (int64_t i = 0; i < count; i += V::kLanes) {
    V given;
    if (columns != nullptr) {
      given = V::gather(row, columns + i);
    } else if (i + V::kLanes <= count) {
      given = V::load(row + i);
    } else {
      given = V::load_first(row + i, static_cast<int>(count - i));
    }
    Exponentials<Real>::store(given, out, i);
  }
}

template <class Real>
void forward(const LinearSums<Real>& g, ConstScaledRow<Real> emissions, ConstScaledRow<Real> in, ScaledRow<Real> out) {
  pass<Real, -1>(g)(g, emissions, in, out);
}

template <class Real>
void backward(const LinearSums<Real>& g, ConstScaledRow<Real> in, ScaledRow<Real> out) {
  pass<Real, 1>(g)(g, {}, in, out);
}

template <class Real>
void emit(const LinearSums<Real>& g, ConstScaledRow<Real> emissions, ConstScaledRow<Real> in, ScaledRow<Real> out) {
  Pass<Real> run = emit_with<Real, 0>;
  if constexpr (kMasksLanes<Real>) {
    if (g.column_count <= 64) run = g.column_count <= 32 ? emit_with<Real, 2> : emit_with<Real, 4>;
  }
  run(g, emissions, in, out);
}

// out[j] = a[j] · b[j] / total
template <class Real>
STREAMHMM_KERNEL typename ScaledVec<Real>::Mantissa share(ScaledVec<Real> a, ScaledVec<Real> b,
                                                          ScaledNumber<Real> reciprocal) {
  return ScaledVec<Real>::as_real({a.m * b.m * reciprocal.mantissa, a.e + b.e + reciprocal.exponent});
}

template <class Real>
STREAMHMM_KERNEL ScaledNumber<Real> reciprocal_of(ScaledNumber<Real> total) {
  return {1 / total.mantissa, -total.exponent};
}

template <class Real>
void posterior(int32_t states, ConstScaledRow<Real> a, ConstScaledRow<Real> b, ScaledNumber<Real> total, Real* out) {
  using S = ScaledVec<Real>;
  using InMemory = typename S::MantissaInMemory;
  const ScaledNumber<Real> reciprocal = reciprocal_of(total);
  int64_t j = 0;
  for (; j + S::kLanes <= states; j += S::kLanes) {
    *reinterpret_cast<InMemory*>(out + j) = share(S::load(a, j), S::load(b, j), reciprocal);
  }
  if (j == states) return;  // rows of α end with the vector of the last state
  const auto last = share(S::load(a, j), S::load(b, j), reciprocal);
  for (int lane = 0; j + lane < states; ++lane) out[j + lane] = last[lane];
}

template <class Real>
STREAMHMM_KERNEL void add_to(double* counts, typename ScaledVec<Real>::Mantissa values) {
  using E = Exponentials<Real>;
  typename E::Reals part[E::kLanes / E::kDoubles];
  __builtin_memcpy(part, &values, sizeof part);
  for (int i = 0; i < E::kLanes / E::kDoubles; ++i) {
    typename E::Doubles sum;
    __builtin_memcpy(&sum, counts + i * E::kDoubles, sizeof sum);
    sum += __builtin_convertvector(part[i], typename E::Doubles);
    __builtin_memcpy(counts + i * E::kDoubles, &sum, sizeof sum);
  }
}

// counts[i] += share of the arcs i -> i + kStep
template <class Real, int kStep>
void count_band(int32_t states, ConstScaledRow<Real> a, ConstScaledRow<Real> w, ConstScaledRow<Real> b,
                ScaledNumber<Real> reciprocal, double* __restrict counts) {
  using S = ScaledVec<Real>;
  const auto at = [&](int64_t i) {
    return share(S::multiply(S::load(a, i), S::load(w, i)), S::template load_beside<kStep>(b, i), reciprocal);
  };
  int64_t i = 0;
  for (; i + S::kLanes <= states; i += S::kLanes) {
    add_to<Real>(counts + i, at(i));
  }
  if (i == states) return;  // rows of α end with the vector of the last state
  const auto last = at(i);
  for (int lane = 0; i + lane < states; ++lane) counts[i + lane] += static_cast<double>(last[lane]);
}

template <class Real>
void count(const LinearSums<Real>& g, const ExtraArcs<Real>& extra, ConstScaledRow<Real> a, ConstScaledRow<Real> b,
           ScaledNumber<Real> total, double* counts) {
  using S = ScaledVec<Real>;
  const ScaledNumber<Real> reciprocal = reciprocal_of(total);
  count_band<Real, 0>(g.states, a, g.stay, b, reciprocal, counts);
  count_band<Real, 1>(g.states, a, g.advance, b, reciprocal, counts + g.states);
  counts += 2 * int64_t{g.states};
  if (g.skip.mantissa != nullptr) {
    count_band<Real, 2>(g.states, a, g.skip, b, reciprocal, counts);
    counts += g.states;
  }
  for (int64_t k = 0; k < extra.count; k += S::kLanes) {
    const S before = S::multiply(S::gather(a, extra.source + k), S::load(extra.weight, k));
    const auto value = share(before, S::gather(b, extra.target + k), reciprocal);
    for (int lane = 0; lane < S::kLanes && k + lane < extra.count; ++lane) {
      counts[k + lane] += static_cast<double>(value[lane]);
    }
  }
}

template <class Real>
void fill(KernelsOf<Real>& table) {
  table.exponentials = exponentials<Real>;
  table.linear_forward = forward<Real>;
  table.linear_emit = emit<Real>;
  table.linear_backward = backward<Real>;
  table.posterior = posterior<Real>;
  table.count = count<Real>;
}

}  // namespace

void fill_linear_sums(Kernels& table) {
  fill(table.single_precision);
  fill(table.double_precision);
}

}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
