// Viterbi on a dense graph whose states fit one vector: α stays in a register from frame to frame, and what a step
// waits for is a tree of maxima. The recursion is that of dense_viterbi_kernel.cpp without tiles.
#include "dense.h"
#include "kernels.h"
#include "magnitude.h"

namespace streamhmm {
namespace STREAMHMM_TARGET {
namespace {

// An index in the bits of a number, of which comparisons and arithmetic know nothing.
template <class Real>
STREAMHMM_KERNEL Vec<Real> index_bits(NarrowIndex<Real> index) {
  typedef NarrowIndex<Real> Indices __attribute__((vector_size(Vec<Real>::kLanes * sizeof(Real))));
  const Indices all = Indices{} + index;
  Vec<Real> bits;
  __builtin_memcpy(&bits, &all, sizeof bits);
  return bits;
}

template <class Real, int kStates>
STREAMHMM_KERNEL Vec<Real> step(const Vec<Real>* weights, Vec<Real> alpha, Vec<Real>& winner) {
  using V = Vec<Real>;
  V candidate[kStates], best[kStates];
#pragma GCC unroll 16
  for (int i = 0; i < kStates; ++i) best[i] = candidate[i] = V::add(V::spread_lane(alpha, i), weights[i]);
#pragma GCC unroll 4
  for (int width = 1; width < kStates; width *= 2) {
#pragma GCC unroll 16
    for (int i = 0; i + width < kStates; i += 2 * width) best[i] = V::max(best[i], best[i + width]);
  }
  winner = index_bits<Real>(kStates - 1);
#pragma GCC unroll 16
  for (int i = kStates - 2; i >= 0; --i) {  // the lowest has the last word
    winner = V::where_equal(candidate[i], best[0], index_bits<Real>(i), winner);
  }
  return best[0];
}

template <class Real>
STREAMHMM_KERNEL Vec<Real> emission(const DenseNarrow<Real>& d, const Real* scores) {
  if (d.pdf != nullptr) return Vec<Real>::gather(scores, d.pdf);
  return Vec<Real>::load_first(scores, d.states);
}

template <class Real, int kStates>
bool advance(const DenseNarrow<Real>& d) {
  using V = Vec<Real>;
  V weights[kStates];
#pragma GCC unroll 16
  for (int i = 0; i < kStates; ++i) weights[i] = V::load(d.panels + i * V::kLanes);
  V alpha[kDenseTile];
  for (int q = 0; q < d.sequences; ++q) alpha[q] = V::load(d.alpha[q]);
  auto largest = LargestMagnitude<Real>::none();
  for (int64_t t = 0; t < d.frames; ++t) {
    for (int q = 0; q < d.sequences; ++q) {
      const V score = emission(d, d.scores[q] + t * d.stride[q]);
      largest = LargestMagnitude<Real>::with(largest, score);
      V winner;
      alpha[q] = V::add(step<Real, kStates>(weights, alpha[q], winner), score);
      __builtin_memcpy(d.winners[q] + t * V::kLanes, &winner, sizeof winner);
    }
  }
  for (int q = 0; q < d.sequences; ++q) V::store(d.alpha[q], alpha[q]);
  return LargestMagnitude<Real>::exceeds(largest, static_cast<Real>(kLargestSingle));
}

template <class Real, int kStates>
bool advance_exactly(const DenseNarrow<Real>& d) {
  if constexpr (kStates > Vec<Real>::kLanes) {
    return false;  // never asked for
  } else {
    return d.states == kStates ? advance<Real, kStates>(d) : advance_exactly<Real, kStates + 1>(d);
  }
}

template <class Real>
bool narrow(const DenseNarrow<Real>& d) {
  return advance_exactly<Real, 1>(d);
}

template <class Real>
void fill(KernelsOf<Real>& table) {
  table.narrow_lanes = Vec<Real>::kLanes;
  table.dense_narrow = narrow<Real>;
}

}  // namespace

void fill_dense_narrow(Kernels& table) {
  fill(table.single_precision);
  fill(table.double_precision);
}

}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
