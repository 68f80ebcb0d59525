// How the states of a linear graph are cut into strips that threads share, and what a strip tells the one above.
//
// Where arcs lead ahead only, a strip needs of all that lies below it no more than α of its two highest states, frame
// by frame. So strip n works on a block of kRecentre frames when strip n−1 is through with it: a wave, without
// barriers.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "../params.h"
#include "buffer.h"
#include "linear_viterbi.h"
#include "tile_offsets.h"

namespace streamhmm {

// Tiles first … last−1.
struct Span {
  int32_t first, last;
};

// Some tiles, of which pairs low … high−1 are worked on. α is −inf from state `live` on, and below pair `low` unless
// the border to the strip below says otherwise.
struct Strip {
  int32_t first, last;
  int32_t low, high;
  int32_t live;
  int32_t first_slots, last_slots;
  int32_t first_run, last_run;
};

// Tiles at which up to strips − 1 cuts can be made, near equal parts, such that no arc from outside the band crosses.
template <class Real>
std::vector<int32_t> strip_cuts(const LinearGraph<Real>& graph, int64_t strips) {
  const int32_t tiles = tile_count(graph.states);
  std::vector<int32_t> crossing(tiles + 1, 0), cuts;
  for (int32_t k = 0; k < graph.extras;
       ++k) {  // cut c lies between tiles c−1 and c; a list may hold the band's arcs too
    const int32_t lowest = std::max(std::min(graph.source[k], graph.target[k] - 2), 0);
    ++crossing[lowest / kTile + 1];
    --crossing[graph.target[k] / kTile + 1];
  }
  for (int32_t tile = 1; tile < tiles; ++tile) crossing[tile] += crossing[tile - 1];
  for (int64_t part = 1; part < strips; ++part) {
    const auto wanted = static_cast<int32_t>(tiles * part / strips), widest = static_cast<int32_t>(tiles / strips / 4);
    for (int32_t away = 0; away <= 2 * widest; ++away) {
      const int32_t tile = away % 2 == 0 ? wanted + away / 2 : wanted - (away + 1) / 2;
      if (tile < 1 || tile >= tiles || crossing[tile] != 0 || (!cuts.empty() && tile <= cuts.back())) continue;
      cuts.push_back(tile);
      break;
    }
  }
  return cuts;
}

// What passes from one strip to the next, block by block.
template <class Real>
class StripBorder {
 public:
  explicit StripBorder(int64_t blocks) : alpha_(blocks * 2 * kRecentre), offset_(blocks) {}

  Real* alpha(int64_t block) { return alpha_.data() + block * 2 * kRecentre; }
  OffsetBelow& offset(int64_t block) { return offset_[block]; }

  void publish(int64_t blocks) { done_.store(blocks, std::memory_order_release); }

  // Until the strip below is through with a block. It has started before, in this thread or in another one.
  void wait_for(int64_t block) const {
    for (int spin = 0; done_.load(std::memory_order_acquire) <= block; ++spin) {
      if (spin >= kSpins) std::this_thread::yield();
    }
  }

 private:
  static constexpr int kSpins = 1000;  // about as long as handing the core over takes

  Buffer<Real> alpha_;
  Buffer<OffsetBelow> offset_;
  alignas(64) std::atomic<int64_t> done_{0};
};

}  // namespace streamhmm
