// The packed form in which graphs reach the core: one int32 tensor `structure`, one tensor `weights`.
//
//   structure = [ G, record₀, …, record_{G−1}, body₀, … ]        G = 1 (shared by the batch) or one graph a sequence
//   record    = [ family, states, arcs, detail, structure_offset, weights_offset ]
//
//   linear    body:    pdf (S), source (E), target (E)           E = arcs outside the band; detail: whether there is
//   skip
//             weights: stay (S), advance (S), [skip (S)], extra (E), initial (S), final (S)
//   sparse    body:    pdf (S), begin (S+1), source (A)
//             weights: arcs (A), initial (S), final (S)
//   dense     body:    pdf (S)                                   arcs = 0; detail: slices n, 0 where constant
//             weights: transitions (max(n, 1), S, S), initial (S), final (S)
//
// `streamhmm/packing.py` writes it; this is the only place that reads it. Every index is checked here, before any
// kernel; that extra arcs are sorted by target, then source, is trusted.
#pragma once

#include <cstdint>

#include "params.h"

namespace streamhmm {

enum class Family : int32_t { linear = 0, sparse = 1, dense = 2 };

struct GraphRecord {
  Family family;
  int32_t states;
  int32_t arcs;
  int32_t detail;
  const int32_t* body;
  int64_t weights_offset;
  int64_t weights_size;
};

// The number of graphs in the batch's structure (1 or the batch's size).
int64_t graph_count(const Batch& batch);

// The record of the graph of sequence `index`, with every index in it checked; throws std::invalid_argument.
GraphRecord graph_record(const Batch& batch, int64_t index);

template <class Real>
LinearGraph<Real> linear_graph(const GraphRecord& record, const Real* weights);

template <class Real>
SparseGraph<Real> sparse_graph(const GraphRecord& record, const Real* weights);

template <class Real>
DenseGraph<Real> dense_graph(const GraphRecord& record, const Real* weights);

}  // namespace streamhmm
