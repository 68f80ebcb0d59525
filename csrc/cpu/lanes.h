// Lanes<Real>: the kGroup numbers of a group, as many vectors as that takes.
#pragma once

#include "../viterbi.h"
#include "lookup.h"
#include "simd.h"

namespace streamhmm {
namespace STREAMHMM_TARGET {

template <class Real>
struct Lanes {
  using V = Vec<Real>;
  static constexpr int kParts = kGroup / V::kLanes;
  V part[kParts];

  STREAMHMM_KERNEL Lanes load(const Real* p) {
    Lanes result;
    for (int i = 0; i < kParts; ++i) result.part[i] = V::load(p + i * V::kLanes);
    return result;
  }
  STREAMHMM_KERNEL Lanes fill(Real x) {
    Lanes result;
    for (int i = 0; i < kParts; ++i) result.part[i] = V::fill(x);
    return result;
  }
  STREAMHMM_KERNEL void store(Real* p, const Lanes& x) {
    for (int i = 0; i < kParts; ++i) V::store(p + i * V::kLanes, x.part[i]);
  }
  STREAMHMM_KERNEL Lanes add(const Lanes& a, const Lanes& b) {
    Lanes result;
    for (int i = 0; i < kParts; ++i) result.part[i] = V::add(a.part[i], b.part[i]);
    return result;
  }
  STREAMHMM_KERNEL Lanes max(const Lanes& a, const Lanes& b) {
    Lanes result;
    for (int i = 0; i < kParts; ++i) result.part[i] = V::max(a.part[i], b.part[i]);
    return result;
  }
  STREAMHMM_KERNEL uint32_t not_less(const Lanes& a, const Lanes& b) {
    uint32_t bits = 0;
    for (int i = 0; i < kParts; ++i) bits |= V::not_less(a.part[i], b.part[i]) << (i * V::kLanes);
    return bits;
  }
  // Lane i takes lane i − 1 of x; lane 0 takes the last of `before`.
  STREAMHMM_KERNEL Lanes shift_in(const Lanes& x, const Lanes& before) {
    Lanes result;
    for (int i = kParts - 1; i > 0; --i) result.part[i] = V::shift_in(x.part[i], x.part[i - 1]);
    result.part[0] = V::shift_in(x.part[0], before.part[kParts - 1]);
    return result;
  }
  STREAMHMM_KERNEL Real last(const Lanes& x) { return x.part[kParts - 1].v[V::kLanes - 1]; }
  template <class Table>
  STREAMHMM_KERNEL Lanes look_up(const Table& table, const typename Table::Index& index) {
    Lanes result;
    for (int i = 0; i < kParts; ++i) result.part[i] = Table::at(table, index, i);
    return result;
  }
};

}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
