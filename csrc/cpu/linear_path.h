// LinearPath: the best path through a linear graph whose arcs lead ahead only, without back-pointers on the way
// forward.
//
// α is kept at the first frame of every segment. On the way back, a state at a segment's end can have been reached from
// a window of states only (what its arcs lead back to in so many frames), a small part of a large graph. The window is
// computed once more, first without back-pointers and with α kept every kRecentre frames, then with back-pointers in
// windows that are smaller still. Results are those of a whole pass to the bit: what was moved into the offsets is
// kept.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "buffer.h"
#include "linear_decoder.h"
#include "strips.h"
#include "thread_pool.h"

namespace streamhmm {

// How a sequence is cut: segments of `frames` frames, a multiple of kRecentre, and the bytes that takes.
struct Segments {
  int64_t frames;
  int64_t count;
  int64_t bytes;
};

template <class Real>
class LinearPath {
 public:
  static constexpr int32_t kFewestStates = 256;  // below, windows are no smaller than the graph

  static bool suits(const LinearGraph<Real>& graph, int64_t frames, int64_t budget) {
    for (int32_t k = 0; k < graph.extras; ++k) {
      if (graph.source[k] > graph.target[k]) return false;
    }
    return graph.states >= kFewestStates && segments(graph.states, frames).bytes <= budget;
  }

  LinearPath(const LinearGraph<Real>& graph, const ScoreRows<Real>& scores, double beam, int threads)
      : graph_(graph),
        scores_(scores),
        cuts_(cuts(graph, scores.frames, beam, threads)),
        decoder_(graph, beam, cuts_),
        segments_(segments(graph.states, scores.frames)),
        blocks_((scores.frames + kRecentre - 1) / kRecentre),
        saved_(segments_.count * decoder_.state_bytes()),
        moved_(keeps_moved() ? blocks_ * decoder_.tiles() : decoder_.tiles()),
        lowest_source_(decoder_.pairs(), std::numeric_limits<int32_t>::max()) {
    for (int32_t k = 0; k < graph.extras; ++k) {
      int32_t& lowest = lowest_source_[graph.target[k] / kPair];
      lowest = std::min(lowest, graph.source[k]);
    }
  }

  const LinearDecoder<Real>& decoder() const { return decoder_; }

  void forward() {
    decoder_.start(scores_);
    borders_.clear();
    for (size_t i = 0; i < cuts_.size(); ++i) borders_.push_back(std::make_unique<StripBorder<Real>>(blocks_));
    const auto strips = static_cast<int64_t>(cuts_.size()) + 1;
    parallel_for(strips, static_cast<int>(strips), [this](int64_t i) { run_strip(i); });
  }

  // Calls visit(t, state, step) for frames T−1 … 1, `state` being the path's in the last; returns its state in frame 0.
  template <class Visit>
  int32_t back(int32_t state, Visit& visit) {
    for (int64_t s = segments_.count - 1; s >= 0; --s) state = trace_segment(s, state, visit);
    return state;
  }

 private:
  static constexpr int64_t kStatesPerBlock = 2048;  // in a graph so large, a segment lasts a block of kRecentre frames
  static constexpr int64_t kWorthSharing = int64_t{1} << 20;  // frames × states that pay for waking a thread

  static Segments segments(int64_t states, int64_t frames) {
    const int64_t length = kRecentre * std::max<int64_t>(states / kStatesPerBlock, 1);
    const int64_t count = std::max<int64_t>((frames + length - 1) / length, 1);
    const int64_t tiles = (states + kTile - 1) / kTile, row = tiles * (kTile * sizeof(Real) + sizeof(double) + 1);
    const int64_t moved = length > kRecentre ? frames / kRecentre * tiles * int64_t{sizeof(Real)} : 0;
    const int64_t replay = length / kRecentre * row / 8;
    return {length, count, count * row + moved + replay};
  }

  static std::vector<int32_t> cuts(const LinearGraph<Real>& graph, int64_t frames, double beam, int threads) {
    const int64_t worth = frames * graph.states / kWorthSharing;
    if (beam < std::numeric_limits<double>::infinity()) return {};  // which needs the best of all states
    return strip_cuts(graph, std::min<int64_t>(threads, worth));
  }

  bool keeps_moved() const { return segments_.frames > kRecentre && decoder_.recentres(); }
  Real* moved(int64_t block) { return moved_.data() + (keeps_moved() ? block * decoder_.tiles() : 0); }
  uint8_t* saved(int64_t segment) { return saved_.data() + segment * decoder_.state_bytes(); }
  int64_t first_frame(int64_t block) const { return std::max<int64_t>(block * kRecentre, 1); }
  int64_t last_frame(int64_t block) const { return std::min((block + 1) * kRecentre, scores_.frames); }

