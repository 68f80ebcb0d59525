// The way forward of Viterbi on plain linear graphs: the recursion of ../viterbi.h, by a warp for its tile.
#pragma once

#include "linear_border.h"
#include "linear_lane.h"
#include "linear_scores.h"
#include "linear_walk.h"

namespace streamhmm::cuda {

// Room for a segment: back-pointers, and what tiles hand over, one place a tile and chunk.
template <class Real>
struct PathRoom {
  LinearPointers pointers;
  int64_t places;
  int64_t words;
  uint64_t* borders;

  __host__ __device__ PathRoom(Parts& memory, int64_t batch, int64_t tiles, int64_t frames)
      : pointers(memory, batch, tiles, frames),
        places(batch * tiles * pointers.chunks),
        words(places * Border<Real>::kWords) {
    borders = memory.take<uint64_t>(words);
  }
};

// What a warp has in shared memory: of each frame of a chunk, α before it of the two states below the tile and of the
// tile's two highest.
template <class Real>
struct PathEdges {
  EvenOdd<Real>* below;
  EvenOdd<Real>* above;

  __host__ __device__ PathEdges(Parts& memory, int32_t warps, int32_t warp) {
    below = memory.take<EvenOdd<Real>>(warps * kRecentre) + warp * kRecentre;
    above = memory.take<EvenOdd<Real>>(warps * kRecentre) + warp * kRecentre;
  }
};

// A warp on its tile.
template <class Real>
class LinearForward {
 public:
  __device__ LinearForward(const BatchView& view, const LinearWave& wave, const Segment& segment,
                           const TilePlace& place, const PathEdges<Real>& edges)
      : view_(view),
        wave_(wave),
        segment_(segment),
        b_(place.sequence),
        tile_(place.tile),
        lane_(view, b_, tile_),
        scores_(view, b_, lane_.pdf(),
                kHasOffsets ? static_cast<Real>(kLargestSingle) : static_cast<Real>(__builtin_inf())),
        edges_(edges) {}

  __device__ void run(int64_t last, const PathRoom<Real>& room) {
    segment_.first == 0 ? start() : restore();
    const bool has_above = (tile_ + 1) * kTile < view_.record(b_).states;
    scores_.fetch(segment_.first, last);
    Border<Real> below = border_of(room, tile_ > 0 ? tile_ - 1 : 0, 0);
    for (int64_t chunk = 0, t = segment_.first; t < last; ++chunk, t += kRecentre) {
      receive(t, below);
      uint32_t* words = room.pointers.of(b_, tile_, chunk) + lane_of_thread();
      for (int32_t f = 0; f < kRecentre && t + f < last; f += kFrames) {
        if (f + kFrames >= kRecentre && tile_ > 0 && t + kRecentre < last) {
          below = border_of(room, tile_ - 1, chunk + 1);
          below.look();
        }
        advance(t + f, last);
        if (segment_.pointers != nullptr) keep(words + f / kWordFrames * kWarp);
      }
      __syncwarp();
      if (has_above) hand_over(border_of(room, tile_, chunk));
    }
    save();
  }

 private:
  static constexpr int32_t kFrames = 64 / static_cast<int32_t>(sizeof(Real));  // fetched at a time
  static constexpr int32_t kWords = kFrames / kWordFrames;
  static constexpr bool kHasOffsets = sizeof(Real) == sizeof(float);
  static_assert(kRecentre == kWarp && kRecentre % kFrames == 0 && kFrames % kWordFrames == 0, "of whole groups");

  __device__ Border<Real> border_of(const PathRoom<Real>& room, int32_t tile, int64_t chunk) const {
    return {room.borders, room.places, room.pointers.place(b_, tile, chunk)};
  }

  // What the step to frame 0 finds: it adds the scores, and nothing else.
  __device__ void start() { alpha_ = lane_.initial(); }

  __device__ void restore() {
    const LinearSaved<Real> saved(const_cast<char*>(segment_.from), b_, wave_.tiles);
    alpha_ = reinterpret_cast<const EvenOdd<Real>*>(saved.alpha)[tile_ * kWarp + lane_of_thread()];
    offset_ = saved.offset[tile_];
  }

  __device__ void save() const {
    const LinearSaved<Real> saved(segment_.to, b_, wave_.tiles);
    reinterpret_cast<EvenOdd<Real>*>(saved.alpha)[tile_ * kWarp + lane_of_thread()] = alpha_;
    if (lane_of_thread() == 0) saved.offset[tile_] = offset_;
    if (found_ != 0) atomicOr(wave_.inspection.flags + b_, found_);
  }

