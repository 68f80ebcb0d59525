#include "graph.h"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <string>

namespace streamhmm {
namespace {

[[noreturn]] void malformed(const std::string& what) {
  throw std::invalid_argument("malformed graph structure: " + what);
}

void check_indices(const int32_t* values, int64_t count, int64_t limit, const char* name) {
  uint32_t highest = 0;  // a negative index is a large unsigned one
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t value = static_cast<uint32_t>(values[i]);
    highest = value > highest ? value : highest;
  }
  if (count > 0 && highest >= limit) {
    throw std::invalid_argument(std::string(name) + " must be in 0…" + std::to_string(limit - 1) + ", got " +
                                std::to_string(static_cast<int32_t>(highest)));
  }
}

void check_rows(const int32_t* begin, int32_t states, int32_t arcs) {
  if (begin[0] != 0 || begin[states] != arcs) malformed("row bounds");
  for (int32_t state = 0; state < states; ++state) {
    if (begin[state + 1] < begin[state]) malformed("row order");
  }
}

// Throws where the size of a matrix, or of many, would not fit.
void check_transitions(const GraphRecord& r) {
  const int64_t states = r.states, slices = r.detail > 0 ? r.detail : 1;
  if (states > INT32_MAX / states || slices > INT64_MAX / 8 / (states * states)) malformed("size of the transitions");
}

void check_body(const GraphRecord& r, int64_t columns) {
  check_indices(r.body, r.states, columns, "graph pdfs");
  if (r.family == Family::dense) return;
  const BodyLayout at = body_layout(r);
  if (r.family == Family::linear) {
    check_indices(r.body + at.source, 2 * static_cast<int64_t>(r.arcs), r.states, "arc ends");
  } else {
    check_rows(r.body + at.begin, r.states, r.arcs);
    check_indices(r.body + at.source, r.arcs, r.states, "arc sources");
  }
}

template <class Real>
void check_weights(const Real* weights, int64_t count) {
  int32_t invalid = 0;
  for (int64_t i = 0; i < count; ++i) invalid |= !(weights[i] < std::numeric_limits<Real>::infinity());
  if (invalid != 0) throw std::invalid_argument("graph weights must be finite or -inf, got NaN or +inf");
}

void check_weights(const Batch& batch, const GraphRecord& r) {
  if (r.family == Family::dense && r.detail > 0) return;  // as many as the work itself; Python has looked at them
  if (batch.is_double) {
    check_weights(static_cast<const double*>(batch.weights) + r.weights_offset, r.weights_size);
  } else {
    check_weights(static_cast<const float*>(batch.weights) + r.weights_offset, r.weights_size);
  }
}

}  // namespace

int64_t graph_count(const Batch& batch) {
  const int64_t count = batch.structure_size > 0 ? batch.structure[0] : 0;
  if (count < 1 || batch.structure_size < 1 + kRecordSize * count) malformed("header");
  if (count != 1 && count != batch.batch) malformed("number of graphs");
  return count;
}

GraphRecord graph_structure(const Batch& batch, int64_t index) {
  const int64_t slot = graph_count(batch) == 1 ? 0 : index;
  const int32_t* fields = batch.structure + 1 + kRecordSize * slot;
  if (fields[0] < 0 || fields[0] > 2) malformed("family");
  if (fields[1] < 1 || fields[2] < 0 || fields[3] < 0 || fields[4] < 0 || fields[5] < 0) malformed("sizes");
  GraphRecord record = record_at(batch.structure, slot);
  if (record.family == Family::dense) {
    if (record.detail > 0 && record.detail < batch.frames) malformed("slices");
    check_transitions(record);
  }
  record.weights_size = weights_layout(record).end;
  if (fields[4] + body_layout(record).end > batch.structure_size) malformed("body");
  // no weight belongs to two graphs: what is counted for them is added up by several threads at once
  const bool is_last = slot + 1 == graph_count(batch);
  const int64_t weights_end =
      is_last ? batch.weights_size : std::min<int64_t>(fields[kRecordSize + 5], batch.weights_size);
  if (record.weights_offset + record.weights_size > weights_end) malformed("weights");
  check_body(record, batch.columns);
  return record;
}

GraphRecord graph_record(const Batch& batch, int64_t index) {
  const GraphRecord record = graph_structure(batch, index);
  check_weights(batch, record);
  return record;
}

template <class Real>
LinearGraph<Real> linear_graph(const GraphRecord& record, const Real* weights) {
  const BodyLayout body = body_layout(record);
  const WeightsLayout at = weights_layout(record);
  const Real* from = weights + record.weights_offset;
  const Real* skip = record.detail != 0 ? from + at.skip : nullptr;
  return {record.states,
          record.body,
          from + at.stay,
          from + at.advance,
          skip,
          record.arcs,
          record.body + body.source,
          record.body + body.target,
          from + at.arcs,
          from + at.initial,
          from + at.final};
}

template <class Real>
SparseGraph<Real> sparse_graph(const GraphRecord& record, const Real* weights) {
  const BodyLayout body = body_layout(record);
  const WeightsLayout at = weights_layout(record);
  const Real* from = weights + record.weights_offset;
  return {record.states,  record.body,       record.arcs,    record.body + body.begin, record.body + body.source,
          from + at.arcs, from + at.initial, from + at.final};
}

template <class Real>
DenseGraph<Real> dense_graph(const GraphRecord& record, const Real* weights) {
  const WeightsLayout at = weights_layout(record);
  const Real* from = weights + record.weights_offset;
  return {record.states, record.detail, record.body, from + at.arcs, from + at.initial, from + at.final};
}

template LinearGraph<float> linear_graph(const GraphRecord&, const float*);
template LinearGraph<double> linear_graph(const GraphRecord&, const double*);
template SparseGraph<float> sparse_graph(const GraphRecord&, const float*);
template SparseGraph<double> sparse_graph(const GraphRecord&, const double*);
template DenseGraph<float> dense_graph(const GraphRecord&, const float*);
template DenseGraph<double> dense_graph(const GraphRecord&, const double*);

}  // namespace streamhmm
