// LinearDecoder: owns the working state of Viterbi on a linear graph and knows its back-pointers.
#pragma once

#include <algorithm>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "buffer.h"
#include "isa.h"
#include "linear_viterbi.h"
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
        stay_(padded_, kNever),
        advance_(padded_, kNever),
        skip_(graph.skip != nullptr ? padded_ : 0, kNever),
        slot_of_(graph.extras > 0 ? graph.states : 0, -1),
        slot_state_(graph.extras),
        slot_begin_(graph.extras + 1, 0),
        arc_source_(4 * static_cast<int64_t>(graph.extras)),
        arc_weight_(arc_source_.size()),
        arc_shift_(arc_source_.size(), Real(0)),
        slot_best_(graph.extras),
        alpha_(padded_ + kFront, kNever),
        offset_(tile_count(graph.states), 0.0),
        shift_(offset_.size(), Real(0)),
        empty_(offset_.size()) {
    copy_band();
    collect_slots();
    d_.states = graph.states;
    d_.tiles = tile_count(graph.states);
    d_.pdf = pdf_.data();
    d_.stay = stay_.data();
    d_.advance = advance_.data();
    d_.skip = graph.skip != nullptr ? skip_.data() : nullptr;
    d_.slot_state = slot_state_.data();
    d_.slot_begin = slot_begin_.data();
    d_.arc_source = arc_source_.data();
    d_.arc_weight = arc_weight_.data();
    d_.alpha = alpha_.data() + kFront;
    d_.offset = offset_.data();
    d_.shift = shift_.data();
    d_.arc_shift = arc_shift_.data();
    d_.slot_best = slot_best_.data();
  }

  int64_t frame_bytes() const { return linear_frame_bytes(d_.states, d_.slots); }
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
      kernels_of<Real>().linear_viterbi(d_, scores, first, end, pointers);
      pointers += (end - first) * frame_bytes();
      first = end;
    }
  }

  double alpha(int32_t state) const { return offset_[state / kTile] + static_cast<double>(d_.alpha[state]); }

  // The arc by which the best path into `state` came, from the frame's back-pointers.
  Step step(const uint8_t* frame, int32_t state) const {
    if (d_.slots > 0 && slot_of_[state] >= 0) {
      const int32_t slot = slot_of_[state];
      const int32_t arc = slot_begin_[slot] + frame[linear_groups(d_.states) * sizeof(uint32_t) + slot];
      return {arc_source_[arc], static_cast<double>(arc_weight_[arc])};
    }
    uint32_t word;
    std::memcpy(&word, frame + state / kGroup * sizeof word, sizeof word);
    word >>= state % kGroup;
    if (word >> kGroup & 1 && d_.skip != nullptr) return {state - 2, static_cast<double>(skip_[state])};
    if (word & 1) return {state - 1, static_cast<double>(advance_[state])};
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
  static constexpr int32_t kMaxSlotArcs = 256;  // a winner is one byte
  static constexpr int64_t kFront = 16;  // keeps α aligned behind its two cells of −inf

  void copy_band() {
    const int32_t states = graph_.states;
    std::copy_n(graph_.pdf, states, pdf_.data());
    std::copy_n(graph_.stay, states, stay_.data());
    std::copy_n(graph_.advance, states - 1, advance_.data() + 1);
    if (graph_.skip != nullptr && states > 2) std::copy_n(graph_.skip, states - 2, skip_.data() + 2);
    d_.free_moves = std::all_of(stay_.data(), stay_.data() + states, [](Real w) { return w == 0; }) &&
                    std::all_of(advance_.data() + 1, advance_.data() + states, [](Real w) { return w == 0; });
    d_.reach = graph_.skip != nullptr ? 2 : 1;
  }

  // A slot's list: the extra arcs and the band's arcs into the same state, by source.
  void collect_slots() {
    int32_t arcs = 0;
    d_.slots = 0;
    for (int32_t extra = 0; extra < graph_.extras;) {
      const int32_t state = graph_.target[extra];
      const int32_t begin = arcs;
      for (; extra < graph_.extras && graph_.target[extra] == state; ++extra) {
        add_arc(arcs, begin, graph_.source[extra], graph_.weight[extra]);
        d_.reach = std::max(d_.reach, state - graph_.source[extra]);
      }
      if (graph_.skip != nullptr && state >= 2) add_arc(arcs, begin, state - 2, skip_[state]);
      if (state >= 1) add_arc(arcs, begin, state - 1, advance_[state]);
      add_arc(arcs, begin, state, stay_[state]);
      if (arcs - begin > kMaxSlotArcs) throw std::invalid_argument("a linear graph takes at most 256 arcs into a state");
      slot_of_[state] = d_.slots;
      slot_state_[d_.slots++] = state;
      slot_begin_[d_.slots] = arcs;
    }
  }

  // Inserts an arc behind those of the same slot whose source is not higher; arcs that weigh −inf are left out.
  void add_arc(int32_t& arcs, int32_t begin, int32_t source, Real weight) {
    if (weight == kNever && arcs > begin) return;
    int32_t at = arcs++;
    for (; at > begin && arc_source_[at - 1] > source; --at) {
      arc_source_[at] = arc_source_[at - 1];
      arc_weight_[at] = arc_weight_[at - 1];
    }
    arc_source_[at] = source;
    arc_weight_[at] = weight;
  }

  void recentre_tiles() {
    recentre(d_.alpha, d_.states, offset_.data(), empty_);
    refresh_shifts();
  }

  void refresh_shifts() {
    for (int32_t k = 1; k < d_.tiles; ++k) shift_[k] = static_cast<Real>(offset_[k - 1] - offset_[k]);
    for (int32_t slot = 0; slot < d_.slots; ++slot) {
      const double target = offset_[slot_state_[slot] / kTile];
      for (int32_t arc = slot_begin_[slot]; arc < slot_begin_[slot + 1]; ++arc) {
        arc_shift_[arc] = static_cast<Real>(offset_[arc_source_[arc] / kTile] - target);
      }
    }
  }

  LinearGraph<Real> graph_;
  int64_t padded_;
  Buffer<int32_t> pdf_;
  Buffer<Real> stay_, advance_, skip_;
  Buffer<int32_t> slot_of_, slot_state_, slot_begin_, arc_source_;
  Buffer<Real> arc_weight_, arc_shift_, slot_best_, alpha_;
  Buffer<double> offset_;
  Buffer<Real> shift_;
  Buffer<bool> empty_;
  LinearViterbi<Real> d_{};
};

}  // namespace streamhmm
