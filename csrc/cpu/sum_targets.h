// Where one sequence's sums go.
#pragma once

#include <algorithm>
#include <stdexcept>
#include <string>

#include "../forward_backward.h"
#include "../graph.h"

namespace streamhmm {

// Null pointers are left out.
template <class Real>
struct Targets {
  Real* by_state;
  int64_t states_wide;
  Real* by_pdf;
  Real by_pdf_scale;
  double* counts;

  bool any() const { return by_state != nullptr || by_pdf != nullptr || counts != nullptr; }
};

template <class Real>
Targets<Real> targets_of(const Sums& sums, const Batch& batch, const GraphRecord& record, int64_t b) {
  Targets<Real> to{};
  if (sums.by_state != nullptr) {
    if (sums.states_wide < record.states) {
      throw std::invalid_argument("states must be at least " + std::to_string(record.states) + ", got " +
                                  std::to_string(sums.states_wide));
    }
    to.by_state = static_cast<Real*>(sums.by_state) + b * batch.frames * sums.states_wide;
    to.states_wide = sums.states_wide;
  }
  if (sums.by_pdf != nullptr) {
    to.by_pdf = static_cast<Real*>(sums.by_pdf) + b * batch.frames * batch.columns;
    to.by_pdf_scale = static_cast<Real>(sums.by_pdf_scale != nullptr ? sums.by_pdf_scale[b] : 1.0);
  }
  if (sums.counts != nullptr) to.counts = sums.counts + b * sums.counts_stride + record.weights_offset;
  return to;
}

// What lies behind the first `frames` frames of sequence b, and behind its states, becomes zero.
template <class Real>
void clear_behind(const Sums& sums, const Batch& batch, int64_t b, int64_t frames, int64_t states) {
  if (sums.by_pdf != nullptr) {
    Real* rows = static_cast<Real*>(sums.by_pdf) + b * batch.frames * batch.columns;
    std::fill(rows + frames * batch.columns, rows + batch.frames * batch.columns, Real(0));
  }
  if (sums.by_state == nullptr) return;
  const int64_t width = sums.states_wide;
  Real* rows = static_cast<Real*>(sums.by_state) + b * batch.frames * width;
  for (int64_t t = 0; t < frames; ++t) std::fill(rows + t * width + states, rows + (t + 1) * width, Real(0));
  std::fill(rows + frames * width, rows + batch.frames * width, Real(0));
}

}  // namespace streamhmm
