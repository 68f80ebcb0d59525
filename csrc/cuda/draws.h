// Paths drawn from the posterior for any graph: the rules of ../sample.h, a thread a sample.
#pragma once

#include "../sample.h"
#include "summing.h"

namespace streamhmm::cuda {

// each(use) calls use(state, share) for some states, ascending. The first whose cumulative share exceeds `uniform` of
// the whole; the last possible one where rounding leaves a rest; −1 where none is possible.
template <class Number, class Each>
__device__ int32_t draw(double uniform, const Each& each) {
  Number total = Number::zero();
  each([&](int32_t, Number share) { total = total + share; });
  if (total.is_zero()) return -1;
  double whole = 0;
  each([&](int32_t, Number share) { whole += static_cast<double>(ratio(share, total)); });
  double left = uniform * whole;
  int32_t chosen = -1;
  each([&](int32_t state, Number share) {
    const auto part = static_cast<double>(ratio(share, total));
    if (part == 0 || (chosen >= 0 && left < 0)) return;
    chosen = state;
    left -= part;
  });
  return chosen;
}

// A block a sequence. `current` (batch, samples): each sample's state in the frame behind the segment.
template <class Number>
__global__ void draw_kernel(BatchView view, Sum sum, Segment segment, Samples samples, int32_t* current) {
  using Real = typename Number::Real;
  const int64_t b = blockIdx.x;
  if (!sum.selection.takes(view, sum.inspection, b)) return;
  const int64_t length = view.length(b), last = length < segment.last ? length : segment.last;
  if (last <= segment.first || reinterpret_cast<const Number*>(sum.totals)[b].is_zero()) return;
  const ArcsView arcs(view.record(b), view.weights, sum.inspection.extras_of(view, b));
  for (int64_t k = b * samples.samples + threadIdx.x; k < (b + 1) * samples.samples; k += blockDim.x) {
    int32_t state = last == length ? -1 : current[k];
    for (int64_t t = last - 1; t >= segment.first; --t) {
      const Number* alpha = alpha_row<Number>(sum, segment, b, t);
      const double uniform = samples.uniforms[k * view.frames + t];
      if (t == length - 1) {
        state = draw<Number>(uniform, [&](const auto& use) {
          for (int32_t j = 0; j < arcs.states(); ++j) use(j, alpha[j] * Number::from_log(arcs.final<Real>(j)));
        });
      } else {
        const int32_t after = state;
        state = draw<Number>(uniform, [&](const auto& use) {
          arcs.into(after, t + 1,
                    [&](int32_t i, int64_t place) { use(i, alpha[i] * Number::from_log(arcs.weight<Real>(place))); });
        });
      }
      samples.states[k * view.frames + t] = state;
    }
    current[k] = state;
  }
}

}  // namespace streamhmm::cuda
