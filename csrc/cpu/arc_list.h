// Any graph as a plain list of arcs, each with the place of its weight in the packed weights.
#pragma once

#include <cstdint>

#include "../params.h"
#include "buffer.h"

namespace streamhmm {

struct Arc {
  int32_t source;
  int32_t target;
  int64_t place;
  double weight;
};

template <class Real>
struct ArcList {
  int32_t states;
  const int32_t* pdf;
  const Real* initial;
  const Real* final;
  Buffer<Arc> arcs;
  int64_t count = 0;

  void add(int32_t source, int32_t target, int64_t place, Real weight) {
    arcs[count++] = {source, target, place, static_cast<double>(weight)};
  }
};

template <class Real>
ArcList<Real> arc_list(const LinearGraph<Real>& g) {
  const int64_t states = g.states;
  ArcList<Real> list{g.states, g.pdf, g.initial, g.final, Buffer<Arc>(3 * states + g.extras)};
  const Real* band[] = {g.stay, g.advance, g.skip};
  int64_t place = 0;
  for (int32_t step = 0; step < 3 && band[step] != nullptr; ++step, place += states) {
    for (int32_t s = 0; s + step < states; ++s) list.add(s, s + step, place + s, band[step][s]);
  }
  for (int32_t k = 0; k < g.extras; ++k) list.add(g.source[k], g.target[k], place + k, g.weight[k]);
  return list;
}

template <class Real>
ArcList<Real> arc_list(const SparseGraph<Real>& g) {
  ArcList<Real> list{g.states, g.pdf, g.initial, g.final, Buffer<Arc>(g.arcs)};
  for (int32_t j = 0; j < g.states; ++j) {
    for (int32_t k = g.begin[j]; k < g.begin[j + 1]; ++k) list.add(g.source[k], j, k, g.weight[k]);
  }
  return list;
}

// Of transitions that are the same in every frame.
template <class Real>
ArcList<Real> arc_list(const DenseGraph<Real>& g) {
  const int64_t states = g.states;
  ArcList<Real> list{g.states, g.pdf, g.initial, g.final, Buffer<Arc>(states * states)};
  for (int32_t i = 0; i < g.states; ++i) {
    for (int32_t j = 0; j < g.states; ++j) list.add(i, j, i * states + j, g.transitions[i * states + j]);
  }
  return list;
}

}  // namespace streamhmm
