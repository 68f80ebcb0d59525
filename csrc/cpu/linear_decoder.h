// LinearDecoder: owns the working state of Viterbi on a linear graph and knows its back-pointers. It works on strips,
// runs of tiles with what changes about them, so that several threads can share one sequence.
#pragma once

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "buffer.h"
#include "isa.h"
#include "linear_arcs.h"
#include "linear_viterbi.h"
#include "slots.h"
#include "step.h"
#include "strips.h"
#include "tile_offsets.h"

namespace streamhmm {

template <class Real>
class LinearDecoder {
 public:
  // `cuts`: the tiles, ascending, at which strips are to begin beside the first.
  LinearDecoder(const LinearGraph<Real>& graph, double beam, const std::vector<int32_t>& cuts = {})
      : graph_(graph),
        beam_(beam),
        tiles_(tile_count(graph.states)),
        cuts_(cuts),
        arcs_(graph),
        slots_(graph, arcs_.stay(), arcs_.advance(), arcs_.skip(), states_of(cuts)),
        alpha_(int64_t{tiles_} * kTile, kNever),
        offset_(tiles_, 0.0),
        shift_(tiles_, Real(0)),
        moved_(tiles_) {
    arcs_.lend(d_);
    has_skips_ = d_.skips != Skips::none;
    any_skips_ = d_.skips != Skips::ctc;
    band_[0] = d_.stay;
    band_[1] = d_.advance;
    band_[2] = d_.skip;
    slots_.lend(d_);
    d_.alpha = alpha_.data();
    d_.shift = shift_.data();
    d_.layout = frame_layout(graph.skip != nullptr, slots_.layers());
    for (int32_t k = 0; k < graph.extras; ++k) forward_only_ &= graph.source[k] <= graph.target[k];
  }

  int32_t tiles() const { return tiles_; }
  int32_t pairs() const { return pairs_of(graph_.states); }
  const FrameLayout& layout() const { return d_.layout; }
  int64_t frame_bytes() const { return d_.layout.size(pairs()) * static_cast<int64_t>(sizeof(Bits)); }
  int64_t state_bytes() const { return bytes({0, tiles_}) + static_cast<int64_t>(sizeof whole_); }
  bool recentres() const { return has_recentring<Real>(beam_); }

  void start(const ScoreRows<Real>& scores) {
    for (const bool slots : {false, true}) {
      for (const bool trace : {false, true}) {
        run_[slots][trace] = kernels_of<Real>().linear_viterbi(d_, scores.columns, slots, trace);
      }
    }
    start_live_ = 0;
    for (int32_t j = 0; j < graph_.states; ++j) {
      const Real alpha = graph_.initial[j] + scores.data[graph_.pdf[j]];
      d_.alpha[place_of(j)] = alpha;
      if (alpha != kNever) start_live_ = j + 1;
    }
    whole_ = window(0, pairs());
    whole_.live = start_live_;
  }

  // Frames first … last−1 on all states.
  void advance(const ScoreRows<Real>& scores, int64_t first, int64_t last, uint8_t* pointers) {
    while (first < last) {
      if (first % kRecentre == 0 && recentres()) recentre(whole_, {}, moved_.data());
      const int64_t end = std::min(last, (first / kRecentre + 1) * kRecentre);
      auto work = stretch(whole_, first, end);
      work.pointers = reinterpret_cast<Bits*>(pointers);
      work.frame_size = d_.layout.size(pairs());
      work.base = 0;
      advance(scores, work, whole_);
      pointers += (end - first) * frame_bytes();
      first = end;
    }
  }

  // ---- strips

  // Strip `index` of those that the cuts make, at the start.
  Strip strip(size_t index) const {
    const int32_t first = index == 0 ? 0 : cuts_[index - 1], last = index < cuts_.size() ? cuts_[index] : tiles_;
    Strip strip = window(first * kPairsPerTile, std::min(last * kPairsPerTile, pairs()));
    strip.live = start_live_;
    strip.first_run = slots_.runs().first_of(index);
    strip.last_run = slots_.runs().first_of(index + 1);
    return strip;
  }

