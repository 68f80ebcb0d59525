// The scores of a lane's two states, fetched a group of frames ahead: loads wait in registers as they stand in memory,
// and are looked at when their frames come.
#pragma once

#include "linear_lane.h"

namespace streamhmm::cuda {

template <class Real>
struct RawOf;
template <>
struct RawOf<float> {
  using Type = uint32_t;
};
template <>
struct RawOf<double> {
  using Type = uint64_t;
};

template <class Real, int32_t kFrames>
class LinearScores {
 public:
  // What is beyond `limit` is kLarge.
  __device__ LinearScores(const BatchView& view, int64_t sequence, const EvenOdd<int32_t>& pdf, Real limit)
      : limit_(limit),
        type_(view.scores.type),
        data_(view.scores.data),
        even_(view.row(sequence, 0) + pdf.even),
        odd_(view.row(sequence, 0) + pdf.odd),
        stride_(view.frame_stride) {}

  // Begins to load frames t … min(t + kFrames, last) − 1.
  __device__ void fetch(int64_t t, int64_t last) {
    switch (type_) {
      case NumberType::float32:
        return fetch_as<uint32_t>(t, last);
      case NumberType::float64:
        if constexpr (sizeof(Real) == sizeof(double)) return fetch_as<uint64_t>(t, last);
        return;  // scores in double are decoded in double
      default:
        return fetch_as<uint16_t>(t, last);
    }
  }

  // What was fetched last; 0 behind the last frame, and for what is wrong, which goes into `found`.
  __device__ void take(EvenOdd<Real> (&scores)[kFrames], uint32_t& found) const {
    switch (type_) {
      case NumberType::float32:
        take_as(scores, [](Raw raw) { return static_cast<Real>(__int_as_float(static_cast<int32_t>(raw))); });
        break;
      case NumberType::float64:
        if constexpr (sizeof(Real) == sizeof(double)) {
          take_as(scores, [](Raw raw) { return __longlong_as_double(static_cast<int64_t>(raw)); });
        }
        break;
      case NumberType::float16:
        take_as(scores, [](Raw raw) { return static_cast<Real>(from_float16(static_cast<uint16_t>(raw))); });
        break;
      default:
        take_as(scores, [](Raw raw) { return static_cast<Real>(from_bfloat16(static_cast<uint16_t>(raw))); });
    }
    check(scores, found);
  }

 private:
  using Raw = typename RawOf<Real>::Type;

  template <class Stored>
  __device__ void fetch_as(int64_t t, int64_t last) {
    const int32_t count = last - t < kFrames ? static_cast<int32_t>(last - t) : kFrames;
    const auto* even = static_cast<const Stored*>(data_) + even_ + t * stride_;
    const auto* odd = static_cast<const Stored*>(data_) + odd_ + t * stride_;
#pragma unroll
    for (int32_t f = 0; f < kFrames; ++f) {
      raw_[f] = {0, 0};
      if (f < count) raw_[f] = {__ldg(even), __ldg(odd)};
      even += stride_;
      odd += stride_;
    }
  }

  template <class Convert>
  __device__ void take_as(EvenOdd<Real> (&scores)[kFrames], const Convert& convert) const {
#pragma unroll
    for (int32_t f = 0; f < kFrames; ++f) scores[f] = {convert(raw_[f].even), convert(raw_[f].odd)};
  }

  // One comparison a score as long as all are sound and finite.
  __device__ void check(EvenOdd<Real> (&scores)[kFrames], uint32_t& found) const {
    constexpr Real kInfinity = static_cast<Real>(__builtin_inf());
    bool suspicious = false;
#pragma unroll
    for (int32_t f = 0; f < kFrames; ++f) {
      suspicious |= !(fabs(scores[f].even) <= limit_ && fabs(scores[f].even) < kInfinity);
      suspicious |= !(fabs(scores[f].odd) <= limit_ && fabs(scores[f].odd) < kInfinity);
    }
    if (!suspicious) return;
#pragma unroll
    for (int32_t f = 0; f < kFrames; ++f) {
      check(scores[f].even, found);
      check(scores[f].odd, found);
    }
  }
  __device__ void check(Real& score, uint32_t& found) const {
    const uint32_t wrong = flags_for(score, limit_);
    found |= wrong;
    if (wrong != 0) score = 0;
  }

  Real limit_;
  NumberType type_;
  const void* data_;
  int64_t even_, odd_, stride_;
  EvenOdd<Raw> raw_[kFrames];
};

}  // namespace streamhmm::cuda
