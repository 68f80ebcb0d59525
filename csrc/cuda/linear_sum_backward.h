// The way back of sums over plain linear graphs.
#pragma once

#include "linear_sum_wave.h"

namespace streamhmm::cuda {

// B_t[j] = b_j(t) · β_t[j],   β_{t−1}[i] = Σ_j w_ij · B_t[j],   γ_t[j] = α_t[j] · β_t[j] / Z,
// ξ_t[i, j] = α_{t−1}[i] · w_ij · B_t[j] / Z, summed over t by the lane that has i.
template <class Real>
class BackwardSum {
 public:
  __device__ BackwardSum(const BatchView& view, const LinearWave& wave, const SumWave<Real>& sum,
                         const Segment& segment, const TilePlace& place, const SumEdges<Real>& edges, double* counts)
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
        edges_(edges),
        counts_(counts) {
    const Scaled<Real> total = sum.carried.totals[b_];
    reciprocal_ = Scaled<Real>::normalised(Real(1) / total.mantissa, -total.exponent);
  }

  __device__ void run(int64_t last, int64_t length) {
    const bool has_above = (tile_ + 1) * kTile < view_.record(b_).states;
    const LinearRows<Real> betas(sum_.carried.betas, 1, wave_.tiles);
    beta_ = last == length ? scaled(lane_.final()) : betas.at(b_, 0, tile_);
    int64_t t = segment_.first + (last - 1 - segment_.first) / kFrames * kFrames;  // the group's first frame
    scores_.fetch(t, last);
    fetch(t, last);
    bool is_first = true;
    for (; t >= segment_.first; t -= kFrames) {
      const int64_t chunk = (t - segment_.first) / kRecentre;
      if (is_first || t % kRecentre == kRecentre - kFrames) receive(has_above, chunk);
      is_first = false;
      lane_.is_ctc() ? retreat<true>(t, last, length) : retreat<false>(t, last, length);
      if (t % kRecentre == 0 && tile_ > 0) hand_over(chunk);
    }
    betas.at(b_, 0, tile_) = beta_;
    if (counts_ != nullptr) add_counts();
  }

 private:
  static constexpr int32_t kFrames = 4;  // fetched at a time

  __device__ void receive(bool has_above, int64_t chunk) {
    ScaledPair<Real> coming = zeros<Real>();
    if (has_above) {
      auto above = sum_.border(view_, wave_, b_, tile_ + 1, chunk);
      above.look();
      above.receive();
      coming = {above.first(), above.second()};
    }
    __syncwarp();
    edges_.coming[lane_of_thread()] = coming;
    edges_.going[lane_of_thread()] = zeros<Real>();
    __syncwarp();
  }
  __device__ void hand_over(int64_t chunk) const {
    __syncwarp();
    const ScaledPair<Real> going = edges_.going[lane_of_thread()];
    sum_.border(view_, wave_, b_, tile_, chunk).hand_over(going.even, going.odd, 0);
  }

  // Begins to load the rows of α of a group of frames.
  __device__ void fetch(int64_t t, int64_t last) {
    const LinearRows<Real> rows(segment_.pointers, sum_.row_frames, wave_.tiles);
#pragma unroll
    for (int32_t f = 0; f < kFrames; ++f) {
      if (t + f < last) fetched_[f] = rows.at(b_, t + f - sum_.row_first, tile_);
    }
  }

  // Frames t + kFrames − 1 … t.
  template <bool kCtc>
  __device__ void retreat(int64_t t, int64_t last, int64_t length) {
    EvenOdd<Real> scores[kFrames];
    ScaledPair<Real> alpha[kFrames];
    uint32_t known = 0;  // the way forward has told
    scores_.take(scores, known);
#pragma unroll
    for (int32_t f = 0; f < kFrames; ++f) alpha[f] = fetched_[f];
    if (t > segment_.first) {
      scores_.fetch(t - kFrames, last);
      fetch(t - kFrames, last);
    } else if (t > sum_.row_first) {
      fetched_[kFrames - 1] =
          LinearRows<Real>(segment_.pointers, sum_.row_frames, wave_.tiles).at(b_, t - 1 - sum_.row_first, tile_);
    } else if (t > 0) {
      fetched_[kFrames - 1] = LinearRows<Real>(segment_.from, 1, wave_.tiles).at(b_, 0, tile_);
    }
#pragma unroll
    for (int32_t f = kFrames - 1; f >= 0; --f) {
      if (t + f >= last) continue;
      share_frame(alpha[f], t + f, length);
      if (t + f == 0) continue;
      step<kCtc>(f > 0 ? alpha[f > 0 ? f - 1 : 0] : fetched_[kFrames - 1], scaled(scores[f]),
                 static_cast<int32_t>((t + f) % kRecentre));
    }
  }

