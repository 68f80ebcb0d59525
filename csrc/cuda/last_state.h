// Where the best path ends.
#pragma once

#include "block.h"
#include "numbers.h"

namespace streamhmm::cuda {

// The state with the largest total(j), the lowest one among equals, to all threads of the block; −1 if all are −inf.
template <class Total>
__device__ int32_t best_last_state(int32_t states, const Total& total, Best<double>* scratch) {
  Best<double> best{never<double>(), -1};
  for (int32_t j = static_cast<int32_t>(threadIdx.x); j < states; j += static_cast<int32_t>(blockDim.x)) {
    const double value = total(j);
    if (value > best.value) best = {value, j};
  }
  return block_best(best, scratch).index;
}

}  // namespace streamhmm::cuda