  // A window of pairs low … high−1, all of which may be live.
  Strip window(int32_t low, int32_t high) const {
    Strip strip{low / kPairsPerTile, (high + kPairsPerTile - 1) / kPairsPerTile, low, high, graph_.states, 0, 0, 0, 0};
    slots_.groups_within(low, high, strip.first_slots, strip.last_slots);
    return strip;
  }

  // A strip's next frames, all within a stretch between two recentrings.
  Stretch<Real> stretch(const Strip& s, int64_t first, int64_t last) const {
    Stretch<Real> work{};
    work.first = first;
    work.last = last;
    work.low = s.low;
    work.high = s.high;
    work.live = s.live;
    work.needed = -graph_.states;
    work.first_slots = s.first_slots;
    work.last_slots = s.last_slots;
    work.first_run = s.first_run;
    work.last_run = s.last_run;
    return work;
  }

  void advance(const ScoreRows<Real>& scores, const Stretch<Real>& work, Strip& s) const {
    run_[work.first_slots < work.last_slots][work.pointers != nullptr](d_, scores, work);
    const int64_t live = s.live + (work.last - work.first) * d_.reach;
    s.live = static_cast<int32_t>(std::min<int64_t>(live, graph_.states));
  }

  // Before a frame that is a multiple of kRecentre. `moved` (tiles) gets what left each of the strip's tiles.
  OffsetBelow recentre(Strip& s, OffsetBelow below, Real* moved) {
    if (s.last == tiles_) {  // what the kernel left behind the last state must not count for its tile
      for (int32_t j = graph_.states; j < tiles_ * kTile; ++j) d_.alpha[place_of(j)] = kNever;
    }
    const int32_t low = s.low / kPairsPerTile, high = std::clamp(tile_count(s.live), low, s.last);
    kernels_of<Real>().tile_tops(d_.alpha, low, high, moved);
    choose_moves(offset_.data(), low, high, beam_, moved);
    std::fill(moved + s.first, moved + low, kNever);
    std::fill(moved + high, moved + s.last, kNever);
    return settle(s, low, high, below, moved);
  }

  // The same again for a window, from what left each of all the tiles then.
  void repeat_recentring(const Strip& s, const Real* moved) {
    move_offsets(moved, 0, tiles_, tiles_, {}, offset_.data());
    kernels_of<Real>().lower_tiles(d_.alpha, s.first, s.last, moved);
    refresh_shifts(s, s.first, s.last);
  }

  void refresh_shifts(const Strip& s, int32_t first, int32_t last) {
    for (int32_t k = std::max(first, 1); k < last; ++k) shift_[k] = static_cast<Real>(offset_[k - 1] - offset_[k]);
    if (s.first_run < s.last_run) {
      slots_.runs().refresh_shifts(offset_.data(), s.first_run, s.last_run);
    } else {
      slots_.refresh_shifts(offset_.data(), s.first_slots, s.last_slots);
    }
  }

  // ---- the way back

  double alpha(int32_t state) const { return offset_[state / kTile] + static_cast<double>(d_.alpha[place_of(state)]); }

  // The arc by which the best path into `state` came, from a frame's back-pointers, which begin with pair `base`.
  Step step(const uint8_t* frame, int32_t state, int32_t base = 0) const {
    const Bits* layers = reinterpret_cast<const Bits*>(frame);
    const auto s = static_cast<uint32_t>(state);
    const int64_t pair = int64_t{s / kPair} - base;
    const Bits* bits = layers + d_.layout.layers + pair * d_.layout.stride + s % 2;
    const uint32_t lane = s % kPair / 2;
    const auto won = [&](int32_t row) { return static_cast<uint32_t>(bits[row]) >> lane & 1; };
    if (slots_.has(state) && won(d_.layout.listed)) return slots_.step(layers, state);
    // No branches, which would be mispredicted.
    const uint32_t advanced = won(0), skipped = won(d_.skips == Skips::none ? 0 : 2) & (s | any_skips_) & has_skips_;
    const uint32_t back = skipped << 1 | (advanced & ~skipped);
    return {static_cast<int32_t>(s - back), static_cast<double>(band_[back][place_of(state)])};
  }

