// Sums of probabilities that do not depend on the order of the terms: as integers, in units of 2^−62. A frame's
// probabilities add up to 1.
#pragma once

#include <cstdint>

#include "launch.h"

namespace streamhmm::cuda {

using FixedPoint = unsigned long long;
constexpr double kFixedPointUnit = 2.168404344971008868e-19;  // 2^−62

// What is no probability, of a sequence that will be given up, becomes one.
__device__ inline FixedPoint to_fixed_point(double probability) {
  return static_cast<FixedPoint>(fmin(fmax(probability, 0.0), 1.0) * 4.611686018427387904e18);
}
__device__ inline double from_fixed_point(FixedPoint sum) { return static_cast<double>(sum) * kFixedPointUnit; }

}  // namespace streamhmm::cuda
