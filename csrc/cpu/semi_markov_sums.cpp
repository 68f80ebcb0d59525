// The driver of semi-Markov sums.
#include <algorithm>
#include <optional>

#include "../semi_markov.h"
#include "segment_posteriors.h"

namespace streamhmm {
namespace {

template <class Real>
SegmentTargets<Real> segment_targets_of(const Batch& batch, const Durations& durations, const Sums& sums,
                                        double* segment_counts, const GraphRecord& record, int64_t b) {
  const int64_t size = durations.states * durations.longest;
  return {targets_of<Real>(sums, batch, record, b), record.weights_size,
          segment_counts == nullptr ? nullptr : segment_counts + b * size, durations.longest};
}

template <class Real>
InvalidScore sum_batch(const Batch& batch, const Durations& durations, const Sums& sums, double* segment_counts) {
  const bool forward_only = sums.forward_only() && segment_counts == nullptr;
  if (sums.log_likelihood != nullptr) std::fill_n(sums.log_likelihood, batch.batch, kImpossible);
  const DurationTable table(durations, std::max<int64_t>(batch.frames, 1), true);
  const SharedArcs<Real> arcs(batch, durations, false, true);
  std::optional<SharedArcs<Real>> turned;
  if (!forward_only) turned.emplace(batch, durations, true, true);
  return for_each_sequence<Real>(batch, [&](const Sequence<Real>& sequence) {
    const int64_t b = sequence.index;
    const auto of_graph = arcs.of(b);
    const auto to = segment_targets_of<Real>(batch, durations, sums, segment_counts, sequence.record, b);
    SumsFromLeft<Real> left(table, *of_graph, sequence.scores, sequence.record, sequence.budget, forward_only);
    const double total = left.log_likelihood();
    if (sums.log_likelihood != nullptr) sums.log_likelihood[b] = total + left.total_offset();
    if (forward_only || !(total > kImpossible)) return;
    SegmentPosteriors<Real>(table, *of_graph, *turned->of(b), sequence.scores, sequence.record, left, total, to).run();
  });
}

}  // namespace

InvalidScore semi_markov_sums(const Batch& batch, const Durations& durations, const Sums& sums,
                              double* segment_counts) {
  return batch.is_double ? sum_batch<double>(batch, durations, sums, segment_counts)
                         : sum_batch<float>(batch, durations, sums, segment_counts);
}

}  // namespace streamhmm
