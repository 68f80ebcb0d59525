// Explicit durations (semi-Markov, HSMM): a path is a row of segments, each of one state and 1 … D frames.
//
//   score(path) = initial[s_1] + Σ_k (durations[s_k, d_k − 1] + Σ_{t in segment k} scores[t, pdf[s_k]])
//                 + Σ_k arc(s_{k−1} → s_k) + final[s_K]
//
// The first segment begins with the sequence and the last one ends with it: no duration is cut off (no censoring).
// Arcs are passed between segments only; a self loop joins two segments of one state. With P_t[j] the sum of the first
// t scores of state j, at the borders t = 0 … T between frames:
//
//   opened_t[j] = initial[j] at t = 0, else ⊕_i (ended_t[i] + w_ij)               a segment of j begins at t
//   X_t[j]      = opened_t[j] − P_t[j]
//   ended_t[j]  = P_t[j] + ⊕_{d = 1 … min(D, t)} (X_{t−d}[j] + durations[j, d−1])  a segment of j ends at t
//   result      = ⊕_j (ended_T[j] + final[j])
//
// ⊕ is max for the best path and log Σ exp for sums; all in double, time O(T·S·D + T·S²). Sums from the right are the
// same recursion on the reversed sequence, its arcs turned round: it gives follows_t[j], the sum over all ways to go on
// after a segment of j that ends at t, and begun_t[j], the same from the beginning of a segment of j at t.
//
//   begins_t[j] = exp(opened_t[j] + begun_t[j] − Z)     ends_t[j] = exp(ended_t[j] + follows_t[j] − Z)
//   occupancy γ_t[j] = γ_{t+1}[j] + ends_{t+1}[j] − begins_{t+1}[j],   γ_{T−1} = ends_T
//
// The gradient of Z is γ (to scores), Σ_t exp(ended_t[i] + w_ij + begun_t[j] − Z) (to arcs), begins_0, ends_T (to
// initial and final) and the expected number of segments (to durations).
//
// A score of −inf, or beyond kLargestSummed, stays out of P and is added to every X that its frame has open: so P holds
// no infinity, and no large number whose difference would drown the rest. For the best path, borders come in blocks of
// kBlock: what such a frame does to borders of its own block is added to the ended ⊕ so far, after the duration.
//
// Ties: at the end the lowest state; then, going back, the shortest duration, the lowest source state, the shortest
// duration, and so on.
#pragma once

#include <cstdint>

#include "forward_backward.h"
#include "params.h"
#include "viterbi.h"

namespace streamhmm {

constexpr double kLargestSummed = 1e4;
constexpr int32_t kBlock = 8;  // borders of a block

struct Durations {
  const double* weights;  // (states, longest) log-weights, row-major
  int64_t states;
  int64_t longest;
};

// As viterbi() and forward_backward(). `segment_counts`: expected number of segments (batch, states, longest), zeroed
// by the caller, or null. Every graph must have the durations' number of states: std::invalid_argument.
InvalidScore semi_markov_viterbi(const Batch& batch, const Durations& durations, int64_t* states, double* score);
InvalidScore semi_markov_sums(const Batch& batch, const Durations& durations, const Sums& sums, double* segment_counts);

}  // namespace streamhmm
