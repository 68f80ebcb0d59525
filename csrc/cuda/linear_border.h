// What the warp of a tile hands to that of the tile above, a chunk of kRecentre frames at a time: each word is written
// once and says by itself whether it is there, so that nobody needs a fence or a flag. A word of 0 is not there yet.
#pragma once

#include "block.h"

namespace streamhmm::cuda {

__device__ inline uint64_t load_word(const uint64_t* at) { return *static_cast<const volatile uint64_t*>(at); }
__device__ inline void store_word(uint64_t* at, uint64_t word) { *static_cast<volatile uint64_t*>(at) = word; }

// Numbers by their bits turned over: only a NaN could be 0, and NaN is handed over as another one.
__device__ inline uint64_t word_of(double value) {
  const auto bits = ~static_cast<uint64_t>(__double_as_longlong(value));
  return bits != 0 ? bits : 1;
}
__device__ inline double double_of(uint64_t word) { return __longlong_as_double(static_cast<int64_t>(~word)); }
__device__ inline uint32_t half_word_of(float value) {
  const auto bits = ~static_cast<uint32_t>(__float_as_int(value));
  return bits != 0 ? bits : 1;
}
__device__ inline float float_of(uint32_t half) { return __int_as_float(static_cast<int32_t>(~half)); }

// Two numbers in as many words as they need.
template <class Real>
struct PairWords;

template <>
struct PairWords<float> {
  static constexpr int32_t kCount = 1;
  uint64_t words[kCount];
  __device__ static PairWords of(float first, float second) {
    return {{half_word_of(first) | uint64_t{half_word_of(second)} << 32}};
  }
  __device__ float first() const { return float_of(static_cast<uint32_t>(words[0])); }
  __device__ float second() const { return float_of(static_cast<uint32_t>(words[0] >> 32)); }
};

template <>
struct PairWords<double> {
  static constexpr int32_t kCount = 2;
  uint64_t words[kCount];
  __device__ static PairWords of(double first, double second) { return {{word_of(first), word_of(second)}}; }
  __device__ double first() const { return double_of(words[0]); }
  __device__ double second() const { return double_of(words[1]); }
};

// A place for a pair of each lane and a number of the tile.
template <class Real>
class Border {
 public:
  static constexpr int64_t kPairWords = int64_t{PairWords<Real>::kCount} * kWarp;
  static constexpr int64_t kWords = kPairWords + 1;

  // `places` of them stand at `words`, zeroed; the numbers of the tiles behind all pairs.
  __device__ Border(uint64_t* words, int64_t places, int64_t place)
      : pairs_(words + place * kPairWords + lane_of_thread()), number_(words + places * kPairWords + place) {}

  __device__ void hand_over(Real first, Real second, double number) const {
    const auto pair = PairWords<Real>::of(first, second);
    for (int32_t i = 0; i < pair.kCount; ++i) store_word(pairs_ + i * kWarp, pair.words[i]);
    if (lane_of_thread() == 0) store_word(number_, word_of(number));
  }

  // Looks whether what is to come is there.
  __device__ void look() {
    for (int32_t i = 0; i < found_.kCount; ++i) found_.words[i] = load_word(pairs_ + i * kWarp);
    number_found_ = load_word(number_);
  }
  // Waits until it is. The number comes last.
  __device__ void receive() {
    while (!__all_sync(kAllLanes, is_complete())) {
      while (lane_of_thread() == 0 && load_word(number_) == 0) __nanosleep(20);
      __syncwarp();
      look();
    }
  }
  __device__ Real first() const { return found_.first(); }
  __device__ Real second() const { return found_.second(); }
  __device__ double number() const { return double_of(number_found_); }

 private:
  __device__ bool is_complete() const {
    bool complete = number_found_ != 0;
    for (int32_t i = 0; i < found_.kCount; ++i) complete = complete && found_.words[i] != 0;
    return complete;
  }

  uint64_t* pairs_;
  uint64_t* number_;
  PairWords<Real> found_{};
  uint64_t number_found_ = 0;
};

}  // namespace streamhmm::cuda
