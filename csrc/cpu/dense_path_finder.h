// DensePathFinder: Viterbi on a dense graph for a tile of sequences. α of every frame of a segment is kept; going back
// finds the winners again. Kernels take runs of frames: those of a block, while the same sequences go on.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "buffer.h"
#include "checkpoints.h"
#include "dense_path_score.h"
#include "dense_transitions.h"
#include "last_state.h"
#include "sequence_tile.h"
#include "tile_offsets.h"

namespace streamhmm {

template <class Real>
class DensePathFinder {
 public:
  // `checked`: the scores are known to be numbers that Real can hold.
  DensePathFinder(const DenseTransitions<Real>& transitions, const SequenceTile<Real>& tile, int64_t budget,
                  double beam, bool checked)
      : transitions_(transitions),
        graph_(transitions.graph()),
        tile_(tile),
        beam_(beam),
        checked_(checked),
        row_(dense_row_size(graph_.states)),
        tiles_(tile_count(graph_.states)),
        segment_(segment_frames(tile.frames(), tile.count() * frame_bytes(), tile.count() * frame_bytes(), budget)),
        segments_((tile.frames() + segment_ - 1) / segment_),
        alpha_(tile.count() * (segment_ + 1) * row_),
        offset_(tile.count() * (segment_ / kRecentre + 2) * tiles_),
        saved_(tile.count() * segments_ * row_),
        saved_offset_(tile.count() * segments_ * tiles_),
        panels_(transitions.varies() ? kernels_of<Real>().panel_cells(graph_.states) : 0),
        columns_(transitions.varies() ? tile.count() * row_ : 0, kNever),
        shifted_(kDenseTile * row_),
        shift_(shifts() ? int64_t{tile.count()} * tiles_ * tiles_ : 0, Real(0)),
        moved_(tiles_),
        last_(tile.count()) {}

  // Fills the paths and their scores; false, and nothing filled, if unchecked scores are not all finite and moderate.
  bool find(int64_t* const* states, double* score) {
    for (int64_t s = 0; s < segments_; ++s) {
      if (s > 0) save(s);
      if (!fill_segment(s, true)) return false;
    }
    for (int64_t s = segments_ - 1; s >= 0; --s) {
      if (s < segments_ - 1) fill_segment(s, false);
      trace(s, states);
    }
    for (int q = 0; q < tile_.count(); ++q) {
      if (!found_[q]) std::fill_n(states[q], tile_[q].frames, int64_t{-1});
      score[q] = score_of_path(graph_, tile_[q], states[q]);
    }
    return true;
  }

 private:
  static constexpr Real kNever = -std::numeric_limits<Real>::infinity();

  int64_t frame_bytes() const { return row_ * static_cast<int64_t>(sizeof(Real)); }
  bool shifts() const { return sizeof(Real) == sizeof(float) && tiles_ > 1; }
  int64_t begin(int64_t s) const { return std::min(s * segment_, tile_.frames()); }

  // The run that begins with frame t of segment s ends before this frame.
  int64_t run_end(int64_t t, int64_t s) const {
    if (transitions_.varies()) return t + 1;
    const int64_t next_block = (t / kRecentre + 1) * kRecentre;
    return std::min({next_block, begin(s + 1), tile_.same_until(t)});
  }
  // The first frame, from `first` on, of the run that ends with frame t.
  int64_t run_begin(int64_t t, int64_t first) const {
    if (transitions_.varies()) return t;
    return std::max({first, t / kRecentre * kRecentre, tile_.same_from(t)});
  }

  // Row 0 is the last of the segment before.
  Real* row(int q, int64_t t, int64_t s) { return alpha_.data() + (q * (segment_ + 1) + t - begin(s) + 1) * row_; }
  // The offsets in force at frame t.
  double* offset(int q, int64_t t, int64_t s) {
    const int64_t block = t / kRecentre - begin(s) / kRecentre;
    return offset_.data() + (q * (segment_ / kRecentre + 2) + block) * tiles_;
  }

  void save(int64_t s) {
    for (int q = 0; q < tile_.active(begin(s)); ++q) {
      std::copy_n(row(q, begin(s) - 1, s - 1), row_, saved_.data() + (q * segments_ + s) * row_);
      std::copy_n(offset(q, begin(s) - 1, s - 1), tiles_, saved_offset_.data() + (q * segments_ + s) * tiles_);
    }
  }

