// The arcs into each state, for graphs of every family.
#pragma once

#include <cstdint>

#include "batch.h"

namespace streamhmm::cuda {

class ArcsView {
 public:
  // `extra_begin` (states + 1): where the arcs from outside the band into each state begin, of a linear graph.
  __device__ ArcsView(const GraphRecord& record, Numbers weights, const int32_t* extra_begin)
      : record_(record),
        body_(body_layout(record)),
        at_(weights_layout(record)),
        weights_(weights),
        extra_begin_(extra_begin) {}

  __device__ int32_t states() const { return record_.states; }
  __device__ int32_t pdf(int32_t state) const { return record_.body[state]; }
  template <class Real>
  __device__ Real initial(int32_t state) const {
    return weight<Real>(at_.initial + state);
  }
  template <class Real>
  __device__ Real final(int32_t state) const {
    return weight<Real>(at_.final + state);
  }

  // visit(source, place) for the arcs passed into `state` between frames t−1 and t, sources ascending; `place` is where
  // the arc's weight stands among the graph's.
  template <class Visit>
  __device__ void into(int32_t state, int64_t t, const Visit& visit) const {
    if (record_.family == Family::dense) {
      const int64_t states = record_.states;
      const int64_t first = at_.arcs + (record_.detail > 0 ? t * states * states : 0) + state;
      for (int32_t i = 0; i < record_.states; ++i) visit(i, first + i * states);
    } else if (record_.family == Family::sparse) {
      const int32_t* begin = record_.body + body_.begin;
      const int32_t* source = record_.body + body_.source;
      for (int32_t arc = begin[state]; arc < begin[state + 1]; ++arc) visit(source[arc], at_.arcs + arc);
    } else {
      into_linear(state, visit);
    }
  }

  // The weight of the arc from `source` to `target`; of parallel ones the largest.
  __device__ double between(int32_t source, int32_t target, int64_t t) const {
    if (record_.family == Family::dense) {
      const int64_t states = record_.states, slice = record_.detail > 0 ? t : 0;
      return weight<double>(at_.arcs + (slice * states + source) * states + target);
    }
    double most = never<double>();
    into(target, t, [&](int32_t from, int64_t place) {
      if (from == source) most = fmax(most, weight<double>(place));
    });
    return most;
  }

  template <class Real>
  __device__ Real weight(int64_t place) const {
    return weights_.template at<Real>(record_.weights_offset + place);
  }

 private:
  template <class Visit>
  __device__ void into_linear(int32_t state, const Visit& visit) const {
    const int32_t* source = record_.body + body_.source;
    int32_t extra = record_.arcs > 0 ? extra_begin_[state] : 0;
    const int32_t end = record_.arcs > 0 ? extra_begin_[state + 1] : 0;
    for (int32_t step = record_.detail != 0 ? 2 : 1; step >= 0; --step) {
      if (state < step) continue;
      for (; extra < end && source[extra] < state - step; ++extra) visit(source[extra], at_.arcs + extra);
      visit(state - step, step * int64_t{record_.states} + state - step);
    }
    for (; extra < end; ++extra) visit(source[extra], at_.arcs + extra);
  }

  GraphRecord record_;
  BodyLayout body_;
  WeightsLayout at_;
  Numbers weights_;
  const int32_t* extra_begin_;
};

}  // namespace streamhmm::cuda
