#include <algorithm>

#include "batch.h"

namespace streamhmm::cuda {
namespace {

int32_t most_equal(const int32_t* sorted, int32_t count) {
  int32_t most = 0, run = 0;
  for (int32_t i = 0; i < count; ++i) {
    run = i > 0 && sorted[i] == sorted[i - 1] ? run + 1 : 1;
    most = std::max(most, run);
  }
  return most;
}

int32_t most_entering(const GraphRecord& r) {
  const BodyLayout at = body_layout(r);
  if (r.family == Family::dense) return r.states;
  if (r.family == Family::linear) return (r.detail != 0 ? 3 : 2) + most_equal(r.body + at.target, r.arcs);
  int32_t most = 0;
  const int32_t* begin = r.body + at.begin;
  for (int32_t state = 0; state < r.states; ++state) most = std::max(most, begin[state + 1] - begin[state]);
  return most;
}

}  // namespace

GraphSizes graph_sizes(const Batch& batch) {
  GraphSizes sizes;
  sizes.graphs = graph_count(batch);
  for (int64_t index = 0; index < sizes.graphs; ++index) {
    const GraphRecord r = graph_structure(batch, index);
    sizes.states = std::max(sizes.states, r.states);
    sizes.entering = std::max(sizes.entering, most_entering(r));
    sizes.most_listed = std::max(sizes.most_listed, r.arcs);
    sizes.most_weights = std::max(sizes.most_weights, r.weights_size);
    (r.family == Family::linear && r.arcs == 0 ? sizes.has_plain_linear : sizes.has_others) = true;
  }
  return sizes;
}

}  // namespace streamhmm::cuda