  // Before the chunk that begins with frame t: the offsets move, and what the tile below has handed over is seen from
  // this tile. An empty tile takes the offset from below. Where all tiles below are empty too, it keeps its own one: no
  // path will ever reach it, as no arc leads back, so no path depends on its offset.
  __device__ void receive(int64_t t, Border<Real>& below) {
    Real moved = never<Real>();
    if (t > 0) alpha_ = lane_.existing(alpha_, never<Real>());
    if (t > 0 && kHasOffsets) moved = warp_max(alpha_.even > alpha_.odd ? alpha_.even : alpha_.odd);
    double offset_below = never<double>();
    if (tile_ > 0) {
      below.receive();
      offset_below = below.number();
    }
    if (!is_never(moved)) {
      offset_ += static_cast<double>(moved);
      alpha_ = {alpha_.even - moved, alpha_.odd - moved};
    } else if (kHasOffsets && !is_never(offset_below)) {
      offset_ = offset_below;
    }
    is_reached_ = t == 0 || !is_never(moved) || !is_never(offset_below);
    const Real shift = kHasOffsets && !is_never(offset_below) ? static_cast<Real>(offset_below - offset_) : Real(0);
    EvenOdd<Real> pair{never<Real>(), never<Real>()};
    if (tile_ > 0) pair = {below.first() + shift, below.second() + shift};
    edges_.below[lane_of_thread()] = pair;
    __syncwarp();
  }

  __device__ void hand_over(const Border<Real>& border) const {
    const EvenOdd<Real> pair = edges_.above[lane_of_thread()];
    border.hand_over(pair.even, pair.odd, is_reached_ ? offset_ : never<double>());
    __syncwarp();
  }

  // Frames t … min(t + kFrames, last) − 1. A group with all its frames takes no decision on the way.
  __device__ void advance(int64_t t, int64_t last) {
    EvenOdd<Real> scores[kFrames];
    scores_.take(scores, found_);
    scores_.fetch(t + kFrames, last);
    const EvenOdd<Real>* below = edges_.below + t % kRecentre;
    EvenOdd<Real>* above = edges_.above + t % kRecentre;
#pragma unroll
    for (uint32_t& word : bits_) word = 0;
    if (t == 0 || last - t < kFrames) return step_through<false, false>(t, last, scores, below, above);
    if (lane_.is_ctc()) return step_through<true, true>(t, last, scores, below, above);
    step_through<true, false>(t, last, scores, below, above);
  }

  template <bool kAll, bool kCtc>
  __device__ void step_through(int64_t t, int64_t last, const EvenOdd<Real> (&scores)[kFrames],
                               const EvenOdd<Real>* below, EvenOdd<Real>* above) {
    EvenOdd<Real> first[kWordFrames];  // of `below`, read ahead
#pragma unroll
    for (int32_t f = 0; f < kFrames; ++f) {
      if (f % kWordFrames == 0) {
#pragma unroll
        for (int32_t i = 0; i < kWordFrames; ++i) first[i] = below[f + i];
      }
      if (!kAll && t + f >= last) continue;
      if (lane_of_thread() == kWarp - 1) above[f] = alpha_;
      if (kAll || t + f > 0) step<kCtc>(first[f % kWordFrames], bits_[f / kWordFrames], f % kWordFrames * 4);
      alpha_ = {alpha_.even + scores[f].even, alpha_.odd + scores[f].odd};
    }
  }

  // max over the arcs into each state; of equals the one from the lowest source, that from s−2 first, wins. What comes
  // from the lane below comes last: it is what the next frame waits for.
  template <bool kCtc>
  __device__ void step(const EvenOdd<Real>& below, uint32_t& bits, int32_t bit) {
    const bool is_lowest = lane_of_thread() == 0;
    Real odd_below = __shfl_up_sync(kAllLanes, alpha_.odd, 1);
    if (is_lowest) odd_below = below.odd;
    const EvenOdd<Real> stay =
        kCtc ? alpha_ : EvenOdd<Real>{alpha_.even + lane_.stay.even, alpha_.odd + lane_.stay.odd};
    const Real advance_odd = kCtc ? alpha_.even : alpha_.even + lane_.advance.odd;
    const Real advance_even = kCtc ? odd_below : odd_below + lane_.advance.even;
    if constexpr (kCtc) {
      alpha_.even = fmax(advance_even, stay.even);
      if (stay.even > advance_even)
        bits |= 2u << bit;
      else
        bits |= 1u << bit;
    } else {
      Real even_below = __shfl_up_sync(kAllLanes, alpha_.even, 1);
      if (is_lowest) even_below = below.even;
      alpha_.even = best_of(even_below + lane_.skip.even, advance_even, stay.even, bits, bit);
    }
    alpha_.odd = best_of(odd_below + lane_.skip.odd, advance_odd, stay.odd, bits, bit + 2);
  }

  __device__ static Real best_of(Real skip, Real advance, Real stay, uint32_t& bits, int32_t bit) {
    if (advance > skip) bits |= 1u << bit;
    if (stay > advance && stay > skip) bits |= 2u << bit;
    return fmax(skip, fmax(advance, stay));
  }

  // The back-pointers of a group of frames.
  __device__ void keep(uint32_t* to) const {
#pragma unroll
    for (int32_t w = 0; w < kWords; ++w) to[w * kWarp] = bits_[w];
  }

  const BatchView& view_;
  const LinearWave& wave_;
  const Segment& segment_;
  int64_t b_;
  int32_t tile_;
  LinearLane<Real, ArcEnd::target> lane_;
  LinearScores<Real, kFrames> scores_;
  PathEdges<Real> edges_;
  EvenOdd<Real> alpha_;
  double offset_ = 0;
  bool is_reached_ = true;  // whether the tile or one below has a finite α
  uint32_t bits_[kWords];
  uint32_t found_ = 0;
};

}  // namespace streamhmm::cuda
