// out[t, v] = scale · Σ_{j: pdf(j) = v} gamma[t, j] for some frames of a block; 0 for columns that no state has.
#include "kernels.h"
#include "scaled_simd.h"

namespace streamhmm {
namespace STREAMHMM_TARGET {
namespace {

template <class Real>
STREAMHMM_KERNEL void fill_zeros(Real* out, int64_t count) {
  for (int64_t i = 0; i < count; ++i) out[i] = 0;
}

// Frame by frame.
template <class Real>
void sum_by_pdf(const PdfSums<Real>& sums, int64_t frames, Real scale, Real* out) {
  const int64_t count = sums.column_count;
  Real* __restrict partial = sums.partial;
  for (int64_t t = 0; t < frames; ++t) {
    const Real* __restrict gamma = sums.gamma + t * sums.gamma_stride;
    fill_zeros(partial, kPdfCopies * count);
    for (int64_t j = 0; j < sums.states; ++j) partial[(j / 2) % kPdfCopies * count + sums.rank[j]] += gamma[j];
    Real* row = out + t * sums.width;
    if (count < sums.width) fill_zeros(row, sums.width);
    for (int64_t i = 0; i < count; ++i) {
      Real sum = partial[i];
      for (int64_t copy = 1; copy < kPdfCopies; ++copy) sum += partial[copy * count + i];
      row[sums.columns[i]] = sum * scale;
    }
  }
}

#if defined(__AVX512F__)

// Rows become columns.
STREAMHMM_KERNEL void transpose(__m512 (&row)[16]) {
  __m512 pairs[16], quads[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    pairs[i] = _mm512_unpacklo_ps(row[i], row[i + 1]);
    pairs[i + 1] = _mm512_unpackhi_ps(row[i], row[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    for (int k = 0; k < 2; ++k) {
      const __m512d low = _mm512_castps_pd(pairs[i + k]), high = _mm512_castps_pd(pairs[i + k + 2]);
      quads[i + 2 * k] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
      quads[i + 2 * k + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
    }
  }
  // quads[4·i + c], part p: column 4·p + c of the rows 4·i … 4·i + 3
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    const __m512 even_low = _mm512_shuffle_f32x4(quads[c], quads[c + 4], 0x88);
    const __m512 odd_low = _mm512_shuffle_f32x4(quads[c], quads[c + 4], 0xdd);
    const __m512 even_high = _mm512_shuffle_f32x4(quads[c + 8], quads[c + 12], 0x88);
    const __m512 odd_high = _mm512_shuffle_f32x4(quads[c + 8], quads[c + 12], 0xdd);
    row[c] = _mm512_shuffle_f32x4(even_low, even_high, 0x88);
    row[c + 4] = _mm512_shuffle_f32x4(odd_low, odd_high, 0x88);
    row[c + 8] = _mm512_shuffle_f32x4(even_low, even_high, 0xdd);
    row[c + 12] = _mm512_shuffle_f32x4(odd_low, odd_high, 0xdd);
  }
}

// All frames of the block at once, a vector over frames for each state.
template <>
void sum_by_pdf(const PdfSums<float>& sums, int64_t frames, float scale, float* out) {
  const int64_t count = sums.column_count;
  float* partial = sums.partial;
  fill_zeros(partial, (count + 15) / 16 * 16 * kPdfCopies * kPdfFrames);
  __m512 block[16];
  for (int64_t j = 0; j < sums.states; j += 16) {
#pragma GCC unroll 16
    for (int t = 0; t < 16; ++t) block[t] = _mm512_loadu_ps(sums.gamma + t * sums.gamma_stride + j);
    transpose(block);
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) {
      float* cell = partial + (int64_t{sums.rank[j + i]} * kPdfCopies + i / 2 % kPdfCopies) * kPdfFrames;
      _mm512_storeu_ps(cell, _mm512_add_ps(_mm512_loadu_ps(cell), block[i]));
    }
  }
  if (count < sums.width) fill_zeros(out, frames * sums.width);
  const bool contiguous = sums.columns[count - 1] - sums.columns[0] == count - 1;
  for (int64_t i = 0; i < count; i += 16) {
#pragma GCC unroll 16
    for (int v = 0; v < 16; ++v) {
      const float* cell = partial + (i + v) * kPdfCopies * kPdfFrames;
      const __m512 low = _mm512_add_ps(_mm512_loadu_ps(cell), _mm512_loadu_ps(cell + kPdfFrames));
      const __m512 high = _mm512_add_ps(_mm512_loadu_ps(cell + 2 * kPdfFrames), _mm512_loadu_ps(cell + 3 * kPdfFrames));
      block[v] = _mm512_mul_ps(_mm512_add_ps(low, high), _mm512_set1_ps(scale));
    }
    transpose(block);
    const auto left = static_cast<__mmask16>(count - i >= 16 ? 0xffffu : (1u << (count - i)) - 1);
    const __m512i columns = _mm512_maskz_loadu_epi32(left, sums.columns + i);
#pragma GCC unroll 16
    for (int t = 0; t < 16; ++t) {
      if (t >= frames) break;
      float* row = out + t * sums.width;
      if (contiguous) {
        _mm512_mask_storeu_ps(row + sums.columns[i], left, block[t]);
      } else {
        _mm512_mask_i32scatter_ps(row, left, columns, block[t], 4);
      }
    }
  }
}

#endif

}  // namespace

void fill_pdf_sums(Kernels& table) {
  table.single_precision.sum_by_pdf = sum_by_pdf<float>;
  table.double_precision.sum_by_pdf = sum_by_pdf<double>;
}

}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
