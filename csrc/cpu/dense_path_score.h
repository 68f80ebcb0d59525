// The score of one path through a dense graph, summed in double from its end, as the other families do.
#pragma once

#include <limits>

#include "../params.h"

namespace streamhmm {

// −inf where there is no path: states of −1.
template <class Real>
double score_of_path(const DenseGraph<Real>& graph, const ScoreRows<Real>& scores, const int64_t* states) {
  if (states[0] < 0) return -std::numeric_limits<double>::infinity();
  double score = static_cast<double>(graph.final[states[scores.frames - 1]]);
  for (int64_t t = scores.frames - 1; t > 0; --t) {
    const Real passed = graph.step_to(t)[states[t - 1] * graph.states + states[t]];
    score += static_cast<double>(scores.data[t * scores.stride + graph.pdf[states[t]]]) + static_cast<double>(passed);
  }
  const double emitted = static_cast<double>(scores.data[graph.pdf[states[0]]]);
  return score + emitted + static_cast<double>(graph.initial[states[0]]);
}

}  // namespace streamhmm
