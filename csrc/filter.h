// Filtering and fixed-lag smoothing: what the frames so far, and a few ahead, tell of each state.
//
// With α of forward_backward.h and e = min(t + lag, T−1):
//   β_e[j] = p(final j) if e = T−1 and the end counts, else 1
//   β_{u−1}[i] = Σ_j w_ij · (b_j(u) · β_u[j])                    u = e … t+1
//   p(state_t = j | frames 0…e) = α_t[j] · β_t[j] / Σ_i α_t[i] · β_t[i]
//
// Frames whose window ends in T−1 share one sweep from there; every other frame sweeps its own window: (T − lag) · lag
// rows in all.
#pragma once

#include <cstdint>

#include "params.h"
#include "viterbi.h"

namespace streamhmm {

struct Window {
  int64_t lag;      // frames ahead, at least 0
  bool end_counts;  // whether the final weights count where the window reaches the last frame
};

// What is wanted: one of the two. Of the scores' type, zeroed by the caller; stays 0 where no path fits.
struct Filtered {
  void* by_state = nullptr;  // (batch, frames, states_wide)
  int64_t states_wide = 0;
  void* by_pdf = nullptr;  // (batch, frames, columns)
};

InvalidScore filter(const Batch& batch, const Window& window, const Filtered& result);

}  // namespace streamhmm
