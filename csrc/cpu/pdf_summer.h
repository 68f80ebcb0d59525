// PdfSummer: keeps a block of frames' posteriors until they are summed over the states of each pdf.
#pragma once

#include <algorithm>

#include "batch_rows.h"
#include "buffer.h"
#include "linear_viterbi.h"
#include "pdf_sums.h"

namespace streamhmm {

template <class Real>
class PdfSummer {
 public:
  PdfSummer() = default;
  PdfSummer(const GraphRecord& record, const ColumnsRead& columns)
      : rank_(linear_groups(record.states) * kGroup, 0),
        gamma_(kPdfFrames * rank_.size(), Real(0)),
        partial_(linear_groups(columns.count()) * kGroup * kPdfCopies * kPdfFrames) {
    for (int32_t j = 0; j < record.states; ++j) rank_[j] = columns.rank(record.body[j]);
    sums_ = {record.states,   rank_.data(),  columns.data(), columns.count(),
             columns.width(), gamma_.data(), rank_.size(),   partial_.data()};
  }

  // Where the posteriors of frame t belong.
  Real* gamma(int64_t t) { return gamma_.data() + t % kPdfFrames * rank_.size(); }

  // Once frame t is there, and all those after it in its block (of `frames` in all): writes its block to `out`, the
  // result's first row, if frame t is the block's first.
  void deliver(int64_t t, int64_t frames, Real scale, Real* out) const {
    if (t % kPdfFrames != 0) return;
    const int64_t count = std::min(frames - t, kPdfFrames);
    kernels_of<Real>().sum_by_pdf(sums_, count, scale, out + t * sums_.width);
  }

 private:
  Buffer<int32_t> rank_;
  Buffer<Real> gamma_, partial_;
  PdfSums<Real> sums_{};
};

}  // namespace streamhmm
