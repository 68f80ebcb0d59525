// The driver of forward and backward: segment by segment where memory is short, with the numbers that fit the range.
#include "../forward_backward.h"

#include <algorithm>
#include <limits>

#include "batch_rows.h"
#include "checkpoints.h"
#include "dense_sums.h"
#include "dense_tiles.h"
#include "pdf_summer.h"
#include "sum_targets.h"
#include "thread_pool.h"
#include "with_summer.h"

namespace streamhmm {
namespace {

constexpr double kImpossible = -std::numeric_limits<double>::infinity();

template <class Summer, class Real>
class SumFinder {
 public:
  SumFinder(Summer& summer, const GraphRecord& record, const ScoreRows<Real>& scores, const ColumnsRead& columns,
            int64_t budget, bool forward_only)
      : summer_(summer),
        record_(record),
        scores_(scores),
        segment_(forward_only ? std::min<int64_t>(scores.frames, kRolling)
                              : segment_frames(scores.frames, summer.row_bytes(), summer.row_bytes(), budget)),
        segments_((scores.frames + segment_ - 1) / segment_),
        rows_(segment_ * summer.row_bytes()),
        saved_(forward_only ? summer.row_bytes() : segments_ * summer.row_bytes()),
        forward_only_(forward_only),
        by_pdf_(forward_only ? PdfSummer<Real>() : PdfSummer<Real>(record, columns)) {}

  double log_likelihood() {
    for (int64_t s = 0; s < segments_; ++s) {
      if (s > 0) std::copy_n(row(begin(s) - 1, s - 1), summer_.row_bytes(), before(s));
      fill_segment(s);
    }
    return summer_.finish(row(scores_.frames - 1, segments_ - 1));
  }

  void posteriors(const Targets<Real>& to) {
    summer_.start_backward();
    for (int64_t s = segments_ - 1; s >= 0; --s) {
      if (s < segments_ - 1) fill_segment(s);
      for (int64_t t = begin(s + 1) - 1; t >= begin(s); --t) {
        summer_.posterior(row(t, s), by_pdf_.gamma(t));
        deliver(to, t);
        if (t == 0) continue;
        summer_.enter(t);
        summer_.backward(score_row(t), t > begin(s) ? row(t - 1, s) : before(s), to.counts);
      }
    }
  }

 private:
  static constexpr int64_t kRolling = 16;  // rows kept when nothing has to come back

  int64_t begin(int64_t s) const { return std::min(s * segment_, scores_.frames); }
  const Real* score_row(int64_t t) const { return scores_.data + t * scores_.stride; }
  uint8_t* row(int64_t t, int64_t s) { return rows_.data() + (t - s * segment_) * summer_.row_bytes(); }
  // The row of the frame before segment s.
  uint8_t* before(int64_t s) { return saved_.data() + (forward_only_ ? 0 : s) * summer_.row_bytes(); }

  void fill_segment(int64_t s) {
    for (int64_t t = begin(s); t < begin(s + 1); ++t) {
      if (t == 0) {
        summer_.start(score_row(0), row(0, 0));
      } else {
        summer_.enter(t);
        summer_.forward(score_row(t), t > begin(s) ? row(t - 1, s) : before(s), row(t, s));
      }
    }
  }

  void deliver(const Targets<Real>& to, int64_t t) {
    const int32_t states = record_.states;
    const Real* gamma = by_pdf_.gamma(t);
    if (to.by_state != nullptr) std::copy_n(gamma, states, to.by_state + t * to.states_wide);
    if (to.by_pdf != nullptr) by_pdf_.deliver(t, scores_.frames, to.by_pdf_scale, to.by_pdf);
    if (to.counts == nullptr) return;
    double* final = to.counts + record_.weights_size - states;
    double* initial = final - states;
    for (int32_t j = 0; t == 0 && j < states; ++j) initial[j] += gamma[j];
    for (int32_t j = 0; t == scores_.frames - 1 && j < states; ++j) final[j] += gamma[j];
  }

  Summer& summer_;
  GraphRecord record_;
  ScoreRows<Real> scores_;
  int64_t segment_;
  int64_t segments_;
  Buffer<uint8_t> rows_;
  Buffer<uint8_t> saved_;
  bool forward_only_;
  PdfSummer<Real> by_pdf_;
};

template <class Summer, class Real>
double sum_with(Summer& summer, const GraphRecord& record, const ScoreRows<Real>& scores, const ColumnsRead& columns,
                int64_t budget, const Targets<Real>& to) {
  SumFinder<Summer, Real> finder(summer, record, scores, columns, budget, !to.any());
  const double log_likelihood = finder.log_likelihood();
  if (to.any() && log_likelihood > kImpossible) finder.posteriors(to);
  return log_likelihood;
}

// What dense_sums leaves to its caller.
template <class Real>
void sum_dense_tiles(const Batch& batch, const Sums& sums, bool* done) {
  const GraphRecord record = graph_record(batch, 0);
  const DenseTiles<Real> tiles(batch);
  parallel_for(tiles.count(), batch.threads, [&](int64_t tile) {
    const uint32_t summed = dense_sums<Real>(batch, record, tiles.sequences(tile), tiles.size(tile), sums);
    for (int q = 0; q < tiles.size(tile); ++q) {
      const int64_t b = tiles.sequences(tile)[q];
      done[b] = summed >> q & 1;
    }
  });
}

template <class Real>
void sum_sequence(const Batch& batch, const Sums& sums, int64_t b, bool dense_tried, FirstInvalid& invalid) {
  const BatchRows<Real> rows(batch);
  const ScoreRows<Real> scores = rows.sequence(b);
  if (scores.frames == 0) return clear_behind<Real>(sums, batch, b, 0, 0);
  const GraphRecord record = graph_record(batch, b);
  if (record.family == Family::dense && !dense_tried && dense_sums<Real>(batch, record, &b, 1, sums)) return;
  const ColumnsRead columns(record, batch.columns);
  const int64_t bad = scan_scores(scores, columns).invalid_frame;
  if (bad >= 0) return invalid.report(b, bad);
  const auto to = targets_of<Real>(sums, batch, record, b);
  double result = kImpossible;
  with_summer<DenseNumbers::logarithms>(record, scores, rows.weights(), columns, [&](auto& summer) {
    result = sum_with(summer, record, scores, columns, rows.budget(), to);
  });
  clear_behind<Real>(sums, batch, b, result > kImpossible ? scores.frames : 0, record.states);
  if (sums.log_likelihood != nullptr) sums.log_likelihood[b] = result;
}

template <class Real>
InvalidScore sum_batch(const Batch& batch, const Sums& sums) {
  FirstInvalid invalid;
  Buffer<bool> done(batch.batch, false);
  if (sums.log_likelihood != nullptr) std::fill_n(sums.log_likelihood, batch.batch, kImpossible);
  const bool tiled = shares_dense_graph(batch);
  if (tiled) sum_dense_tiles<Real>(batch, sums, done.data());
  if (std::all_of(done.data(), done.data() + batch.batch, [](bool one) { return one; })) return invalid.result();
  parallel_for(batch.batch, batch.threads, [&](int64_t b) {
    if (!done[b]) sum_sequence<Real>(batch, sums, b, tiled, invalid);
  });
  return invalid.result();
}

}  // namespace

InvalidScore forward_backward(const Batch& batch, const Sums& sums) {
  return batch.is_double ? sum_batch<double>(batch, sums) : sum_batch<float>(batch, sums);
}

}  // namespace streamhmm
