// DensePathFinder: Viterbi on a dense graph for a tile of sequences. α of every frame of a segment is kept; going back
// finds the winners again.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "buffer.h"
#include "checkpoints.h"
#include "dense_path_score.h"
#include "dense_transitions.h"
#include "tile_offsets.h"

namespace streamhmm {

template <class Real>
class DensePathFinder {
 public:
  // `scores` of up to kDenseTile sequences, the longest first, none empty; `checked`: they are known to be numbers that
  // Real can hold.
  DensePathFinder(const DenseGraph<Real>& graph, const ScoreRows<Real>* scores, int count, int64_t budget, double beam,
                  bool checked)
      : graph_(graph),
        scores_(scores),
        count_(count),
        beam_(beam),
        checked_(checked),
        row_(dense_row_size(graph.states)),
        tiles_(tile_count(graph.states)),
        panels_(graph, false, kNever),
        columns_(graph),
        pdfs_(graph.pdf, graph.states),
        segment_(segment_frames(scores[0].frames, count * frame_bytes(), count * frame_bytes(), budget)),
        segments_((scores[0].frames + segment_ - 1) / segment_),
        alpha_(count * (segment_ + 1) * row_),
        offset_(count * (segment_ / kRecentre + 2) * tiles_),
        saved_(count * segments_ * row_),
        saved_offset_(count * segments_ * tiles_),
        shifted_(kDenseTile * row_),
        shift_(shifts() ? int64_t{count} * tiles_ * tiles_ : 0, Real(0)),
        moved_(tiles_),
        last_(count) {}

  // Fills the paths and their scores; false, and nothing filled, if unchecked scores are not all finite and moderate.
  bool find(int64_t* const* states, double* score) {
    for (int64_t s = 0; s < segments_; ++s) {
      if (s > 0) save(s);
      if (!fill_segment(s, true)) return false;
    }
    for (int q = 0; q < count_; ++q)
      score[q] = last_[q] < 0 ? kImpossible : static_cast<double>(graph_.final[last_[q]]);
    for (int64_t s = segments_ - 1; s >= 0; --s) {
      if (s < segments_ - 1) fill_segment(s, false);
      trace(s, states);
    }
    for (int q = 0; q < count_; ++q) score[q] = score_of_path(graph_, scores_[q], states[q]);
    return true;
  }

 private:
  static constexpr Real kNever = -std::numeric_limits<Real>::infinity();
  static constexpr double kImpossible = -std::numeric_limits<double>::infinity();

  int64_t frame_bytes() const { return row_ * static_cast<int64_t>(sizeof(Real)); }
  bool shifts() const { return sizeof(Real) == sizeof(float) && tiles_ > 1; }
  int64_t begin(int64_t s) const { return std::min(s * segment_, scores_[0].frames); }
  int active(int64_t t) const {
    int q = count_;
    while (q > 0 && scores_[q - 1].frames <= t) --q;
    return q;
  }
  const Real* score_row(int q, int64_t t) const { return scores_[q].data + t * scores_[q].stride; }

  // Row 0 is the last of the segment before.
  Real* row(int q, int64_t t, int64_t s) { return alpha_.data() + (q * (segment_ + 1) + t - begin(s) + 1) * row_; }
  // The offsets in force at frame t.
  double* offset(int q, int64_t t, int64_t s) {
    const int64_t block = t / kRecentre - begin(s) / kRecentre;
    return offset_.data() + (q * (segment_ / kRecentre + 2) + block) * tiles_;
  }

  void save(int64_t s) {
    for (int q = 0; q < active(begin(s)); ++q) {
      std::copy_n(row(q, begin(s) - 1, s - 1), row_, saved_.data() + (q * segments_ + s) * row_);
      std::copy_n(offset(q, begin(s) - 1, s - 1), tiles_, saved_offset_.data() + (q * segments_ + s) * tiles_);
    }
  }

  void restore(int64_t s) {
    for (int q = 0; q < active(begin(s)); ++q) {
      std::copy_n(saved_.data() + (q * segments_ + s) * row_, row_, row(q, begin(s) - 1, s));
      std::copy_n(saved_offset_.data() + (q * segments_ + s) * tiles_, tiles_, offset(q, begin(s), s));
      refresh_shifts(q, begin(s), s);
    }
  }

  bool fill_segment(int64_t s, bool first_time) {
    if (s == 0) {
      if (!start(first_time)) return false;
    } else {
      restore(s);
    }
    for (int64_t t = std::max<int64_t>(begin(s), 1); t < begin(s + 1); ++t) {
      if (!advance(t, s)) return false;
      if (first_time) note_ends(t, s);
    }
    return true;
  }