  Step step(int64_t, const uint8_t* frame, int32_t state) const { return step(frame, state); }

  // ---- checkpoints: the offsets, α, and what is live

  void save(uint8_t* row) const {
    save_tiles(row, {0, tiles_}, 0, tiles_);
    std::memcpy(row + bytes({0, tiles_}), &whole_, sizeof whole_);
  }
  void restore(const uint8_t* row) {
    restore_tiles(row, {0, tiles_}, 0, tiles_);
    std::memcpy(&whole_, row + bytes({0, tiles_}), sizeof whole_);
    refresh_shifts(whole_, 0, tiles_);
  }
  // Tiles first … last−1 of a row that has room for the tiles of a span.
  void save_tiles(uint8_t* row, Span span, int32_t first, int32_t last) const {
    uint8_t* cells = row + (span.last - span.first) * sizeof(double) + (first - span.first) * kTile * sizeof(Real);
    std::memcpy(row + (first - span.first) * sizeof(double), offset_.data() + first, (last - first) * sizeof(double));
    std::memcpy(cells, d_.alpha + int64_t{first} * kTile, (last - first) * kTile * sizeof(Real));
  }
  void restore_tiles(const uint8_t* row, Span span, int32_t first, int32_t last) {
    const uint8_t* cells =
        row + (span.last - span.first) * sizeof(double) + (first - span.first) * kTile * sizeof(Real);
    restore_offsets(row, span, first, last);
    std::memcpy(d_.alpha + int64_t{first} * kTile, cells, (last - first) * kTile * sizeof(Real));
  }
  void restore_offsets(const uint8_t* row, Span span, int32_t first, int32_t last) {
    std::memcpy(offset_.data() + first, row + (first - span.first) * sizeof(double), (last - first) * sizeof(double));
  }
  static int64_t bytes(Span span) {
    return (span.last - span.first) * static_cast<int64_t>(sizeof(double) + kTile * sizeof(Real));
  }

 private:
  static constexpr Real kNever = -std::numeric_limits<Real>::infinity();

  static std::vector<int32_t> states_of(std::vector<int32_t> tiles) {
    for (int32_t& tile : tiles) tile *= kTile;
    return tiles;
  }

  OffsetBelow settle(Strip& s, int32_t low, int32_t high, OffsetBelow below, const Real* moved) {
    const int64_t reached = s.live + kRecentre * d_.reach;  // by the next time
    const auto end = static_cast<int32_t>(std::clamp<int64_t>((reached + kTile - 1) / kTile, high, s.last));
    const OffsetBelow above = move_offsets(moved, low, high, end, below, offset_.data());
    kernels_of<Real>().lower_tiles(d_.alpha, low, high, moved);
    refresh_shifts(s, low + (s.first > 0 && low == s.first), end);
    if (s.first > 0 && low == s.first && low < end) shift_[low] = static_cast<Real>(below.offset - offset_[low]);
    if (beam_ < std::numeric_limits<double>::infinity()) narrow(s, low, high, moved);
    return above;
  }

  // Leaves out the tiles at either end that the beam has emptied.
  void narrow(Strip& s, int32_t low, int32_t high, const Real* moved) {
    while (high > low && moved[high - 1] == kNever) --high;
    s.live = std::min(s.live, high * kTile);
    if (!forward_only_) return;
    while (low < high && moved[low] == kNever) ++low;
    s.low = low * kPairsPerTile;
  }

  LinearGraph<Real> graph_;
  double beam_;
  int32_t tiles_;
  std::vector<int32_t> cuts_;
  LinearArcs<Real> arcs_;
  Slots<Real> slots_;
  Buffer<Real> alpha_;
  Buffer<double> offset_;
  Buffer<Real> shift_, moved_;
  LinearViterbi<Real> d_{};
  uint32_t has_skips_, any_skips_;
  const Real* band_[3];             // weights of the arcs that lead 0, 1, 2 states ahead
  LinearRun<Real> run_[2][2] = {};  // by whether there are slots, and back-pointers
  int32_t start_live_ = 0;
  bool forward_only_ = true;
  Strip whole_{};
};

}  // namespace streamhmm
