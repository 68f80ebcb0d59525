// The driver of semi-Markov sums.
#include <algorithm>
#include <optional>

#include "../semi_markov.h"
#include "segment_posteriors.h"

namespace streamhmm {
namespace {

template <class Real>
SegmentTargets<Real> targets_of(const Batch& batch, const Durations& durations, const Sums& sums,
                                double* segment_counts, const GraphRecord& record, int64_t b) {
  SegmentTargets<Real> to{};
  if (sums.by_state != nullptr) {
    to.by_state = static_cast<Real*>(sums.by_state) + b * batch.frames * sums.states_wide;
    to.states_wide = sums.states_wide;
  }
  if (sums.by_pdf != nullptr) to.by_pdf = static_cast<Real*>(sums.by_pdf) + b * batch.frames * batch.columns;
  if (sums.counts != nullptr) to.counts = sums.counts + b * sums.counts_stride + record.weights_offset;
  to.counts_size = record.weights_size;
  if (segment_counts != nullptr) to.segments = segment_counts + b * durations.states * durations.longest;
  to.segments_longest = durations.longest;
  return to;
}

template <class Real>
InvalidScore sum_batch(const Batch& batch, const Durations& durations, const Sums& sums, double* segment_counts) {
  const bool forward_only =
      sums.by_state == nullptr && sums.by_pdf == nullptr && sums.counts == nullptr && segment_counts == nullptr;
  if (sums.log_likelihood != nullptr) std::fill_n(sums.log_likelihood, batch.batch, kImpossible);
  const DurationTable table(durations, std::max<int64_t>(batch.frames, 1), true);
  const SharedArcs<Real> arcs(batch, durations, false, true);
  std::optional<SharedArcs<Real>> turned;
  if (!forward_only) turned.emplace(batch, durations, true, true);
  return for_each_sequence<Real>(
      batch, [&](int64_t b, const GraphRecord& record, const ScoreRows<Real>& rows, int64_t budget) {
        const auto of_graph = arcs.of(b);
        const auto to = targets_of<Real>(batch, durations, sums, segment_counts, record, b);
        SumsFromLeft<Real> left(table, *of_graph, rows, record, budget, forward_only);
        const double total = left.log_likelihood();
        if (sums.log_likelihood != nullptr) sums.log_likelihood[b] = total + left.total_offset();
        if (forward_only || !(total > kImpossible)) return;
        SegmentPosteriors<Real>(table, *of_graph, *turned->of(b), rows, record, left, total, to).run();
      });
}

}  // namespace

InvalidScore semi_markov_sums(const Batch& batch, const Durations& durations, const Sums& sums,
                              double* segment_counts) {
  return batch.is_double ? sum_batch<double>(batch, durations, sums, segment_counts)
                         : sum_batch<float>(batch, durations, sums, segment_counts);
}

}  // namespace streamhmm
