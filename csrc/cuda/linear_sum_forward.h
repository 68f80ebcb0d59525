// The way forward of sums over plain linear graphs.
#pragma once

#include "linear_sum_wave.h"

namespace streamhmm::cuda {

// α_t[j] = (Σ_i α_{t−1}[i] · w_ij) · b_j(t), by a warp for its tile.
template <class Real>
class ForwardSum {
 public:
  __device__ ForwardSum(const BatchView& view, const LinearWave& wave, const SumWave<Real>& sum, const Segment& segment,
                        const TilePlace& place, const SumEdges<Real>& edges)
      : view_(view),
        wave_(wave),
        sum_(sum),
        segment_(segment),
        b_(place.sequence),
        tile_(place.tile),
        lane_(view, b_, tile_),
        scores_(view, b_, lane_.pdf(), static_cast<Real>(sum.limit)),
        stay_(scaled(lane_.stay)),
        advance_(scaled(lane_.advance)),
        skip_(scaled(lane_.skip)),
        edges_(edges) {}

  __device__ void run(int64_t last, int64_t length) {
    const bool has_above = (tile_ + 1) * kTile < view_.record(b_).states;
    alpha_ = segment_.first == 0 ? scaled(lane_.initial())
                                 : LinearRows<Real>(segment_.from, 1, wave_.tiles).at(b_, 0, tile_);
    scores_.fetch(segment_.first, last);
    Border<Scaled<Real>> below = sum_.border(view_, wave_, b_, tile_ > 0 ? tile_ - 1 : 0, 0);
    for (int64_t chunk = 0, t = segment_.first; t < last; ++chunk, t += kRecentre) {
      if (tile_ > 0) {
        below.receive();
        edges_.coming[lane_of_thread()] = {below.first(), below.second()};
      } else {
        edges_.coming[lane_of_thread()] = zeros<Real>();
      }
      edges_.going[lane_of_thread()] =
          zeros<Real>();  // of frames that there are not, too: what is handed over is there
      __syncwarp();
      for (int32_t f = 0; f < kRecentre && t + f < last; f += kFrames) {
        if (f + kFrames == kRecentre && tile_ > 0 && t + kRecentre < last) {
          below = sum_.border(view_, wave_, b_, tile_ - 1, chunk + 1);
          below.look();
        }
        lane_.is_ctc() ? advance<true>(t + f, last) : advance<false>(t + f, last);
      }
      __syncwarp();
      const ScaledPair<Real> going = edges_.going[lane_of_thread()];
      if (has_above) sum_.border(view_, wave_, b_, tile_, chunk).hand_over(going.even, going.odd, 0);
      __syncwarp();
    }
    finish(last == length);
  }

 private:
  static constexpr int32_t kFrames = 8;  // fetched at a time

  __device__ void finish(bool is_end) {
    LinearRows<Real>(segment_.to, 1, wave_.tiles).at(b_, 0, tile_) = alpha_;
    if (is_end) {
      const ScaledPair<Real> final = scaled(lane_.final());
      const Scaled<Real> total = warp_total(alpha_.even * final.even + alpha_.odd * final.odd);
      if (lane_of_thread() == 0) sum_.carried.parts[b_ * wave_.tiles + tile_] = total;
    }
    if (found_ != 0) atomicOr(wave_.inspection.flags + b_, found_);
  }

  template <bool kCtc>
  __device__ void advance(int64_t t, int64_t last) {
    EvenOdd<Real> scores[kFrames];
    scores_.take(scores, found_);
    scores_.fetch(t + kFrames, last);
    const LinearRows<Real> rows(segment_.pointers, sum_.row_frames, wave_.tiles);
#pragma unroll
    for (int32_t f = 0; f < kFrames; ++f) {
      if (t + f >= last) continue;
      const int32_t frame = static_cast<int32_t>((t + f) % kRecentre);
      if (lane_of_thread() == kWarp - 1) edges_.going[frame] = alpha_;
      const ScaledPair<Real> emission = scaled(scores[f]);
      if (t + f > 0) {
        step<kCtc>(edges_.coming[frame], emission);
      } else {
        alpha_ = {alpha_.even * emission.even, alpha_.odd * emission.odd};
      }
      if (segment_.pointers != nullptr) rows.at(b_, t + f - sum_.row_first, tile_) = alpha_;
    }
  }

  template <bool kCtc>
  __device__ void step(const ScaledPair<Real>& below, const ScaledPair<Real>& emission) {
    const ScaledPair<Real> a = alpha_;
    Scaled<Real> odd_below = from_lane_below(a.odd);
    if (lane_of_thread() == 0) odd_below = below.odd;
    ScaledPair<Real> sum;
    if constexpr (kCtc) {
      sum = {sum_of(a.even, odd_below), sum_of(a.odd, a.even, weighted(odd_below, skip_.odd))};
    } else {
      Scaled<Real> even_below = from_lane_below(a.even);
      if (lane_of_thread() == 0) even_below = below.even;
      sum = {sum_of(weighted(a.even, stay_.even), weighted(odd_below, advance_.even), weighted(even_below, skip_.even)),
             sum_of(weighted(a.odd, stay_.odd), weighted(a.even, advance_.odd), weighted(odd_below, skip_.odd))};
    }
    alpha_ = {sum.even * emission.even, sum.odd * emission.odd};
  }

  const BatchView& view_;
  const LinearWave& wave_;
  const SumWave<Real>& sum_;
  const Segment& segment_;
  int64_t b_;
  int32_t tile_;
  LinearLane<Real, ArcEnd::target> lane_;
  LinearScores<Real, kFrames> scores_;
  ScaledPair<Real> stay_, advance_, skip_;
  SumEdges<Real> edges_;
  ScaledPair<Real> alpha_;
  uint32_t found_ = 0;
};

}  // namespace streamhmm::cuda
