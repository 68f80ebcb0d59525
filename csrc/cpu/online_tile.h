// One tile of states in one frame of OnlineViterbi, as its kernel sees it.
#pragma once

#include <cstdint>

#include "../viterbi.h"

namespace streamhmm {

// Arcs into a tile from elsewhere than the state itself and the two before it, sorted by target, then source.
template <class Real>
struct ListedArc {
  int32_t source;
  int32_t target;
  Real weight;
};

// For the states j = first … first + kTile − 1, arcs i → j by their target j:
//   best      = max_i (α[i] + shift[tile i] + w_ij), from the lowest such i;   shift[k] = offset[k] − offset[tile j]
//   next[j]   = best + scores[pdf[j]],   source[j] = i,   next_ancestor[j] = ancestor[i]
template <class Real>
struct OnlineTile {
  int32_t first;
  const Real* alpha;  // of all states, and two cells of −inf before them
  const int32_t* ancestor;
  const Real* shift;  // of all tiles with survivors
  const Real* stay;   // of this tile's states, −inf where there is no arc
  const Real* advance;
  const Real* skip;
  const ListedArc<Real>* listed;
  const ListedArc<Real>* listed_end;
  const int32_t* pdf;
  const Real* scores;
  Real* next;  // of this tile's states
  int32_t* source;
  int32_t* next_ancestor;
};

}  // namespace streamhmm
