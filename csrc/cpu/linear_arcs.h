// LinearArcs: a linear graph's pdfs and band, laid out for the kernel (linear_viterbi.h).
#pragma once

#include <algorithm>
#include <limits>

#include "buffer.h"
#include "linear_viterbi.h"

namespace streamhmm {

template <class Real>
class LinearArcs {
 public:
  explicit LinearArcs(const LinearGraph<Real>& graph)
      : states_(graph.states),
        pdf_(cells(), graph.pdf[0]),
        narrow_pdf_(cells()),
        moves_(cells() / kGroup),
        stay_(cells(), kNever),
        advance_(cells(), kNever),
        skip_(graph.skip != nullptr ? cells() : 0, kNever) {
    lay_out(graph.pdf, 0, pdf_.data());
    lay_out(graph.stay, 0, stay_.data());
    lay_out(graph.advance, 1, advance_.data());
    if (graph.skip != nullptr) lay_out(graph.skip, 2, skip_.data());
    for (int64_t i = 0; i < cells(); ++i) narrow_pdf_[i] = narrow_pdf_of(pdf_[i]);
    note_moves(stay_, &GroupMoves::stay);
    note_moves(advance_, &GroupMoves::advance);
    if (graph.skip != nullptr) note_moves(skip_, &GroupMoves::skip);
  }

  const Real* stay() const { return stay_.data(); }
  const Real* advance() const { return advance_.data(); }
  const Real* skip() const { return skip_.data(); }

  // Hands the kernel what it needs.
  void lend(LinearViterbi<Real>& d) const {
    d.states = states_;
    d.pdf = pdf_.data();
    d.narrow_pdf = narrow_pdf_.data();
    d.moves = moves_.data();
    d.stay = stay_.data();
    d.advance = advance_.data();
    d.skip = skip_.size() > 0 ? skip_.data() : nullptr;
    d.reach = d.skip != nullptr ? 2 : 1;
    d.skip_weight = 0;
    const bool plain = all_are(stay_, Real(0)) && all_are(advance_, Real(0)) && skips_weigh_the_same(d.skip_weight);
    d.band = !plain                                ? BandWeights::weighted
             : is_complete() && d.skip_weight == 0 ? BandWeights::complete
                                                   : BandWeights::masked;
    d.skips = d.skip == nullptr ? Skips::none : d.band == BandWeights::complete && is_ctc() ? Skips::ctc : Skips::any;
  }

 private:
  static constexpr Real kNever = -std::numeric_limits<Real>::infinity();

  int64_t cells() const { return int64_t{pairs_of(states_)} * kPair; }

  // values[s] to the place of state s + steps.
  template <class T>
  void lay_out(const T* values, int32_t steps, T* out) const {
    for (int32_t s = 0; s + steps < states_; ++s) out[place_of(s + steps)] = values[s];
  }

  void note_moves(const Buffer<Real>& weights, uint16_t GroupMoves::* bits) {
    for (int64_t group = 0; group < moves_.size(); ++group) {
      uint32_t present = 0;
      for (int32_t i = 0; i < kGroup; ++i) {
        present |= static_cast<uint32_t>(weights[group * kGroup + i] != kNever) << i;
      }
      moves_[group].*bits = static_cast<uint16_t>(present);
    }
  }

  // Whether every weight is `value` or −inf.
  static bool all_are(const Buffer<Real>& weights, Real value) {
    bool other = false;
    for (int64_t i = 0; i < weights.size(); ++i) other |= (weights[i] != kNever) & (weights[i] != value);
    return !other;
  }

  bool skips_weigh_the_same(Real& weight) const {
    const Real* end = skip_.data() + skip_.size();
    const Real* found = std::find_if(skip_.data(), end, [](Real w) { return w != kNever; });
    if (found != end) weight = *found;
    return all_are(skip_, weight);
  }

  // Whether every state stays and every one but the first is entered from the one before.
  bool is_complete() const {
    int64_t missing = 0;
    for (int64_t i = 0; i < cells(); ++i) missing += (stay_[i] == kNever) + (advance_[i] == kNever);
    return missing == 2 * (cells() - states_) + 1;
  }

  // Whether only odd states are skipped into, and the even ones share a pdf.
  bool is_ctc() const {
    bool other = false;
    for (int64_t cell = 0; cell < cells(); cell += kPair) {
      for (int64_t i = cell; i < cell + kGroup; ++i) other |= (skip_[i] != kNever) | (pdf_[i] != pdf_[0]);
    }
    return !other;
  }

  int32_t states_;
  Buffer<int32_t> pdf_;
  Buffer<uint8_t> narrow_pdf_;
  Buffer<GroupMoves> moves_;
  Buffer<Real> stay_, advance_, skip_;
};

}  // namespace streamhmm
