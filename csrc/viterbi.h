// Viterbi decoding: the best path through a graph.
//
//   α₀[j] = initial[j] + scores[0, pdf[j]]
//   α_t[j] = max_i (α_{t−1}[i] + w_ij) + scores[t, pdf[j]]          t = 1 … T−1
//   score  = max_j (α_{T−1}[j] + final[j])                          then back along the arcs that won
//
// Ties go to the lowest source state, at the end to the lowest state. Single precision: the states fall into tiles of
// kTile; before every frame that is a multiple of kRecentre, a tile's largest α moves into a double offset of the tile,
// so that what stays in α is small. Between tiles a shift, offset(source) − offset(target), is added before the weight:
//   candidate = (α[i] + shift(tile i → tile j)) + w_ij
// A tile without a finite α takes the offset of the nearest tile below it that has one, else of the first above it.
// The schedule depends on the absolute frame only, so every family, device and chunking rounds alike.
//
// With a beam, which may lose the best path: before the same frames, tiles whose largest α lies more than `beam` below
// the largest of all become −inf. In double precision there are no offsets; the tiles and the schedule are the same.
#pragma once

#include <cstdint>

#include "params.h"

namespace streamhmm {

// Scores or weights of a larger size would leave too few bits for the rest between two moves; such a sequence is
// decoded in double.
constexpr double kLargestSingle = 1000;

constexpr int32_t kTile = 64;      // states that share an offset
constexpr int64_t kRecentre = 32;  // frames between two moves of α into the offsets
constexpr int32_t kGroup = 16;     // states whose back-pointer bits share a word

struct InvalidScore {
  int64_t sequence = -1;  // −1: all scores valid
  int64_t frame = -1;
};

// states (batch, frames) int64, −1 where there is no path and past the lengths; score (batch) the path's own score,
// summed in double. beam: nats, or +inf for an exact search. Returns the first NaN or +inf found in a column that a
// graph reads.
InvalidScore viterbi(const Batch& batch, double beam, int64_t* states, double* score);

}  // namespace streamhmm
