// What forward and backward on a linear graph work on, shared by the driver and the kernels. The recursions stand in
// ../forward_backward.h; numbers are pairs (mantissa, exponent) as in ../semiring.h, kept in two arrays.
#pragma once

#include <cstdint>

namespace streamhmm {

// The exponent's type has the mantissa's width, so that both fill the same vectors.
template <class Real>
struct ExponentOf;
template <>
struct ExponentOf<float> {
  using Type = int32_t;
};
template <>
struct ExponentOf<double> {
  using Type = int64_t;
};
template <class Real>
using Exponent = typename ExponentOf<Real>::Type;

template <class Real>
struct ScaledNumber {
  Real mantissa;
  Exponent<Real> exponent;
};

template <class Real>
struct ScaledRow {
  Real* mantissa;
  Exponent<Real>* exponent;
};

template <class Real>
struct ConstScaledRow {
  const Real* mantissa;
  const Exponent<Real>* exponent;
};

template <class Real>
constexpr Exponent<Real> kZeroPower = -(1 << 29);  // ../semiring.h: kZeroExponent

// Rows over states are padded to whole groups of kGroup, with a group in front and one behind. Before the first state
// and from the last on they hold zeros: every state reads two neighbours on either side.

// Arcs outside the band, by the state that they lead to (or, for backward, come from). Those states stand in groups of
// kGroup; layer k holds the k-th arc of each, padded with arcs that weigh zero.
template <class Real>
struct ArcLayers {
  int32_t groups;
  const int32_t* state;         // (groups · kGroup), padded with a cell behind all states
  const int32_t* first_layer;   // (groups + 1)
  const int32_t* other;         // (layers · kGroup) the arc's other end
  ConstScaledRow<Real> weight;  // (layers · kGroup)
  ScaledRow<Real> entry;        // over states: the sums over each one's arcs, zero elsewhere
};

// Which arcs of the band enter (or leave) the states of a group: a bit a state.
struct BandMask {
  uint16_t stay;
  uint16_t advance;
  uint16_t skip;
};

template <class Real>
struct LinearSums {
  int32_t states;
  const int32_t* pdf;            // (states) rank of each state's column among those read
  const uint8_t* narrow_pdf;     // (states) narrow_pdf_of it (linear_viterbi.h), where ranks are below 64
  int32_t column_count;          // columns read
  ConstScaledRow<Real> stay;     // weight of s -> s,   by source
  ConstScaledRow<Real> advance;  // weight of s -> s+1, by source
  ConstScaledRow<Real> skip;     // weight of s -> s+2, by source; null mantissa if none
  const BandMask* entering;      // (groups) arcs into the states; null where some arc weighs neither 0 nor −inf
  const BandMask* leaving;       // (groups) arcs out of the states
  ArcLayers<Real> into;
  ArcLayers<Real> out_of;
};

// The extra arcs one by one, in the order of the packed weights; arrays padded to whole groups of kGroup.
template <class Real>
struct ExtraArcs {
  int32_t count;
  const int32_t* source;
  const int32_t* target;
  ConstScaledRow<Real> weight;
};

}  // namespace streamhmm
