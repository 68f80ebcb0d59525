// Plain structs that cross the border between the bindings, the drivers and the kernels: pointers, sizes, strides.
#pragma once

#include <cstdint>

namespace streamhmm {

// Scores of one sequence: `frames` rows of log-likelihoods, `stride` elements apart, one column per pdf.
template <class Real>
struct ScoreRows {
  const Real* data;
  int64_t frames;
  int64_t columns;
  int64_t stride;
};

// A left-to-right graph: arcs s -> s, s -> s+1, s -> s+2 (indexed by their source state), and a short list of others.
template <class Real>
struct LinearGraph {
  int32_t states;
  const int32_t* pdf;     // (states)
  const Real* stay;       // (states)      s -> s
  const Real* advance;    // (states)      s -> s+1
  const Real* skip;       // (states)      s -> s+2, or null
  int32_t extras;         // arcs outside the band, sorted by destination, then source
  const int32_t* source;  // (extras)
  const int32_t* target;  // (extras)
  const Real* weight;     // (extras)
  const Real* initial;    // (states)
  const Real* final;      // (states)
};

// Any graph: arcs in CSR form, grouped by destination and sorted by source within each group.
template <class Real>
struct SparseGraph {
  int32_t states;
  const int32_t* pdf;  // (states)
  int32_t arcs;
  const int32_t* begin;   // (states + 1)  arcs into state j are begin[j] … begin[j+1]−1
  const int32_t* source;  // (arcs)
  const Real* weight;     // (arcs)
  const Real* initial;    // (states)
  const Real* final;      // (states)
};

// Every state may follow every other one. Transitions are (states, states), from row to column: the same in every
// frame, or (slices, states, states), where slice t holds the step from frame t−1 to t and slice 0 is not used.
template <class Real>
struct DenseGraph {
  int32_t states;
  int32_t slices;      // 0: the same in every frame
  const int32_t* pdf;  // (states)
  const Real* transitions;
  const Real* initial;  // (states)
  const Real* final;    // (states)

  const Real* step_to(int64_t frame) const {
    return transitions + (slices > 0 ? frame * states * static_cast<int64_t>(states) : 0);
  }
};

// A batch as the Python side hands it over. Strides count elements; the last axis of `scores` is contiguous.
struct Batch {
  const void* scores;  // (batch, frames, columns), float or double
  bool is_double;
  int64_t batch;
  int64_t frames;
  int64_t columns;
  int64_t batch_stride;
  int64_t frame_stride;
  const int64_t* lengths;    // (batch), or null: all `frames` long
  const int32_t* structure;  // packed graphs, see graph.h
  int64_t structure_size;
  const void* weights;  // packed weights, of the scores' type
  int64_t weights_size;
  int64_t memory_budget;  // bytes for what grows with frames × states
  int32_t threads;
};

}  // namespace streamhmm
