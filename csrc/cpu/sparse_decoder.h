// SparseDecoder: Viterbi on any graph, arc by arc. The same recursion, offsets and interface as LinearDecoder.
#pragma once

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "bit_pack.h"
#include "buffer.h"
#include "step.h"
#include "tile_offsets.h"

namespace streamhmm {

template <class Real>
class SparseDecoder {
 public:
  SparseDecoder(const SparseGraph<Real>& graph, double beam)
      : graph_(graph),
        beam_(beam),
        tiles_(tile_count(graph.states)),
        alpha_(graph.states, kNever),
        next_(graph.states),
        offset_(tiles_, 0.0),
        moved_(tiles_),
        arc_shift_(graph.arcs, Real(0)) {
    int32_t widest = 1;
    for (int32_t j = 0; j < graph.states; ++j) widest = std::max(widest, graph.begin[j + 1] - graph.begin[j]);
    bits_ = bits_for(widest);
  }

  int64_t frame_bytes() const { return packed_bytes(graph_.states, bits_); }
  int64_t state_bytes() const { return static_cast<int64_t>(graph_.states * sizeof(Real) + tiles_ * sizeof(double)); }

  void start(const ScoreRows<Real>& scores) {
    for (int32_t j = 0; j < graph_.states; ++j) alpha_[j] = graph_.initial[j] + scores.data[graph_.pdf[j]];
  }

  void advance(const ScoreRows<Real>& scores, int64_t first, int64_t last, uint8_t* pointers) {
    for (int64_t t = first; t < last; ++t, pointers += frame_bytes()) {
      if (t % kRecentre == 0 && has_recentring<Real>(beam_)) {
        recentre(alpha_.data(), graph_.states, beam_, offset_.data(), moved_.data());
        refresh_shifts();
      }
      advance_frame(scores.data + t * scores.stride, pointers);
    }
  }

  // α less the tiles' offsets, to take states out of.
  Real* row() { return alpha_.data(); }

  double alpha(int32_t state) const { return offset_[state / kTile] + static_cast<double>(alpha_[state]); }

  Step step(const uint8_t* frame, int32_t state) const {
    const int32_t arc = graph_.begin[state] + static_cast<int32_t>(unpack(frame, state, bits_));
    return {graph_.source[arc], static_cast<double>(graph_.weight[arc])};
  }

  Step step(int64_t, const uint8_t* frame, int32_t state) const { return step(frame, state); }

  void save(uint8_t* out) const {
    std::memcpy(out, offset_.data(), tiles_ * sizeof(double));
    std::memcpy(out + tiles_ * sizeof(double), alpha_.data(), graph_.states * sizeof(Real));
  }
  void restore(const uint8_t* in) {
    std::memcpy(offset_.data(), in, tiles_ * sizeof(double));
    std::memcpy(alpha_.data(), in + tiles_ * sizeof(double), graph_.states * sizeof(Real));
    refresh_shifts();
  }

 private:
  static constexpr Real kNever = -std::numeric_limits<Real>::infinity();

  void advance_frame(const Real* row, uint8_t* pointers) {
    BitWriter winners(pointers, bits_);
    for (int32_t j = 0; j < graph_.states; ++j) {
      Real best = kNever;
      int32_t winner = 0;
      for (int32_t arc = graph_.begin[j]; arc < graph_.begin[j + 1]; ++arc) {
        const Real candidate = alpha_[graph_.source[arc]] + arc_shift_[arc] + graph_.weight[arc];
        if (candidate > best) {
          best = candidate;
          winner = arc - graph_.begin[j];
        }
      }
      next_[j] = best + row[graph_.pdf[j]];
      winners.append(static_cast<uint32_t>(winner));
    }
    winners.finish();
    std::swap(alpha_, next_);
  }

  void refresh_shifts() {
    for (int32_t j = 0; j < graph_.states; ++j) {
      for (int32_t arc = graph_.begin[j]; arc < graph_.begin[j + 1]; ++arc) {
        arc_shift_[arc] = static_cast<Real>(offset_[graph_.source[arc] / kTile] - offset_[j / kTile]);
      }
    }
  }

  SparseGraph<Real> graph_;
  double beam_;
  int32_t tiles_;
  int bits_;
  Buffer<Real> alpha_, next_;
  Buffer<double> offset_;
  Buffer<Real> moved_;
  Buffer<Real> arc_shift_;
};

}  // namespace streamhmm
