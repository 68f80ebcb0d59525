// Undecided: who led to whom in the frames of a stream that are not decided yet, and where the best paths of all
// survivors meet.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "../viterbi.h"
#include "tile_offsets.h"

namespace streamhmm {

// The tiles looked at in a frame, ascending, and for each of their states where its best path came from.
struct TracedFrame {
  std::vector<int32_t> tiles;
  std::vector<int32_t> source;  // (tiles, kTile)

  int32_t source_of(int32_t state) const {
    const int32_t tile = state / kTile;
    const auto guess = static_cast<size_t>(std::max(tile - tiles.front(), 0));
    const bool there = guess < tiles.size() && tiles[guess] == tile;  // as in all that have no holes
    const auto at = there ? guess : std::lower_bound(tiles.begin(), tiles.end(), tile) - tiles.begin();
    return source[at * kTile + state % kTile];
  }
};

class Undecided {
 public:
  int64_t first() const { return first_; }                                       // c
  int64_t end() const { return first_ + static_cast<int64_t>(frames_.size()); }  // frames so far

  // Room for the next frame. Where nothing before it is open, it is the first undecided one.
  TracedFrame& append(const std::vector<int32_t>& tiles) {
    if (spare_.empty()) spare_.emplace_back();
    frames_.push_back(std::move(spare_.back()));
    spare_.pop_back();
    frames_.back().tiles = tiles;
    frames_.back().source.resize(tiles.size() * kTile);
    return frames_.back();
  }

  // The path to `state` in the last frame, through all undecided frames.
  void trace(int32_t state, std::vector<int64_t>& path) const { trace(end() - 1, state, path); }

  void decide_all(int32_t state, std::vector<int64_t>& decided) {
    if (frames_.empty()) return;
    trace(end() - 1, state, decided);
    drop_before(end());
  }

  void decide_nothing_fits(std::vector<int64_t>& decided) {
    decided.insert(decided.end(), frames_.size(), -1);
    drop_before(end());
  }

  // Decides what the paths of all survivors (ascending) share, which is something if they share their ancestor.
  // `ancestor` of each survivor becomes that at the new first frame.
  void decide_shared(const std::vector<int32_t>& survivors, int32_t* ancestor, std::vector<int64_t>& decided) {
    levels_.resize(std::max<size_t>(levels_.size(), 1));
    levels_[0].states = survivors;
    size_t depth = 0;
    while (levels_[depth].states.size() > 1) step_back(depth++);
    const int64_t meeting = end() - 1 - static_cast<int64_t>(depth);
    trace(meeting, levels_[depth].states[0], decided);
    if (depth > 0) hand_up(depth - 1, ancestor);
    drop_before(meeting + 1);
  }

  template <class Archive>
  void transfer(Archive& archive, int32_t states) {
    archive.number(first_);
    int64_t count = static_cast<int64_t>(frames_.size());
    archive.number(count);
    archive.require(first_ >= 0 && count >= 0);
    if (archive.loads()) frames_.clear();
    for (int64_t t = 0; t < count; ++t) {
      if (archive.loads()) frames_.emplace_back();
      archive.indices(frames_[t].tiles, tile_count(states));
      archive.numbers(frames_[t].source);
      archive.require(frames_[t].source.size() == frames_[t].tiles.size() * kTile);
    }
  }

 private:
  // Distinct states that the survivors' paths pass in a frame, and for each that in the frame before.
  struct Level {
    std::vector<int32_t> states;
    std::vector<int32_t> parent;  // its place in the level below
    std::vector<int32_t> ancestor;
  };

  void trace(int64_t frame, int32_t state, std::vector<int64_t>& path) const {
    const size_t begin = path.size();
    path.resize(begin + static_cast<size_t>(frame - first_ + 1));
    for (int64_t t = frame; t > first_; --t) {
      path[begin + static_cast<size_t>(t - first_)] = state;
      state = frames_[t - first_].source_of(state);
    }
    path[begin] = state;
  }

  void step_back(size_t depth) {
    if (levels_.size() < depth + 2) levels_.emplace_back();
    Level &level = levels_[depth], &below = levels_[depth + 1];
    const TracedFrame& frame = frames_[frames_.size() - 1 - depth];
    level.parent.resize(level.states.size());
    for (size_t i = 0; i < level.states.size(); ++i) level.parent[i] = frame.source_of(level.states[i]);
    below.states = level.parent;
    const bool ascending = std::is_sorted(below.states.begin(), below.states.end());  // as in most graphs of speech
    if (!ascending) std::sort(below.states.begin(), below.states.end());
    below.states.erase(std::unique(below.states.begin(), below.states.end()), below.states.end());
    auto at = below.states.begin();
    for (int32_t& parent : level.parent) {
      if (!ascending) at = std::lower_bound(below.states.begin(), below.states.end(), parent);
      while (*at != parent) ++at;
      parent = static_cast<int32_t>(at - below.states.begin());
    }
  }

  // From the level at the new first frame up to the survivors.
  void hand_up(size_t depth, int32_t* ancestor) {
    levels_[depth].ancestor = levels_[depth].states;
    for (; depth > 0; --depth) {
      Level& level = levels_[depth - 1];
      level.ancestor.resize(level.states.size());
      for (size_t i = 0; i < level.states.size(); ++i) level.ancestor[i] = levels_[depth].ancestor[level.parent[i]];
    }
    for (size_t i = 0; i < levels_[0].states.size(); ++i) ancestor[levels_[0].states[i]] = levels_[0].ancestor[i];
  }

  void drop_before(int64_t frame) {
    for (; first_ < frame; ++first_) {
      spare_.push_back(std::move(frames_.front()));
      frames_.pop_front();
    }
    while (spare_.size() > kMostSpare) spare_.pop_back();
  }

  static constexpr size_t kMostSpare = 64;

  int64_t first_ = 0;
  std::deque<TracedFrame> frames_;
  std::deque<TracedFrame> spare_;
  std::vector<Level> levels_;
};

}  // namespace streamhmm
