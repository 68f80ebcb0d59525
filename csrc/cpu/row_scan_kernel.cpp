// Checks scores before they are used: one pass over the columns that the graph reads.
#include "kernels.h"
#include "target.h"

namespace streamhmm {
namespace STREAMHMM_TARGET {
namespace {

// Not less than +inf is true of NaN and of +inf only.
template <class Real>
STREAMHMM_KERNEL bool has_invalid(const Real* row, int32_t count) {
  int32_t bad = 0;
  for (int32_t i = 0; i < count; ++i) bad |= !(row[i] < static_cast<Real>(__builtin_inf()));
  return bad != 0;
}

template <class Real>
STREAMHMM_KERNEL bool has_invalid(const Real* row, const int32_t* columns, int32_t count) {
  int32_t bad = 0;
  for (int32_t i = 0; i < count; ++i) bad |= !(row[columns[i]] < static_cast<Real>(__builtin_inf()));
  return bad != 0;
}

template <class Real>
int64_t first_invalid(const ScoreRows<Real>& scores, const int32_t* columns, int32_t count) {
  const bool contiguous = columns[count - 1] - columns[0] == count - 1;  // columns ascend
  for (int64_t t = 0; t < scores.frames; ++t) {
    const Real* row = scores.data + t * scores.stride;
    if (contiguous ? has_invalid(row + columns[0], count) : has_invalid(row, columns, count)) return t;
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