  void restore(int64_t s) {
    for (int q = 0; q < tile_.active(begin(s)); ++q) {
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
    for (int64_t t = std::max<int64_t>(begin(s), 1); t < begin(s + 1);) {
      const int64_t end = run_end(t, s);
      if (!advance(t, end, s)) return false;
      if (first_time) note_ends(end - 1, s);
      t = end;
    }
    return true;
  }

  bool start(bool first_time) {
    bool usual = true;
    for (int q = 0; q < tile_.count(); ++q) {
      Real* alpha = row(q, 0, 0);
      for (int32_t j = 0; j < graph_.states; ++j) {
        const Real score = tile_.scores(q, 0)[graph_.pdf[j]];
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

  // Frames t … end−1 are of one run.
  bool advance(int64_t t, int64_t end, int64_t s) {
    DenseAdvance<Real> d{};
    d.states = graph_.states;
    d.frames = end - t;
    d.panels = panels_into(t);
    d.pdf = transitions_.pdfs();
    d.sequences = tile_.active(t);
    d.shifted = shifted_.data();
    for (int q = 0; q < d.sequences; ++q) {
      if (t % kRecentre == 0) recentre_row(q, t, s);
      d.scores[q] = tile_.scores(q, t);
      d.stride[q] = tile_[q].stride;
      d.alpha[q] = row(q, t - 1, s);
      d.shift[q] = shift(q);
    }
    return !kernels_of<Real>().dense_advance(d) || checked_;
  }

  const Real* panels_into(int64_t t) {
    if (!transitions_.varies()) return transitions_.panels();
    transitions_.pack_panels(t, panels_.data());
    return panels_.data();
  }

  // Frame t is the first of a block.
  void recentre_row(int q, int64_t t, int64_t s) {
    double* now = offset(q, t, s);
    if (t > begin(s)) std::copy_n(offset(q, t - 1, s), tiles_, now);
    if (!has_recentring<Real>(beam_)) return;
    recentre(row(q, t - 1, s), graph_.states, beam_, now, moved_.data());
    refresh_shifts(q, t, s);
  }

  const Real* shift(int q) const { return shifts() ? shift_.data() + q * int64_t{tiles_} * tiles_ : nullptr; }

  void refresh_shifts(int q, int64_t t, int64_t s) {
    if (!shifts()) return;
    Real* out = shift_.data() + q * int64_t{tiles_} * tiles_;
    const double* now = offset(q, t, s);
    for (int32_t target = 0; target < tiles_; ++target) {
      for (int32_t source = 0; source < tiles_; ++source) *out++ = static_cast<Real>(now[source] - now[target]);
    }
  }

  // Where the sequences end that end with frame t.
  void note_ends(int64_t t, int64_t s) {
    for (int q = tile_.active(t + 1); q < tile_.active(t); ++q) {
      const double* offsets = offset(q, t, s);
      const Real* alpha = row(q, t, s);
      last_[q] = best_last_state(graph_.states, graph_.final,
                                 [=](int32_t j) { return offsets[j / kTile] + static_cast<double>(alpha[j]); });
      found_[q] = last_[q] >= 0;
      if (!found_[q]) last_[q] = 0;
    }
  }

  // Walks from the segment's end to its begin; `last_` holds the state of the frame that comes next.
  void trace(int64_t s, int64_t* const* states) {
    const int64_t first = std::max<int64_t>(begin(s), 1);
    for (int64_t end = begin(s + 1); end > first;) {
      const int64_t t = run_begin(end - 1, first);
      walk_back(t, end, s, states);
      end = t;
    }
    for (int q = 0; s == 0 && q < tile_.count(); ++q) states[q][0] = last_[q];
  }

  void walk_back(int64_t t, int64_t end, int64_t s, int64_t* const* states) {
    DenseWalk<Real> d{};
    d.states = graph_.states;
    d.frames = end - t;
    d.column_step = transitions_.varies() ? 0 : row_;
    d.sequences = tile_.active(t);
    for (int q = 0; q < d.sequences; ++q) {
      refresh_shifts(q, t, s);
      d.alpha[q] = row(q, t - 1, s);
      d.shift[q] = shift(q);
      d.column[q] = column(q, t);
      d.path[q] = states[q] + t;
      d.state[q] = last_[q];
    }
    kernels_of<Real>().dense_walk_back(d);
    std::copy_n(d.state, d.sequences, last_.data());
  }

  const Real* column(int q, int64_t t) {
    if (!transitions_.varies()) return transitions_.columns();
    transitions_.copy_column(t, last_[q], columns_.data() + q * row_);
    return columns_.data() + q * row_;
  }

  const DenseTransitions<Real>& transitions_;
  const DenseGraph<Real>& graph_;
  const SequenceTile<Real>& tile_;
  double beam_;
  bool checked_;
  int64_t row_;
  int32_t tiles_;
  int64_t segment_;
  int64_t segments_;
  Buffer<Real> alpha_;
  Buffer<double> offset_;
  Buffer<Real> saved_;
  Buffer<double> saved_offset_;
  Buffer<Real> panels_, columns_;  // of the step at hand, where transitions vary
  Buffer<Real> shifted_, shift_, moved_;
  Buffer<int32_t> last_;
  bool found_[kDenseTile] = {};
};

}  // namespace streamhmm
