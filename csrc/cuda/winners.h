// Back-pointers as the states that won, each in as few bytes as the graph's size needs.
#pragma once

#include <cstdint>

#include "launch.h"

namespace streamhmm::cuda {

__host__ __device__ inline int32_t winner_bytes(int64_t states) { return states <= 256 ? 1 : states <= 65536 ? 2 : 4; }

// Of a frame: whole words of 16 bytes.
__host__ __device__ inline int64_t winner_row_bytes(int64_t states) {
  return (states * winner_bytes(states) + 15) / 16 * 16;
}

// Of a batch: (batch, frames of a segment, states_wide).
class WinnerRows {
 public:
  __device__ WinnerRows(char* memory, int64_t states_wide, int64_t sequence, int64_t frames)
      : bytes_(winner_bytes(states_wide)), states_(states_wide), rows_(memory + sequence * frames * row_bytes()) {}

  __device__ int64_t row_bytes() const { return winner_row_bytes(states_); }
  __device__ const char* row(int64_t frame) const { return rows_ + frame * row_bytes(); }

  __device__ void set(int64_t frame, int32_t state, int32_t winner) const {
    char* row = rows_ + frame * row_bytes();
    if (bytes_ == 1) {
      reinterpret_cast<uint8_t*>(row)[state] = static_cast<uint8_t>(winner);
    } else if (bytes_ == 2) {
      reinterpret_cast<uint16_t*>(row)[state] = static_cast<uint16_t>(winner);
    } else {
      reinterpret_cast<int32_t*>(row)[state] = winner;
    }
  }
  // From a row, or a copy of one.
  __device__ int32_t get(const char* row, int32_t state) const {
    if (bytes_ == 1) return reinterpret_cast<const uint8_t*>(row)[state];
    if (bytes_ == 2) return reinterpret_cast<const uint16_t*>(row)[state];
    return reinterpret_cast<const int32_t*>(row)[state];
  }

 private:
  int32_t bytes_;
  int64_t states_;
  char* rows_;
};

}  // namespace streamhmm::cuda
