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
// `streamhmm/packing.py` writes it; this is the only place that knows where what stands. Every index is checked here,
// before any kernel; that extra arcs are sorted by target, then source, is trusted.
#pragma once

#include <cstdint>

#include "both.h"
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

constexpr int64_t kRecordSize = 6;

// The record at `slot` as it stands there, unchecked.
STREAMHMM_BOTH inline GraphRecord record_at(const int32_t* structure, int64_t slot) {
  const int32_t* fields = structure + 1 + kRecordSize * slot;
  return {static_cast<Family>(fields[0]), fields[1], fields[2], fields[3], structure + fields[4], fields[5], 0};
}

// Where the parts of a body begin; for arcs sorted by target, `target` or `begin` tells where each target's are.
struct BodyLayout {
  int64_t source, target, begin, end;
};
STREAMHMM_BOTH inline BodyLayout body_layout(const GraphRecord& r) {
  const int64_t states = r.states, arcs = r.arcs;
  if (r.family == Family::linear) return {states, states + arcs, 0, states + 2 * arcs};
  if (r.family == Family::sparse) return {2 * states + 1, 0, states, 2 * states + 1 + arcs};
  return {0, 0, 0, states};
}

// Where the parts of a graph's weights begin, from its weights_offset on.
struct WeightsLayout {
  int64_t stay, advance, skip;  // linear
  int64_t arcs;                 // sparse: all; linear: those outside the band; dense: the transitions
  int64_t initial, final, end;
};
STREAMHMM_BOTH inline WeightsLayout weights_layout(const GraphRecord& r) {
  const int64_t states = r.states;
  const int64_t slices = r.detail > 0 ? r.detail : 1;
  const int64_t arcs = r.family == Family::linear ? (r.detail != 0 ? 3 : 2) * states : 0;
  const int64_t initial = arcs + (r.family == Family::dense ? slices * states * states : r.arcs);
  return {0, states, 2 * states, arcs, initial, initial + states, initial + 2 * states};
}

// The number of graphs in the batch's structure (1 or the batch's size).
int64_t graph_count(const Batch& batch);

// The record of the graph of sequence `index`, with every index in it checked; throws std::invalid_argument.
// graph_structure() looks at no weights.
GraphRecord graph_structure(const Batch& batch, int64_t index);
GraphRecord graph_record(const Batch& batch, int64_t index);

template <class Real>
LinearGraph<Real> linear_graph(const GraphRecord& record, const Real* weights);

template <class Real>
SparseGraph<Real> sparse_graph(const GraphRecord& record, const Real* weights);

template <class Real>
DenseGraph<Real> dense_graph(const GraphRecord& record, const Real* weights);

}  // namespace streamhmm
