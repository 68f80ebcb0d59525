// What the semi-Markov kernels work on. States lie in groups of kOctet, side by side; rows are `padded` wide.
// Recursion:
// ../semi_markov.h.
#pragma once

#include <cstdint>

#include "../semi_markov.h"

namespace streamhmm {

constexpr int32_t kOctet = 8;  // states in a group

// The arcs of a graph, in one of two forms; `odds` are their exponentials relative to the best arc into the same state.
struct SegmentArcs {
  const double* matrix;       // (states, padded) weights i → j, or null: then as a list,
  const double* matrix_odds;  // (states, padded)
  const int32_t* begin;       // (states + 1) arcs into state j are begin[j] … begin[j+1]−1,
  const int32_t* source;      // sorted by source
  const double* weight;
  const double* odds;
  const double* best;  // (padded) the best arc into j
};

struct SemiMarkov {
  int32_t states;
  int32_t groups;
  int64_t longest;
  const double* durations;  // (groups, longest + kBlock, kOctet), row d−1; −inf beyond `longest` and `states`
  const double* initial;    // (padded)
  SegmentArcs arcs;

  int64_t rows;
  int64_t first;   // the border whose X lies in row 0
  double* open;    // X: (groups, rows, kOctet)
  double* total;   // P_t: (padded)
  double* window;  // (groups, kBlock, kOctet): ⊕ over the X so far, for each border of the block
  int64_t block;   // the first border of the block

  // For sums: numbers relative to a reference of each state, as exponentials.
  const double* odds;  // exp(durations − longest_weight), laid out as `durations`
  const double* best;  // (padded) the largest weight of a duration
  double* open_odds;   // exp(X − reference), laid out as `open`; +inf where that is more than kMostOdds
  double* reference;   // (padded)
  double* scratch;     // (padded)

  int64_t padded() const { return static_cast<int64_t>(groups) * kOctet; }
};

// One of ⊕ = max, log Σ exp. Called for the borders in order: begin_block at the first border of each block of kBlock,
// arrive at each border, leave at each but the last.
struct SemiMarkovKernels {
  // window = ⊕ over the X before border t, for borders t … t + kBlock − 1.
  void (*begin_block)(SemiMarkov& m, int64_t t);

  // Rows of border t: `in_window` ⊕ over the window, ended, opened; null where not wanted (in_window by max only).
  void (*arrive)(SemiMarkov& m, int64_t t, double* in_window, double* ended, double* opened);

  // Opens the segments that begin at border t, then passes frame t.
  void (*leave)(SemiMarkov& m, int64_t t, const double* opened, const double* scores);
};

struct SegmentCounting {
  // out[i] = exp(in[i] − shift[i mod kOctet])
  void (*exponentials)(const double* in, const double* shift, int64_t count, double* out);

  // counts[d−1] += exp(base + X_{t−d} + durations[d−1]) for d = 1 …; counts laid out as `durations`.
  void (*count_durations)(const SemiMarkov& m, int64_t t, const double* base, double* counts);

  // counts[i, j] += exp(ended[i] + matrix[i, j] + begun[j]); counts laid out as the matrix, (states, padded).
  void (*count_arcs)(const SemiMarkov& m, const double* ended, const double* begun, double* counts);
};

}  // namespace streamhmm