  __device__ void share_frame(const ScaledPair<Real>& alpha, int64_t t, int64_t length) {
    const bool is_end = counts_ != nullptr && (t == 0 || t == length - 1);
    if (!sum_.wants_gamma && !is_end) return;
    const EvenOdd<Real> gamma{real(weighted(weighted(alpha.even, beta_.even), reciprocal_)),
                              real(weighted(weighted(alpha.odd, beta_.odd), reciprocal_))};
    if (sum_.wants_gamma) {
      LinearRows<Real>(segment_.pointers, sum_.row_frames, wave_.tiles).at(b_, t - sum_.row_first, tile_) = {
          {gamma.even, 0}, {gamma.odd, 0}};
    }
    if (!is_end) return;
    if (t == 0) add(lane_.at().initial, gamma);
    if (t == length - 1) add(lane_.at().final, gamma);
  }

  template <bool kCtc>
  __device__ void step(const ScaledPair<Real>& before, const ScaledPair<Real>& emission, int32_t frame) {
    const ScaledPair<Real> b{weighted(beta_.even, emission.even), weighted(beta_.odd, emission.odd)};
    if (lane_of_thread() == 0) edges_.going[frame] = b;
    const ScaledPair<Real> coming = edges_.coming[frame];
    Scaled<Real> even_above = from_lane_above(b.even), odd_above = from_lane_above(b.odd);
    if (lane_of_thread() == kWarp - 1) {
      even_above = coming.even;
      odd_above = coming.odd;
    }
    const ScaledPair<Real> skip{kCtc ? Scaled<Real>::zero() : weighted(even_above, skip_.even),
                                weighted(odd_above, skip_.odd)};
    const ScaledPair<Real> stay = kCtc ? b : ScaledPair<Real>{weighted(b.even, stay_.even), weighted(b.odd, stay_.odd)};
    const ScaledPair<Real> advance =
        kCtc ? ScaledPair<Real>{b.odd, even_above}
             : ScaledPair<Real>{weighted(b.odd, advance_.even), weighted(even_above, advance_.odd)};
    beta_.even = normalised(kCtc ? sum_of(stay.even, advance.even) : sum_of(stay.even, advance.even, skip.even));
    beta_.odd = normalised(sum_of(stay.odd, advance.odd, skip.odd));
    if (counts_ == nullptr) return;
    const ScaledPair<Real> share{before.even * reciprocal_, before.odd * reciprocal_};
    count(stay_counts_, share, stay);
    count(advance_counts_, share, advance);
    count(skip_counts_, share, skip);
  }

  __device__ static void count(EvenOdd<double>& counts, const ScaledPair<Real>& share, const ScaledPair<Real>& terms) {
    counts.even += static_cast<double>(real(weighted(share.even, terms.even)));
    counts.odd += static_cast<double>(real(weighted(share.odd, terms.odd)));
  }

  template <class T>
  __device__ void add(int64_t at, const EvenOdd<T>& values) const {
    if (lane_.exists(0)) counts_[at + lane_.first()] += static_cast<double>(values.even);
    if (lane_.exists(1)) counts_[at + lane_.first() + 1] += static_cast<double>(values.odd);
  }
  __device__ void add_counts() const {
    add(lane_.at().stay, stay_counts_);
    add(lane_.at().advance, advance_counts_);
    if (view_.record(b_).detail != 0) add(lane_.at().skip, skip_counts_);
  }

  const BatchView& view_;
  const LinearWave& wave_;
  const SumWave<Real>& sum_;
  const Segment& segment_;
  int64_t b_;
  int32_t tile_;
  LinearLane<Real, ArcEnd::source> lane_;
  LinearScores<Real, kFrames> scores_;
  ScaledPair<Real> stay_, advance_, skip_;
  SumEdges<Real> edges_;
  double* counts_;
  Scaled<Real> reciprocal_;  // 1 / Z
  ScaledPair<Real> beta_;
  ScaledPair<Real> fetched_[kFrames];
  EvenOdd<double> stay_counts_{0, 0}, advance_counts_{0, 0}, skip_counts_{0, 0};
};

}  // namespace streamhmm::cuda