  void run_strip(int64_t i) {
    const auto cut = static_cast<size_t>(i);
    StripBorder<Real>* below = i > 0 ? borders_[cut - 1].get() : nullptr;
    StripBorder<Real>* above = cut < cuts_.size() ? borders_[cut].get() : nullptr;
    Strip strip = decoder_.strip(cut);
    for (int64_t block = 0; block < blocks_; ++block) {
      if (below != nullptr) below->wait_for(block);
      OffsetBelow offset;
      if (block > 0 && decoder_.recentres()) {
        offset = decoder_.recentre(strip, below != nullptr ? below->offset(block) : OffsetBelow{}, moved(block));
      }
      const int64_t per_segment = segments_.frames / kRecentre;
      if (block % per_segment == 0)
        decoder_.save_tiles(saved(block / per_segment), {0, decoder_.tiles()}, strip.first, strip.last);
      Stretch<Real> work = decoder_.stretch(strip, first_frame(block), last_frame(block));
      work.below = below != nullptr ? below->alpha(block) : nullptr;
      work.above = above != nullptr ? above->alpha(block) : nullptr;
      decoder_.advance(scores_, work, strip);
      if (above == nullptr) continue;
      above->offset(block) = offset;
      above->publish(block + 1);
    }
  }

  // The pairs of groups from which `state` can be reached within some frames.
  Strip window(int32_t state, int64_t frames) const {
    const int32_t step = graph_.skip != nullptr ? 2 : 1;
    int32_t low = state, pair = state / kPair + 1, lowest = std::numeric_limits<int32_t>::max();
    for (int64_t t = 0; t < frames && low > 0; ++t) {
      while (pair > low / kPair) lowest = std::min(lowest, lowest_source_[--pair]);
      low = std::max(std::min(low - step, lowest), 0);
    }
    return decoder_.window(low / kPair, state / kPair + 1);
  }

  template <class Visit>
  int32_t trace_segment(int64_t s, int32_t state, Visit& visit) {
    const int64_t per_segment = segments_.frames / kRecentre, first = s * per_segment;
    const int64_t last = std::min(first + per_segment, blocks_);
    const Span all{0, decoder_.tiles()};
    if (last == first + 1) return trace_block(first, saved(s), all, state, visit);
    Strip outer = window(state, last_frame(last - 1) - first_frame(first));
    const Span span{outer.first, outer.last};
    const int64_t bytes = decoder_.bytes(span);
    reserve(replayed_, (last - first) * bytes);
    decoder_.restore_tiles(saved(s), all, outer.first, outer.last);
    decoder_.restore_offsets(saved(s), all, 0, decoder_.tiles());
    decoder_.refresh_shifts(outer, outer.first, outer.last);
    for (int64_t block = first; block < last; ++block) {
      if (block > first && decoder_.recentres()) decoder_.repeat_recentring(outer, moved(block));
      decoder_.save_tiles(replayed_.data() + (block - first) * bytes, span, outer.first, outer.last);
      if (block + 1 == last) break;
      decoder_.advance(scores_, decoder_.stretch(outer, first_frame(block), last_frame(block)), outer);
    }
    for (int64_t block = last - 1; block >= first; --block) {
      state = trace_block(block, replayed_.data() + (block - first) * bytes, span, state, visit);
    }
    return state;
  }

  template <class Visit>
  int32_t trace_block(int64_t block, const uint8_t* row, Span span, int32_t state, Visit& visit) {
    const int64_t first = first_frame(block), last = last_frame(block);
    Strip inner = window(state, last - first);
    decoder_.restore_tiles(row, span, inner.first, inner.last);
    decoder_.refresh_shifts(inner, inner.first, inner.last);
    Stretch<Real> work = decoder_.stretch(inner, first, last);
    work.needed = state;
    work.base = work.low;
    work.frame_size = decoder_.layout().size(work.high - work.low);
    reserve(pointers_, (last - first) * work.frame_size);
    work.pointers = pointers_.data();
    decoder_.advance(scores_, work, inner);
    for (int64_t t = last - 1; t >= first; --t) {
      const Bits* frame = pointers_.data() + (t - first) * work.frame_size;
      const Step step = decoder_.step(reinterpret_cast<const uint8_t*>(frame), state, work.base);
      visit(t, state, step);
      state = step.source;
    }
    return state;
  }

  template <class T>
  static void reserve(Buffer<T>& buffer, int64_t count) {
    if (buffer.size() < count) buffer = Buffer<T>(count);
  }

  LinearGraph<Real> graph_;
  ScoreRows<Real> scores_;
  std::vector<int32_t> cuts_;
  LinearDecoder<Real> decoder_;
  Segments segments_;
  int64_t blocks_;
  Buffer<uint8_t> saved_;
  Buffer<Real> moved_;
  Buffer<int32_t> lowest_source_;
  std::vector<std::unique_ptr<StripBorder<Real>>> borders_;
  Buffer<uint8_t> replayed_;
  Buffer<Bits> pointers_;
};

}  // namespace streamhmm
