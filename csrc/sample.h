// Paths drawn from the posterior: forward filtering, backward sampling (Frühwirth-Schnatter 1994).
//
// With α of forward_backward.h:
//   P(s_{T−1} = j) ∝ α_{T−1}[j] · p(final j)
//   P(s_{t−1} = i | s_t = j) ∝ α_{t−1}[i] · w_ij
// Each state is the first whose cumulative share exceeds the frame's uniform number, states ascending.
#pragma once

#include <cstdint>

#include "params.h"
#include "viterbi.h"

namespace streamhmm {

// states and uniforms (batch, samples, frames); uniforms in [0, 1), one a frame. States are −1 where no path fits and
// past the lengths.
struct Samples {
  int64_t* states;
  const double* uniforms;
  int64_t samples;
};

InvalidScore sample(const Batch& batch, const Samples& result);

}  // namespace streamhmm
