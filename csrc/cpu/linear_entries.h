// One frame of Viterbi on the slots of a linear graph: the best arc from outside the band into each. For kernel files.
#pragma once

#include "linear_step.h"

namespace streamhmm {
namespace STREAMHMM_TARGET {
namespace {

// The best arc of some slots' lists, from the α of the frame before; sets the layers' bits at `lane`.
template <class F>
STREAMHMM_KERNEL Vec<typename F::Real> best_entry(const LinearViterbi<typename F::Real>& d, int32_t begin, int32_t end,
                                                  int lane, Bits* beaten) {
  using V = Vec<typename F::Real>;
  constexpr uint32_t kAll = (1u << V::kLanes) - 1;
  V best = V::fill(static_cast<typename F::Real>(-__builtin_inf()));
  for (int32_t layer = begin; layer < end; ++layer) {
    const int64_t arc = static_cast<int64_t>(layer) * kGroup + lane;
    const V alpha = V::add(V::gather(d.alpha, d.arc_source + arc), V::load(d.arc_shift + arc));
    const V candidate = V::add(alpha, V::load(d.arc_weight + arc));
    if constexpr (F::kTrace) {
      const uint32_t bits = (~V::not_less(best, candidate) & kAll) << lane;
      beaten[layer] = static_cast<Bits>(lane == 0 ? bits : beaten[layer] | bits);
    }
    best = V::max(best, candidate);
  }
  return best;
}

template <class F>
STREAMHMM_KERNEL void enter_slots(const LinearViterbi<typename F::Real>& d, const Stretch<typename F::Real>& work,
                                  Bits* beaten) {
  using V = Vec<typename F::Real>;
  for (int32_t group = work.first_slots; group < work.last_slots; ++group) {
    for (int lane = 0; lane < kGroup; lane += V::kLanes) {
      const V best = best_entry<F>(d, d.first_layer[group], d.first_layer[group + 1], lane, beaten);
      V::scatter(d.entry, d.slot_state + group * kGroup + lane, best);
    }
  }
}

// The same without back-pointers, arc by arc.
template <class Real, bool kWeighted>
STREAMHMM_KERNEL void enter_runs(const LinearViterbi<Real>& d, int32_t first, int32_t last) {
  for (int32_t r = first; r < last; ++r) {
    const SlotRun run = d.runs[r];
    int64_t arc = run.first_arc;
    for (int32_t slot = run.first; slot < run.last; ++slot) {
      Real best = static_cast<Real>(-__builtin_inf());
      for (const int64_t end = arc + run.arcs; arc < end; ++arc) {
        Real candidate = d.alpha[d.run_source[arc]] + d.run_shift[arc];
        if (kWeighted) candidate += d.run_weight[arc];
        best = candidate > best ? candidate : best;
      }
      d.entry[d.run_state[slot]] = best;
    }
  }
}

template <class F>
STREAMHMM_KERNEL void enter(const LinearViterbi<typename F::Real>& d, const Stretch<typename F::Real>& work,
                            Bits* beaten) {
  using Real = typename F::Real;
  if (F::kTrace || work.first_run == work.last_run) {
    enter_slots<F>(d, work, beaten);
  } else if (d.runs_weighted) {
    enter_runs<Real, true>(d, work.first_run, work.last_run);
  } else {
    enter_runs<Real, false>(d, work.first_run, work.last_run);
  }
}

}  // namespace
}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
