// Checks scores before they are used: one pass over the columns that the graph reads.
#include "kernels.h"
#include "target.h"

namespace streamhmm {
namespace STREAMHMM_TARGET {
namespace {

constexpr int64_t kBlock = 64;  // frames checked at once: one look at the result for many

// Not less than +inf is true of NaN and of +inf only.
template <class Real>
STREAMHMM_KERNEL int32_t is_invalid(Real score) {
  return !(score < static_cast<Real>(__builtin_inf()));
}

template <class Real>
STREAMHMM_KERNEL bool run_has_invalid(const Real* scores, int64_t count) {
  int32_t bad = 0;
  for (int64_t i = 0; i < count; ++i) bad |= is_invalid(scores[i]);
  return bad != 0;
}

template <class Real>
STREAMHMM_KERNEL bool columns_have_invalid(const Real* row, const int32_t* columns, int32_t count) {
  int32_t bad = 0;
  for (int32_t i = 0; i < count; ++i) bad |= is_invalid(row[columns[i]]);
  return bad != 0;
}

template <class Real>
int64_t first_invalid(const ScoreRows<Real>& scores, const int32_t* columns, int32_t count) {
  const bool whole_rows = scores.stride == scores.columns && scores.columns <= 8 * static_cast<int64_t>(count);
  for (int64_t block = 0; block < scores.frames; block += kBlock) {
    const int64_t end = block + kBlock < scores.frames ? block + kBlock : scores.frames;
    const Real* first = scores.data + block * scores.stride;
    if (whole_rows && !run_has_invalid(first, (end - block) * scores.columns)) continue;
    for (int64_t t = block; t < end; ++t) {
      if (columns_have_invalid(scores.data + t * scores.stride, columns, count)) return t;
    }
  }
  return -1;
}

}  // namespace

void fill_row_scan(Kernels& table) {
  table.single_precision.first_invalid = first_invalid<float>;
  table.double_precision.first_invalid = first_invalid<double>;
}

}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
