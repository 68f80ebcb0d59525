// What the semi-Markov drivers share: the tables of a batch's graphs, the size of a chunk.
#pragma once

#include <memory>
#include <stdexcept>

#include "../graph.h"
#include "checkpoints.h"
#include "semi_markov_tables.h"
#include "sequences.h"

namespace streamhmm {

template <class Real>
ArcList<Real> arcs_of(const GraphRecord& record, const Real* weights) {
  if (record.family == Family::linear) return arc_list(linear_graph(record, weights));
  if (record.family == Family::sparse) return arc_list(sparse_graph(record, weights));
  if (record.detail > 0) throw std::invalid_argument("durations with transitions that vary are not supported");
  return arc_list(dense_graph(record, weights));
}

// The arcs of each sequence's graph: made once where the batch shares a graph, else when asked for.
template <class Real>
class SharedArcs {
 public:
  SharedArcs(const Batch& batch, const Durations& durations, bool reversed, bool sums)
      : batch_(batch), durations_(durations), reversed_(reversed), sums_(sums) {
    if (batch.batch > 0 && batch.frames > 0 && graph_count(batch) == 1) shared_ = make(0);
  }
  std::shared_ptr<const ArcTable> of(int64_t b) const { return shared_ ? shared_ : make(b); }

 private:
  std::shared_ptr<const ArcTable> make(int64_t b) const {
    const GraphRecord record = graph_record(batch_, b);
    if (record.states != durations_.states) throw std::invalid_argument("durations and graph differ in states");
    const auto* weights = static_cast<const Real*>(batch_.weights);
    return std::make_shared<const ArcTable>(arcs_of(record, weights), reversed_, sums_);
  }

  const Batch& batch_;
  const Durations& durations_;
  bool reversed_, sums_;
  std::shared_ptr<const ArcTable> shared_;
};

// Borders a chunk, a multiple of kBlock; sizes in doubles.
inline int64_t chunk_borders(int64_t borders, int64_t row_size, int64_t saved_size, int64_t budget) {
  constexpr int64_t kBytes = sizeof(double);
  const int64_t chunk = segment_frames(borders, row_size * kBytes, saved_size * kBytes, budget);
  return (chunk + kBlock - 1) / kBlock * kBlock;
}

}  // namespace streamhmm
