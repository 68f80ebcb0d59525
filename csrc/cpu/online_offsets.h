// The offsets of tiles (../viterbi.h) where only few tiles are looked at: an empty tile gets its own when it is
// reached.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace streamhmm {

class OnlineOffsets {
 public:
  void make_room(int32_t tiles) {
    offset_.resize(tiles, 0.0);
    epoch_of_.resize(tiles, 0);
  }

  double operator[](int32_t tile) const { return offset_[tile]; }

  // All 0 again.
  void clear() {
    begin();
    moved_.clear();
  }

  // A move of the tiles that have survivors, ascending; all others are empty.
  void begin() {
    ++epoch_;
    moved_.clear();
  }
  template <class Real>
  void move(int32_t tile, Real moved) {
    offset_[tile] += static_cast<double>(moved);
    epoch_of_[tile] = epoch_;
    moved_.push_back({tile, offset_[tile]});
  }

  // An empty tile has the offset of the nearest one below that had survivors at the last move, else of the first above.
  void refresh(int32_t tile) {
    if (epoch_of_[tile] == epoch_) return;
    epoch_of_[tile] = epoch_;
    const auto above = std::upper_bound(moved_.begin(), moved_.end(), tile,
                                        [](int32_t wanted, const Moved& moved) { return wanted < moved.tile; });
    offset_[tile] = moved_.empty() ? 0.0 : above == moved_.begin() ? above->offset : (above - 1)->offset;
  }

  template <class Archive>
  void transfer(Archive& archive) {
    archive.numbers(offset_);
    archive.numbers(epoch_of_);
    archive.number(epoch_);
    archive.numbers(moved_);
    archive.require(offset_.size() == epoch_of_.size());
  }

 private:
  struct Moved {
    int32_t tile;
    double offset;
  };

  std::vector<double> offset_;
  std::vector<int64_t> epoch_of_;  // of the last move that a tile's offset knows of
  int64_t epoch_ = 0;
  std::vector<Moved> moved_;
};

}  // namespace streamhmm
