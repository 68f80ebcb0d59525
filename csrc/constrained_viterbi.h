// Viterbi through allowed states only: the recursion of viterbi.h, with
//
//   α_t[j] = −inf   where state j is not allowed in frame t
//
// Numbers, ties and the tiles' offsets are those of viterbi.h: where everything is allowed, so are the results.
#pragma once

#include <cstdint>

#include "params.h"
#include "viterbi.h"

namespace streamhmm {

// Null pointers allow everything; both hold where both are given. Strides count elements, 0 where the batch shares one.
struct Constraints {
  const bool* allowed = nullptr;  // (batch, frames, states_wide)
  int64_t allowed_stride = 0;
  int64_t states_wide = 0;
  const int64_t* fixed = nullptr;  // (batch, frames) the only state allowed, −1 where all are
  int64_t fixed_stride = 0;
};

// Results as of viterbi(). Throws std::invalid_argument for a fixed state that the graph does not have.
InvalidScore constrained_viterbi(const Batch& batch, const Constraints& constraints, int64_t* states, double* score);

}  // namespace streamhmm
