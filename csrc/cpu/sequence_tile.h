// Sequences of one graph that advance together.
#pragma once

#include "../params.h"

namespace streamhmm {

// Up to kDenseTile sequences, the longest first, none empty.
template <class Real>
class SequenceTile {
 public:
  SequenceTile(const ScoreRows<Real>* scores, int count) : scores_(scores), count_(count) {}

  int count() const { return count_; }
  int64_t frames() const { return scores_[0].frames; }  // of the longest
  const ScoreRows<Real>& operator[](int q) const { return scores_[q]; }
  const Real* scores(int q, int64_t t) const { return scores_[q].data + t * scores_[q].stride; }

  // How many have frame t: the first so many.
  int active(int64_t t) const {
    int q = count_;
    while (q > 0 && scores_[q - 1].frames <= t) --q;
    return q;
  }
  // The frames around t that the same sequences have.
  int64_t same_from(int64_t t) const {
    const int running = active(t);
    return running < count_ ? scores_[running].frames : 0;
  }
  int64_t same_until(int64_t t) const { return scores_[active(t) - 1].frames; }

 private:
  const ScoreRows<Real>* scores_;
  int count_;
};

}  // namespace streamhmm
