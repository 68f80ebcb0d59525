// Probabilities as ordinary floats, for dense graphs: how rows are scaled, and when what underflows may have mattered.
//
//   α_t[j] = (Σ_i α_{t−1}[i] · w_ij) · b_j(t) · 2^−e        e: the exponent of the largest number of the row multiplied
//
// Transitions, emissions, initial and final weights are divided by the largest of their kind.
//
// What underflows: a row's largest number is at least 2^−40 (kLeastExponent) before it is scaled, else the sequence is
// given up. So an error of at most S · 2^−149 in a product becomes one of S · 2^−109 in a row whose numbers are below
// 2^7. It counts with the other way's number of the same state: S² · 2^−102 at most, of Σ_j α_t[j] · β_t[j]. With that
// above 2^−53 (kLeastTotal) a frame loses less than S² · 2^−49 of the total. Where there is no way back, its numbers
// are not known. Then either every transition is at least 2^−40 of the largest (kConnected), so that the states'
// futures differ by no more, or no α may come below 2^−80 (kLeastAlone).
#pragma once

#include "numbers.h"

namespace streamhmm::cuda {

constexpr int32_t kLeastExponent = -40;
constexpr float kLeastTotal = 0x1p-53f;
constexpr float kConnected = 0x1p-40f;
constexpr float kLeastAlone = 0x1p-80f;
constexpr double kLogOfTwo = 0.693147180559945309417;

// exp(value − top); 0 where value is −inf.
__device__ inline float relative(float value, float top) { return is_never(value) ? 0.0f : expf(value - top); }

// Of a number that is not negative; that of 0 is below every other.
__device__ inline int32_t exponent_of(float value) { return (__float_as_int(value) >> 23 & 255) - 127; }
__device__ inline float power_of_two(int32_t exponent) {
  return __int_as_float(static_cast<int32_t>(static_cast<uint32_t>(exponent + 127) << 23));
}

}  // namespace streamhmm::cuda
