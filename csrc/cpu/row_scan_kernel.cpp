// Checks scores before they are used: one pass over the columns that the graph reads.
#include "kernels.h"
#include "target.h"

namespace streamhmm {
namespace STREAMHMM_TARGET {
namespace {

constexpr int64_t kBlock = 64;  // frames checked at once: one look at the result for many

template <class Real>
STREAMHMM_KERNEL int32_t is_invalid(Real score) {
  return !(score < static_cast<Real>(__builtin_inf()));  // not so for NaN and +inf only
}

template <class Real>
STREAMHMM_KERNEL int32_t is_unusual(Real score) {
  constexpr Real kLarge = static_cast<Real>(kLargestSingle), kNever = static_cast<Real>(-__builtin_inf());
  return (!(score <= kLarge)) | ((score < -kLarge) & (score != kNever));
}

template <class Real>
STREAMHMM_KERNEL bool run_has_unusual(const Real* scores, int64_t count) {
  int32_t unusual = 0;
  for (int64_t i = 0; i < count; ++i) unusual |= is_unusual(scores[i]);
  return unusual != 0;
}

template <class Real>
ScoreScan scan(const ScoreRows<Real>& scores, const int32_t* columns, int32_t count) {
  const bool whole_rows = scores.stride == scores.columns && scores.columns <= 8 * static_cast<int64_t>(count);
  int32_t unusual = 0;
  for (int64_t block = 0; block < scores.frames; block += kBlock) {
    const int64_t end = block + kBlock < scores.frames ? block + kBlock : scores.frames;
    const Real* first = scores.data + block * scores.stride;
    if (whole_rows && !run_has_unusual(first, (end - block) * scores.columns)) continue;
    for (int64_t t = block; t < end; ++t) {
      const Real* row = scores.data + t * scores.stride;
      int32_t invalid = 0;
      for (int32_t i = 0; i < count; ++i) {
        invalid |= is_invalid(row[columns[i]]);
        unusual |= is_unusual(row[columns[i]]);
      }
      if (invalid != 0) return {t, true};
    }
  }
  return {-1, unusual != 0};
}

// The larger of `top` and the scores' largest finite magnitude, as bits: those of magnitudes order like integers.
template <class Real>
STREAMHMM_KERNEL Exponent<Real> larger_magnitude(Exponent<Real> top, Real score) {
  const Real highest = static_cast<Real>(__builtin_inf());
  Exponent<Real> bits, infinity;
  __builtin_memcpy(&bits, &score, sizeof bits);
  __builtin_memcpy(&infinity, &highest, sizeof infinity);
  const Exponent<Real> magnitude =
      bits & (static_cast<Exponent<Real>>(-1) ^ (Exponent<Real>{1} << (8 * sizeof bits - 1)));
  const Exponent<Real> finite = magnitude < infinity ? magnitude : 0;
  return finite > top ? finite : top;
}

template <class Real>
double largest(const ScoreRows<Real>& scores, const int32_t* columns, int32_t count) {
  Exponent<Real> top = 0;
  const bool all = count == scores.columns, contiguous = all && scores.stride == count;
  const int64_t runs = contiguous ? 1 : scores.frames, length = contiguous ? scores.frames * count : count;
  for (int64_t t = 0; t < runs; ++t) {
    const Real* row = scores.data + t * scores.stride;
    if (all) {
      for (int64_t i = 0; i < length; ++i) top = larger_magnitude(top, row[i]);
    } else {
      for (int32_t i = 0; i < count; ++i) top = larger_magnitude(top, row[columns[i]]);
    }
  }
  Real result;
  __builtin_memcpy(&result, &top, sizeof result);
  return static_cast<double>(result);
}

}  // namespace

void fill_row_scan(Kernels& table) {
  table.single_precision.largest = largest<float>;
  table.double_precision.largest = largest<double>;
  table.single_precision.scan = scan<float>;
  table.double_precision.scan = scan<double>;
}

}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
