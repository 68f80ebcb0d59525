// Where the best path ends.
#pragma once

#include <cstdint>
#include <limits>

namespace streamhmm {

// The state with the largest alpha(j) + final[j], the lowest one among equals; −1 if no path ends.
template <class Real, class Alpha>
int32_t best_last_state(int32_t states, const Real* final, const Alpha& alpha) {
  double best = -std::numeric_limits<double>::infinity();
  int32_t state = -1;
  for (int32_t j = 0; j < states; ++j) {
    const double total = alpha(j) + static_cast<double>(final[j]);
    if (total > best) {
      best = total;
      state = j;
    }
  }
  return state;
}

}  // namespace streamhmm
