// The constraint on one sequence: which states a frame allows.
#pragma once

#include <limits>
#include <stdexcept>
#include <string>

#include "../constrained_viterbi.h"

namespace streamhmm {

class Constraint {
 public:
  // Of sequence `b`, which is `length` frames long.
  Constraint(const Constraints& all, int64_t b, int64_t length, int32_t states)
      : allowed_(all.allowed == nullptr ? nullptr : all.allowed + b * all.allowed_stride),
        states_wide_(all.states_wide),
        fixed_(all.fixed == nullptr ? nullptr : all.fixed + b * all.fixed_stride),
        states_(states) {
    if (allowed_ != nullptr && states_wide_ < states) {
      throw std::invalid_argument("allowed must have " + std::to_string(states) + " states, got " +
                                  std::to_string(states_wide_));
    }
    for (int64_t t = 0; fixed_ != nullptr && t < length; ++t) {
      if (fixed_[t] >= -1 && fixed_[t] < states) continue;
      throw std::invalid_argument("fixed must be -1 or a state in 0…" + std::to_string(states - 1) + ", got " +
                                  std::to_string(fixed_[t]) + " in sequence " + std::to_string(b) + ", frame " +
                                  std::to_string(t));
    }
  }

  // Sets what frame t does not allow to −inf.
  template <class Real>
  void apply(int64_t t, Real* alpha) const {
    constexpr Real kNever = -std::numeric_limits<Real>::infinity();
    if (allowed_ != nullptr) {
      const bool* row = allowed_ + t * states_wide_;
      for (int32_t j = 0; j < states_; ++j) alpha[j] = row[j] ? alpha[j] : kNever;
    }
    if (fixed_ != nullptr && fixed_[t] >= 0) {
      for (int32_t j = 0; j < states_; ++j) alpha[j] = j == fixed_[t] ? alpha[j] : kNever;
    }
  }

 private:
  const bool* allowed_;
  int64_t states_wide_;
  const int64_t* fixed_;
  int32_t states_;
};

}  // namespace streamhmm
