// Small numbers packed into `bits` bits each, lowest bit first.
#pragma once

#include <cstdint>
#include <cstring>

namespace streamhmm {

// Bits that hold the numbers 0 … count−1, at least one.
inline int bits_for(int32_t count) {
  int bits = 1;
  while (bits < 31 && (int64_t{1} << bits) < count) ++bits;
  return bits;
}

// Bytes for `count` numbers; eight more than needed, because words are read and written whole.
inline int64_t packed_bytes(int64_t count, int bits) { return (count * bits + 7) / 8 + 8; }

class BitWriter {
 public:
  BitWriter(uint8_t* out, int bits) : out_(out), bits_(bits) {}

  void append(uint32_t value) {
    word_ |= static_cast<uint64_t>(value) << filled_;
    filled_ += bits_;
    if (filled_ >= 32) {
      const uint32_t low = static_cast<uint32_t>(word_);
      std::memcpy(out_, &low, sizeof low);
      out_ += sizeof low;
      word_ >>= 32;
      filled_ -= 32;
    }
  }
  void finish() { std::memcpy(out_, &word_, sizeof(uint32_t)); }

 private:
  uint8_t* out_;
  int bits_;
  int filled_ = 0;
  uint64_t word_ = 0;
};

inline uint32_t unpack(const uint8_t* data, int64_t index, int bits) {
  const int64_t position = index * bits;
  uint64_t word;
  std::memcpy(&word, data + position / 8, sizeof word);
  return static_cast<uint32_t>(word >> position % 8) & ((uint32_t{1} << bits) - 1);
}

}  // namespace streamhmm