  bool start(bool first_time) {
    bool usual = true;
    for (int q = 0; q < count_; ++q) {
      Real* alpha = row(q, 0, 0);
      for (int32_t j = 0; j < graph_.states; ++j) {
        const Real score = score_row(q, 0)[graph_.pdf[j]];
        usual &= std::fabs(score) <= Real(kLargestSingle);
        alpha[j] = graph_.initial[j] + score;
      }
      std::fill(alpha + graph_.states, alpha + row_, kNever);
      std::fill_n(offset(q, 0, 0), tiles_, 0.0);
      if (shifts()) refresh_shifts(q, 0, 0);
    }
    if (first_time) note_ends(0, 0);
    return usual || checked_;
  }

  bool advance(int64_t t, int64_t s) {
    DenseAdvance<Real> d{};
    d.states = graph_.states;
    d.panels = panels_.step_to(t);
    d.pdf = pdfs_.data();
    d.sequences = active(t);
    d.shifted = shifted_.data();
    for (int q = 0; q < d.sequences; ++q) {
      if (t % kRecentre == 0) recentre_row(q, t, s);
      d.scores[q] = score_row(q, t);
      d.previous[q] = row(q, t - 1, s);
      d.next[q] = row(q, t, s);
      d.shift[q] = shifts() ? shift_.data() + q * int64_t{tiles_} * tiles_ : nullptr;
    }
    return !kernels_of<Real>().dense_advance(d) || checked_;
  }

  // Frame t is the first of a block.
  void recentre_row(int q, int64_t t, int64_t s) {
    double* now = offset(q, t, s);
    if (t > begin(s)) std::copy_n(offset(q, t - 1, s), tiles_, now);
    if (!has_recentring<Real>(beam_)) return;
    recentre(row(q, t - 1, s), graph_.states, beam_, now, moved_.data());
    refresh_shifts(q, t, s);
  }

  void refresh_shifts(int q, int64_t t, int64_t s) {
    if (!shifts()) return;
    Real* shift = shift_.data() + q * int64_t{tiles_} * tiles_;
    for (int32_t target = 0; target < tiles_; ++target) shifts_into(target, offset(q, t, s), shift + target * tiles_);
  }

  void shifts_into(int32_t target, const double* offset, Real* out) const {
    for (int32_t source = 0; source < tiles_; ++source)
      out[source] = static_cast<Real>(offset[source] - offset[target]);
  }

  // The best last state of the sequences that end with frame t; −1 if no path ends.
  void note_ends(int64_t t, int64_t s) {
    for (int q = active(t + 1); q < active(t); ++q) {
      double best = kImpossible;
      last_[q] = -1;
      for (int32_t j = 0; j < graph_.states; ++j) {
        const double alpha = offset(q, t, s)[j / kTile] + static_cast<double>(row(q, t, s)[j]);
        const double total = alpha + static_cast<double>(graph_.final[j]);
        if (total > best) {
          best = total;
          last_[q] = j;
        }
      }
    }
  }

  // Walks from the segment's end to its begin; `last_` holds the state of the frame that comes next.
  void trace(int64_t s, int64_t* const* states) {
    for (int64_t t = begin(s + 1) - 1; t >= begin(s); --t) {
      for (int q = 0; q < active(t); ++q) {
        if (last_[q] < 0) continue;
        states[q][t] = last_[q];
        if (t > 0) step_back(q, t, s);
      }
    }
  }

  void step_back(int q, int64_t t, int64_t s) {
    const int32_t state = last_[q];
    const Real* shift = nullptr;
    if (shifts()) {
      shifts_into(state / kTile, offset(q, t, s), shifted_.data());
      shift = shifted_.data();
    }
    last_[q] = kernels_of<Real>().dense_winner(row(q, t - 1, s), shift, columns_.column(t, state), graph_.states);
  }

  DenseGraph<Real> graph_;
  const ScoreRows<Real>* scores_;
  int count_;
  double beam_;
  bool checked_;
  int64_t row_;
  int32_t tiles_;
  Panels<Real> panels_;
  Columns<Real> columns_;
  DensePdfs pdfs_;
  int64_t segment_;
  int64_t segments_;
  Buffer<Real> alpha_;
  Buffer<double> offset_;
  Buffer<Real> saved_;
  Buffer<double> saved_offset_;
  Buffer<Real> shifted_, shift_, moved_;
  Buffer<int32_t> last_;
};

}  // namespace streamhmm
