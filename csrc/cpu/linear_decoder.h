// LinearDecoder: owns the working state of Viterbi on a linear graph and knows its back-pointers.
#pragma once

#include <algorithm>
#include <cstring>
#include <limits>

#include "buffer.h"
#include "isa.h"
#include "linear_viterbi.h"
#include "slots.h"
#include "step.h"
#include "tile_offsets.h"

namespace streamhmm {

template <class Real>
class LinearDecoder {
 public:
  explicit LinearDecoder(const LinearGraph<Real>& graph)
      : graph_(graph),
        padded_(linear_groups(graph.states) * kGroup),
        pdf_(padded_, graph.pdf[0]),
        narrow_pdf_(padded_),
        moves_(padded_ / kGroup),
        stay_(padded_, kNever),
        advance_(padded_, kNever),
        skip_(graph.skip != nullptr ? padded_ : 0, kNever),
        alpha_(padded_ + kFront, kNever),
        offset_(tile_count(graph.states), 0.0),
        shift_(offset_.size(), Real(0)),
        empty_(offset_.size()) {
    copy_band();
    slots_ = Slots<Real>(graph, stay_.data(), advance_.data(), skip_.data());
    d_.states = graph.states;
    d_.tiles = tile_count(graph.states);
    d_.pdf = pdf_.data();
    d_.narrow_pdf = narrow_pdf_.data();
    d_.moves = moves_.data();
    d_.stay = stay_.data();
    d_.advance = advance_.data();
    d_.skip = graph.skip != nullptr ? skip_.data() : nullptr;
    d_.alpha = alpha_.data() + kFront;
    d_.shift = shift_.data();
    slots_.lend(d_);
    d_.layout = frame_layout(graph.states, graph.skip != nullptr, slots_.layers() > 0, slots_.layers());
  }

  int64_t frame_bytes() const { return d_.layout.size * static_cast<int64_t>(sizeof(Bits)); }
  int64_t state_bytes() const {
    return static_cast<int64_t>(d_.states * sizeof(Real) + offset_.size() * sizeof(double) + sizeof(d_.live));
  }

  void start(const ScoreRows<Real>& scores) {
    d_.live = 0;
    for (int32_t j = 0; j < d_.states; ++j) {
      d_.alpha[j] = graph_.initial[j] + scores.data[graph_.pdf[j]];
      if (d_.alpha[j] != kNever) d_.live = j + 1;
    }
  }

  void advance(const ScoreRows<Real>& scores, int64_t first, int64_t last, uint8_t* pointers) {
    while (first < last) {
      if (sizeof(Real) == sizeof(float) && first % kRecentre == 0) recentre_tiles();
      const int64_t end = std::min(last, (first / kRecentre + 1) * kRecentre);
      kernels_of<Real>().linear_viterbi(d_, scores, first, end, reinterpret_cast<Bits*>(pointers));
      pointers += (end - first) * frame_bytes();
      first = end;
    }
  }

  double alpha(int32_t state) const { return offset_[state / kTile] + static_cast<double>(d_.alpha[state]); }

  // The arc by which the best path into `state` came, from the frame's back-pointers.
  Step step(const uint8_t* frame, int32_t state) const {
    const Bits* bits = reinterpret_cast<const Bits*>(frame);
    const int32_t group = state / kGroup, lane = state % kGroup;
    const auto won = [&](int64_t row) { return bits[row + group] >> lane & 1; };
    if (slots_.has(state) && won(d_.layout.listed)) return slots_.step(bits + d_.layout.layers, state);
    if (d_.skip != nullptr && won(d_.layout.skip)) return {state - 2, static_cast<double>(skip_[state])};
    if (won(0)) return {state - 1, static_cast<double>(advance_[state])};
    return {state, static_cast<double>(stay_[state])};
  }

  void save(uint8_t* out) const {
    std::memcpy(out, offset_.data(), offset_.size() * sizeof(double));
    out += offset_.size() * sizeof(double);
    std::memcpy(out, d_.alpha, d_.states * sizeof(Real));
    std::memcpy(out + d_.states * sizeof(Real), &d_.live, sizeof d_.live);
  }
  void restore(const uint8_t* in) {
    std::memcpy(offset_.data(), in, offset_.size() * sizeof(double));
    in += offset_.size() * sizeof(double);
    std::memcpy(d_.alpha, in, d_.states * sizeof(Real));
    std::memcpy(&d_.live, in + d_.states * sizeof(Real), sizeof d_.live);
    refresh_shifts();
  }

 private:
  static constexpr Real kNever = -std::numeric_limits<Real>::infinity();
  static constexpr int64_t kFront = 16;  // keeps α aligned behind its two cells of −inf

  void copy_band() {
    const int32_t states = graph_.states;
    std::copy_n(graph_.pdf, states, pdf_.data());
    std::copy_n(graph_.stay, states, stay_.data());
    std::copy_n(graph_.advance, states - 1, advance_.data() + 1);
    if (graph_.skip != nullptr && states > 2) std::copy_n(graph_.skip, states - 2, skip_.data() + 2);
    for (int64_t i = 0; i < padded_; ++i) narrow_pdf_[i] = narrow_pdf_of(pdf_[i]);
    d_.weighted = note_moves(stay_, &GroupMoves::stay) | note_moves(advance_, &GroupMoves::advance) |
                  note_moves(skip_, &GroupMoves::skip);
    d_.complete = !d_.weighted && is_complete();
    d_.reach = graph_.skip != nullptr ? 2 : 1;
  }

  // Sets the bits of the arcs that do not weigh −inf; whether one of them weighs other than 0.
  bool note_moves(const Buffer<Real>& weights, uint16_t GroupMoves::* bits) {
    bool weighted = false;
    for (int64_t group = 0; group < weights.size() / kGroup; ++group) {
      uint32_t present = 0;
      for (int32_t i = 0; i < kGroup; ++i) {
        const Real weight = weights[group * kGroup + i];
        present |= static_cast<uint32_t>(weight != kNever) << i;
        weighted |= (weight != kNever) & (weight != 0);
      }
      moves_[group].*bits = static_cast<uint16_t>(present);
    }
    return weighted;
  }

  // Whether every state stays and every one but the first is entered from the one before.
  bool is_complete() const {
    for (int64_t group = 0; group < moves_.size(); ++group) {
      const int64_t left = graph_.states - group * kGroup;
      const uint32_t all = left >= kGroup ? 0xffffu : (1u << left) - 1;
      const uint32_t entered = group == 0 ? all & ~1u : all;
      if ((moves_[group].stay & all) != all || (moves_[group].advance & entered) != entered) return false;
    }
    return true;
  }

  void recentre_tiles() {
    recentre(d_.alpha, d_.states, offset_.data(), empty_);
    refresh_shifts();
  }

  void refresh_shifts() {
    for (int32_t k = 1; k < d_.tiles; ++k) shift_[k] = static_cast<Real>(offset_[k - 1] - offset_[k]);
    slots_.refresh_shifts(offset_.data());
  }

  LinearGraph<Real> graph_;
  int64_t padded_;
  Buffer<int32_t> pdf_;
  Buffer<uint8_t> narrow_pdf_;
  Buffer<GroupMoves> moves_;
  Buffer<Real> stay_, advance_, skip_;
  Buffer<Real> alpha_;
  Buffer<double> offset_;
  Buffer<Real> shift_;
  Buffer<bool> empty_;
  Slots<Real> slots_;
  LinearViterbi<Real> d_{};
};

}  // namespace streamhmm
