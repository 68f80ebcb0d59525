// ForwardRows: the rows α of a stretch of frames, for who goes through them from the last to the first. All are kept
// where the budget allows; else the row before each segment is, and a segment is computed once more when its turn
// comes. Who wants the last row only keeps a few.
#pragma once

#include <algorithm>

#include "../params.h"
#include "buffer.h"
#include "checkpoints.h"

namespace streamhmm {

template <class Summer, class Real>
class ForwardRows {
 public:
  // Frames first … frames−1. `before` is the row of frame first−1; null where first is 0.
  ForwardRows(Summer& summer, const ScoreRows<Real>& scores, int64_t budget, int64_t first = 0,
              const uint8_t* before = nullptr)
      : ForwardRows(summer, scores, first,
                    segment_frames(scores.frames - first, summer.row_bytes(), summer.row_bytes(), budget), true) {
    if (before != nullptr) std::copy_n(before, summer.row_bytes(), saved_.data());
  }

  // For run() alone.
  static ForwardRows last_only(Summer& summer, const ScoreRows<Real>& scores) {
    return {summer, scores, 0, std::min(scores.frames, kRolling), false};
  }

  // Computes all of them; returns the last.
  const uint8_t* run() {
    for (int64_t s = 0; s < segments_; ++s) {
      if (s > 0) std::copy_n(row(begin(s) - 1, s - 1), summer_.row_bytes(), before(s));
      fill(s);
    }
    return row(scores_.frames - 1, segments_ - 1);
  }

  // visit(t, row of t, row of t−1) for t = frames−1 … first, after run(). Frame 0 has no row before it: null.
  template <class Visit>
  void backwards(Visit visit) {
    for (int64_t s = segments_ - 1; s >= 0; --s) {
      if (s < segments_ - 1) fill(s);
      for (int64_t t = begin(s + 1) - 1; t >= begin(s); --t) visit(t, row(t, s), previous(t, s));
    }
  }

 private:
  static constexpr int64_t kRolling = 16;  // rows kept when nothing has to come back

  ForwardRows(Summer& summer, const ScoreRows<Real>& scores, int64_t first, int64_t segment, bool save)
      : summer_(summer),
        scores_(scores),
        first_(first),
        segment_(segment),
        segments_((scores.frames - first + segment - 1) / segment),
        save_(save),
        rows_(segment_ * summer.row_bytes()),
        saved_((save ? segments_ : 1) * summer.row_bytes()) {}

  int64_t begin(int64_t s) const { return std::min(first_ + s * segment_, scores_.frames); }
  uint8_t* row(int64_t t, int64_t s) { return rows_.data() + (t - begin(s)) * summer_.row_bytes(); }
  // The row of the frame before segment s.
  uint8_t* before(int64_t s) { return saved_.data() + (save_ ? s : 0) * summer_.row_bytes(); }
  const uint8_t* previous(int64_t t, int64_t s) {
    if (t == 0) return nullptr;
    return t > begin(s) ? row(t - 1, s) : before(s);
  }

  void fill(int64_t s) {
    for (int64_t t = begin(s); t < begin(s + 1); ++t) {
      const Real* scores = scores_.data + t * scores_.stride;
      if (t == 0) {
        summer_.start(scores, row(0, 0));
      } else {
        summer_.enter(t);
        summer_.forward(scores, previous(t, s), row(t, s));
      }
    }
  }

  Summer& summer_;
  ScoreRows<Real> scores_;
  int64_t first_;
  int64_t segment_;
  int64_t segments_;
  bool save_;  // the row before each segment, not just before the one at hand
  Buffer<uint8_t> rows_;
  Buffer<uint8_t> saved_;
};

}  // namespace streamhmm
