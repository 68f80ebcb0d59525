#include "graph.h"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <string>

namespace streamhmm {
namespace {

constexpr int64_t kRecordSize = 6;

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

int64_t body_size(const GraphRecord& r) {
  const int64_t states = r.states, arcs = r.arcs;
  if (r.family == Family::dense) return states;
  return r.family == Family::linear ? states + 2 * arcs : 2 * states + 1 + arcs;
}

// Throws where the size of a matrix, or of many, would not fit.
int64_t transitions_size(const GraphRecord& r) {
  const int64_t states = r.states, slices = r.detail > 0 ? r.detail : 1;
  if (states > INT32_MAX / states || slices > INT64_MAX / 8 / (states * states)) malformed("size of the transitions");
  return slices * states * states;
}

int64_t weights_size(const GraphRecord& r) {
  const int64_t ends = 2 * static_cast<int64_t>(r.states);
  if (r.family == Family::dense) return transitions_size(r) + ends;
  const int64_t band = r.family == Family::linear ? (r.detail != 0 ? 3 : 2) : 0;
  return band * r.states + r.arcs + ends;
}

void check_body(const GraphRecord& r, int64_t columns) {
  check_indices(r.body, r.states, columns, "graph pdfs");
  if (r.family == Family::dense) return;
  const int32_t* rest = r.body + r.states;
  if (r.family == Family::linear) {
    check_indices(rest, 2 * static_cast<int64_t>(r.arcs), r.states, "arc ends");
  } else {
    check_rows(rest, r.states, r.arcs);
    check_indices(rest + r.states + 1, r.arcs, r.states, "arc sources");
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

GraphRecord graph_record(const Batch& batch, int64_t index) {
  const int64_t slot = graph_count(batch) == 1 ? 0 : index;
  const int32_t* fields = batch.structure + 1 + kRecordSize * slot;
  if (fields[0] < 0 || fields[0] > 2) malformed("family");
  const int64_t body_offset = fields[4];
  GraphRecord record{static_cast<Family>(fields[0]), fields[1], fields[2], fields[3], nullptr, fields[5], 0};
  if (record.states < 1 || record.arcs < 0 || record.detail < 0 || body_offset < 0 || record.weights_offset < 0) {
    malformed("sizes");
  }
  if (record.family == Family::dense && record.detail > 0 && record.detail < batch.frames) malformed("slices");
  record.weights_size = weights_size(record);
  if (body_offset + body_size(record) > batch.structure_size) malformed("body");
  // no weight belongs to two graphs: what is counted for them is added up by several threads at once
  const bool is_last = slot + 1 == graph_count(batch);
  const int64_t weights_end =
      is_last ? batch.weights_size : std::min<int64_t>(fields[kRecordSize + 5], batch.weights_size);
  if (record.weights_offset + record.weights_size > weights_end) malformed("weights");
  record.body = batch.structure + body_offset;
  check_body(record, batch.columns);
  check_weights(batch, record);
  return record;
}

template <class Real>
LinearGraph<Real> linear_graph(const GraphRecord& record, const Real* weights) {
  const int64_t states = record.states;
  const int32_t* source = record.body + states;
  const Real* next = weights + record.weights_offset;
  auto take = [&next](int64_t count) { return (next += count) - count; };
  const Real* stay = take(states);
  const Real* advance = take(states);
  const Real* skip = record.detail != 0 ? take(states) : nullptr;
  const Real* extra = take(record.arcs);
  const Real* initial = take(states);
  return {record.states, record.body,          stay,  advance, skip,        record.arcs,
          source,        source + record.arcs, extra, initial, take(states)};
}

template <class Real>
SparseGraph<Real> sparse_graph(const GraphRecord& record, const Real* weights) {
  const int64_t states = record.states;
  const int32_t* begin = record.body + states;
  const Real* arcs = weights + record.weights_offset;
  const Real* initial = arcs + record.arcs;
  return {record.states, record.body, record.arcs, begin, begin + states + 1, arcs, initial, initial + states};
}

template <class Real>
DenseGraph<Real> dense_graph(const GraphRecord& record, const Real* weights) {
  const Real* transitions = weights + record.weights_offset;
  const Real* initial = transitions + record.weights_size - 2 * static_cast<int64_t>(record.states);
  return {record.states, record.detail, record.body, transitions, initial, initial + record.states};
}

template LinearGraph<float> linear_graph(const GraphRecord&, const float*);
template LinearGraph<double> linear_graph(const GraphRecord&, const double*);
template SparseGraph<float> sparse_graph(const GraphRecord&, const float*);
template SparseGraph<double> sparse_graph(const GraphRecord&, const double*);
template DenseGraph<float> dense_graph(const GraphRecord&, const float*);
template DenseGraph<double> dense_graph(const GraphRecord&, const double*);

}  // namespace streamhmm
