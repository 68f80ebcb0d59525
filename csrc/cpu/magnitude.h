// The largest magnitude among many numbers. As bits, magnitudes order like integers, with infinity above all numbers
// and NaN above infinity: a maximum of floating-point numbers would lose those.
#pragma once

#include "exponential.h"

namespace streamhmm {
namespace STREAMHMM_TARGET {

template <class Real>
struct LargestMagnitude {
  typedef typename ExponentialOf<Real>::Signed Bits __attribute__((vector_size(Vec<Real>::kLanes * sizeof(Real))));
  Bits bits;

  STREAMHMM_KERNEL LargestMagnitude none() { return {Bits{}}; }
  STREAMHMM_KERNEL LargestMagnitude with(LargestMagnitude so_far, Vec<Real> x) {
    const Vec<Real> magnitude = Vec<Real>::magnitude(x);
    Bits other;
    __builtin_memcpy(&other, &magnitude, sizeof other);
    return {other > so_far.bits ? other : so_far.bits};
  }
  STREAMHMM_KERNEL bool exceeds(LargestMagnitude found, Real limit) {
    Vec<Real> largest;
    __builtin_memcpy(&largest, &found.bits, sizeof largest);
    constexpr uint32_t kAll = (1u << Vec<Real>::kLanes) - 1;
    return Vec<Real>::not_less(Vec<Real>::fill(limit), largest) != kAll;
  }
};

}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
