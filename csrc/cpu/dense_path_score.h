// The score of one path through a dense graph, summed in double.
#pragma once

#include <limits>

#include "../params.h"

namespace streamhmm {

// −inf where there is no path: states of −1.
template <class Real>
double score_of_path(const DenseGraph<Real>& graph, const ScoreRows<Real>& scores, const int64_t* states) {
  if (states[0] < 0) return -std::numeric_limits<double>::infinity();
  const int64_t last = scores.frames - 1;
  double emitted = static_cast<double>(scores.data[graph.pdf[states[0]]]);
  double passed = static_cast<double>(graph.initial[states[0]]) + static_cast<double>(graph.final[states[last]]);
  for (int64_t t = 1; t <= last; ++t) {
    emitted += static_cast<double>(scores.data[t * scores.stride + graph.pdf[states[t]]]);
    passed += static_cast<double>(graph.step_to(t)[states[t - 1] * graph.states + states[t]]);
  }
  return emitted + passed;
}

}  // namespace streamhmm
