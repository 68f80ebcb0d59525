// Sums over all paths: log-likelihood, posteriors, expected counts of arcs.
//
//   α₀[j]   = p(initial j) · b_j(0)             α_t[j] = (Σ_i α_{t−1}[i] · w_ij) · b_j(t)
//   β_{T−1} = p(final)                          β_{t−1}[i] = Σ_j w_ij · (b_j(t) · β_t[j])
//   Z = Σ_j α_{T−1}[j] · p(final j)             log-likelihood = log Z
//   γ_t[j] = α_t[j] · β_t[j] / Z                ξ_t[i, j] = α_{t−1}[i] · w_ij · b_j(t) · β_t[j] / Z
//
// with b_j(t) = exp(scores[t, pdf[j]]). The gradient of log Z is γ (to scores, summed over the states of a pdf) and
// Σ_t ξ_t, γ₀, γ_{T−1} (to arcs, initial and final weights).
#pragma once

#include <cstdint>

#include "params.h"
#include "viterbi.h"

namespace streamhmm {

// What is wanted; null pointers are left out. Where there is no path everything is 0 and the log-likelihood −inf.
struct Sums {
  double* log_likelihood = nullptr;  // (batch)
  void* by_state = nullptr;          // (batch, frames, states_wide), of the scores' type, written whole
  int64_t states_wide = 0;
  void* by_pdf = nullptr;     // (batch, frames, columns), of the scores' type, written whole
  double* counts = nullptr;   // expected counts in the order of the packed weights, zeroed by the caller:
  int64_t counts_stride = 0;  // one row a sequence, this far apart; 0 where each has weights of its own
  const double* by_pdf_scale =
      nullptr;  // (batch) what each sequence's by_pdf is multiplied by, if by_state is not wanted; 1 without

  // Nothing that takes a backward pass.
  bool forward_only() const { return by_state == nullptr && by_pdf == nullptr && counts == nullptr; }
};

InvalidScore forward_backward(const Batch& batch, const Sums& sums);

}  // namespace streamhmm
