// Viterbi on a linear graph: passes over the states, from the first pair of groups up, each of several frames at once,
// so that arcs and pdfs are read once for all of them and α is read and written once. A pair's α before a frame are
// kept until the next pair has read them. Recursion and tie rule: ../viterbi.h; the order of states: linear_viterbi.h.
#include "kernels.h"
#include "linear_entries.h"
#include "linear_step.h"

namespace streamhmm {
namespace STREAMHMM_TARGET {
namespace {

// Frames that a pass computes.
template <class Real>
constexpr int kFrames = kMasksLanes<Real> ? 4 : 1;

template <class Real>
STREAMHMM_KERNEL Pair<Real> as_seen_from_next_tile(const Pair<Real>& below, Real shift) {
  using L = Lanes<Real>;
  return {L::add(below.even, L::fill(shift)), L::add(below.odd, L::fill(shift))};
}

// `frames` frames from `first` on, all pairs of the stretch below `high`.
template <class F, int frames>
STREAMHMM_KERNEL void pass(const LinearViterbi<typename F::Real>& d, const ScoreRows<typename F::Real>& scores,
                           const typename F::Table::Layout& layout, const Stretch<typename F::Real>& work,
                           int64_t first, int32_t high, Bits* pointers) {
  using Real = typename F::Real;
  using L = Lanes<Real>;
  using Table = typename F::Table;
  constexpr Real never = static_cast<Real>(-__builtin_inf());
  constexpr bool kShifted = sizeof(Real) == sizeof(float);  // double precision has no offsets
  Table rows[frames];
  Real blank[frames];
  Pair<Real> below[frames];
  for (int f = 0; f < frames; ++f) {
    const Real* row = scores.data + (first + f) * scores.stride;
    rows[f] = Table::over(row, layout);
    blank[f] = F::kSkips == Skips::ctc ? row[d.pdf[0]] : Real(0);
    const Real* carried = work.below != nullptr ? work.below + 2 * (first + f - work.first) : nullptr;
    below[f] = {L::fill(carried != nullptr ? carried[0] : never), L::fill(carried != nullptr ? carried[1] : never)};
  }
  const int64_t needed = (work.needed - d.reach * (work.last - first)) / kPair;  // of α before; rounds up below 0
  const int32_t low = needed > work.low ? static_cast<int32_t>(needed) : work.low;
  for (int32_t pair = low; pair < high; ++pair) {
    const int64_t cell = int64_t{pair} * kPair;
    const auto even = GroupArcs<F>::of(d, cell), odd = GroupArcs<F>::of(d, cell + kGroup);
    const auto odd_pdfs = Table::index(pdfs<F>(d) + cell + kGroup);
    const auto even_pdfs = F::kSkips == Skips::ctc ? odd_pdfs : Table::index(pdfs<F>(d) + cell);
    Pair<Real> alpha{L::load(d.alpha + cell), L::load(d.alpha + cell + kGroup)};
    for (int f = 0; f < frames; ++f) {
      if (kShifted && pair % kPairsPerTile == 0) {
        below[f] = as_seen_from_next_tile(below[f], d.shift[pair / kPairsPerTile]);
      }
      Bits* won = F::kTrace ? pointers + f * work.frame_size + int64_t{pair} * d.layout.stride : nullptr;
      const Pair<Real> best = arrive<F>(d, even, odd, alpha, below[f], cell, won);
      below[f] = alpha;
      if constexpr (F::kSkips == Skips::ctc) {
        alpha.even = L::add(best.even, L::fill(blank[f]));
      } else {
        alpha.even = L::add(best.even, L::look_up(rows[f], even_pdfs));
      }
      alpha.odd = L::add(best.odd, L::look_up(rows[f], odd_pdfs));
    }
    L::store(d.alpha + cell, alpha.even);
    L::store(d.alpha + cell + kGroup, alpha.odd);
  }
  if (work.above == nullptr) return;
  const bool complete = high == work.high;  // else the highest states are still out of reach
  for (int f = 0; f < frames; ++f) {
    Real* above = work.above + 2 * (first + f - work.first);
    above[0] = complete ? L::last(below[f].even) : never;
    above[1] = complete ? L::last(below[f].odd) : never;
  }
}

template <class F>
void run(const LinearViterbi<typename F::Real>& decoder, const ScoreRows<typename F::Real>& scores,
         const Stretch<typename F::Real>& given) {
  constexpr int kStep = F::kSlots ? 1 : kFrames<typename F::Real>;  // slots read all α of the frame before
  const LinearViterbi<typename F::Real> d = decoder;                // copies that no store can change stay in registers
  const Stretch<typename F::Real> work = given;
  const auto layout = F::Table::layout(scores.columns);
  const int64_t to_pairs = d.layout.layers - int64_t{work.base} * d.layout.stride;
  Bits* pointers = work.pointers;
  for (int64_t t = work.first; t < work.last;) {
    const int step = work.last - t >= kStep ? kStep : 1;
    const int64_t reached = (work.live + d.reach * (t + step - work.first) + kPair - 1) / kPair;
    const auto high = static_cast<int32_t>(reached < work.high ? reached : work.high);
    if constexpr (F::kSlots) enter<F>(d, work, pointers);
    if (step == kStep) {
      pass<F, kStep>(d, scores, layout, work, t, high, pointers + to_pairs);
    } else {
      pass<F, 1>(d, scores, layout, work, t, high, pointers + to_pairs);
    }
    t += step;
    if constexpr (F::kTrace) pointers += step * work.frame_size;
  }
}

// The kernel for a graph and a stretch of work.
template <class Real, Skips kSkips, BandWeights kBand, bool kSlots, int kTables>
STREAMHMM_KERNEL LinearRun<Real> runner(bool trace) {
  return trace ? run<Form<Real, kSkips, kBand, kSlots, true, kTables>>
               : run<Form<Real, kSkips, kBand, kSlots, false, kTables>>;
}

template <class Real, Skips kSkips, int kTables>
STREAMHMM_KERNEL LinearRun<Real> runner(BandWeights band, bool slots, bool trace) {
  constexpr BandWeights kMasked = kMasksLanes<Real> ? BandWeights::masked : BandWeights::weighted;
  if (band == BandWeights::weighted) {
    return slots ? runner<Real, kSkips, BandWeights::weighted, true, kTables>(trace)
                 : runner<Real, kSkips, BandWeights::weighted, false, kTables>(trace);
  }
  if (slots) return runner<Real, kSkips, kMasked, true, kTables>(trace);
  return band == BandWeights::masked ? runner<Real, kSkips, kMasked, false, kTables>(trace)
                                     : runner<Real, kSkips, BandWeights::complete, false, kTables>(trace);
}

template <class Real, int kTables>
STREAMHMM_KERNEL LinearRun<Real> runner(const LinearViterbi<Real>& d, bool slots, bool trace) {
  if (d.skips == Skips::none) return runner<Real, Skips::none, kTables>(d.band, slots, trace);
  if (d.skips == Skips::ctc && !slots) return runner<Real, Skips::ctc, BandWeights::complete, false, kTables>(trace);
  return runner<Real, Skips::any, kTables>(d.band, slots, trace);
}

template <class Real>
LinearRun<Real> viterbi(const LinearViterbi<Real>& d, int64_t columns, bool slots, bool trace) {
#if defined(__AVX512F__)
  if constexpr (sizeof(Real) == sizeof(float)) {
    if (columns <= 32) return runner<Real, 2>(d, slots, trace);
    if (columns <= 48) return runner<Real, 3>(d, slots, trace);
    if (columns <= 64) return runner<Real, 4>(d, slots, trace);
  }
#endif
  static_cast<void>(columns);
  return runner<Real, 0>(d, slots, trace);
}

}  // namespace

void fill_linear_viterbi(Kernels& table) {
  table.single_precision.linear_viterbi = viterbi<float>;
  table.double_precision.linear_viterbi = viterbi<double>;
}

}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
