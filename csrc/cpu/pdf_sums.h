// Posteriors summed over the states of each pdf, for a block of frames at a time.
#pragma once

#include <cstdint>

namespace streamhmm {

constexpr int64_t kPdfFrames = 16;  // frames a block

// What the kernel works on. Row t of `gamma` and of the result belong to the block's frame t.
template <class Real>
struct PdfSums {
  int32_t states;
  const int32_t* rank;     // (states, padded to whole groups) of each state's column among those read
  const int32_t* columns;  // (column_count) those read, ascending
  int32_t column_count;
  int64_t width;  // columns in a row of the result
  Real* gamma;    // (kPdfFrames, gamma_stride), zeros behind the states
  int64_t gamma_stride;
  Real* partial;  // (column_count, padded to whole groups) · kPdfCopies · kPdfFrames of scratch
};

// Successive states add to different copies of a sum: half of a CTC graph's states are the blank, and each addition to
// one cell would wait for the one before.
constexpr int kPdfCopies = 4;

}  // namespace streamhmm
