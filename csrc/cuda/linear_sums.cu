#include <algorithm>

#include "linear_rows.h"
#include "linear_scores.h"
#include "linear_sums.h"

namespace streamhmm::cuda {
namespace {

// What a wave works in, beside LinearWave.
template <class Real>
struct SumWave {
  LinearCarried<Real> carried;
  uint64_t* borders;
  int64_t chunks;  // of the wave
  double limit;
  bool wants_gamma;
  int64_t row_first;  // the frame of the first row
  int64_t row_frames;

  __device__ Border<Scaled<Real>> border(const BatchView& view, const LinearWave& wave, int64_t sequence, int32_t tile,
                                         int64_t chunk) const {
    const int64_t places = view.batch * wave.tiles * chunks;
    return {borders, places, (sequence * wave.tiles + tile) * chunks + chunk};
  }
};

// What a warp has in shared memory: of each frame of a chunk, what comes from the neighbouring tile, and what goes to
// the other one.
template <class Real>
struct Edges {
  ScaledPair<Real>* coming;
  ScaledPair<Real>* going;

  __host__ __device__ Edges(Parts& memory, int32_t warps, int32_t warp) {
    coming = memory.take<ScaledPair<Real>>(warps * kRecentre) + warp * kRecentre;
    going = memory.take<ScaledPair<Real>>(warps * kRecentre) + warp * kRecentre;
  }
};

template <class Real>
__device__ ScaledPair<Real> zeros() {
  return {Scaled<Real>::zero(), Scaled<Real>::zero()};
}

// α_t[j] = (Σ_i α_{t−1}[i] · w_ij) · b_j(t), by a warp for its tile.
template <class Real>
class ForwardSum {
 public:
  __device__ ForwardSum(const BatchView& view, const LinearWave& wave, const SumWave<Real>& sum, const Segment& segment,
                        const TilePlace& place, const Edges<Real>& edges)
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
  Edges<Real> edges_;
  ScaledPair<Real> alpha_;
  uint32_t found_ = 0;
};

// B_t[j] = b_j(t) · β_t[j],   β_{t−1}[i] = Σ_j w_ij · B_t[j],   γ_t[j] = α_t[j] · β_t[j] / Z,
// ξ_t[i, j] = α_{t−1}[i] · w_ij · B_t[j] / Z, summed over t by the lane that has i.
template <class Real>
class BackwardSum {
 public:
  __device__ BackwardSum(const BatchView& view, const LinearWave& wave, const SumWave<Real>& sum,
                         const Segment& segment, const TilePlace& place, const Edges<Real>& edges, double* counts)
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
  Edges<Real> edges_;
  double* counts_;
  Scaled<Real> reciprocal_;  // 1 / Z
  ScaledPair<Real> beta_;
  ScaledPair<Real> fetched_[kFrames];
  EvenOdd<double> stay_counts_{0, 0}, advance_counts_{0, 0}, skip_counts_{0, 0};
};

template <class Real>
__global__ void __launch_bounds__(LinearWave::kMostWarps* kWarp)
    forward_kernel(BatchView view, LinearWave wave, SumWave<Real> sum, Segment segment) {
  Parts shared(shared_memory());
  const TilePlace place = take_tile(wave, shared.take<int32_t>(1));
  if (wave.taken[place.sequence] == 0) return;
  if (place.tile * kTile >= view.record(place.sequence).states) return;
  const int64_t length = view.length(place.sequence), last = length < segment.last ? length : segment.last;
  if (last <= segment.first) return;
  const Edges<Real> edges(shared, wave.warps, warp_of_thread());
  ForwardSum<Real>(view, wave, sum, segment, place, edges).run(last, length);
}

template <class Real>
__global__ void __launch_bounds__(LinearWave::kMostWarps* kWarp)
    backward_kernel(BatchView view, LinearWave wave, SumWave<Real> sum, Segment segment, Sums to) {
  Parts shared(shared_memory());
  TilePlace place = take_tile(wave, shared.take<int32_t>(1));
  if (wave.taken[place.sequence] == 0) return;
  const GraphRecord record = view.record(place.sequence);
  place.tile = (record.states + kTile - 1) / kTile - 1 - place.tile;  // the last tile begins
  if (place.tile < 0) return;
  const int64_t length = view.length(place.sequence), last = length < segment.last ? length : segment.last;
  if (last <= segment.first) return;
  if (sum.carried.totals[place.sequence].is_zero()) return;  // no path: all stays 0
  double* counts = to.counts;
  if (counts != nullptr) counts += record.weights_offset + place.sequence * to.counts_stride;
  const Edges<Real> edges(shared, wave.warps, warp_of_thread());
  BackwardSum<Real>(view, wave, sum, segment, place, edges, counts).run(last, length);
}

// Waves cover as many frames as what the tiles hand over has memory for; α, or β, is saved in between.
template <class Real>
class LinearSummer : public Summer {
 public:
  LinearSummer(const DeviceBatch& batch, const LinearWave& wave) : batch_(batch), wave_(wave) {
    constexpr int64_t kFewestFrames = 1024;
    const int64_t budget = std::max<int64_t>(batch.batch.memory_budget / 4 / border_bytes(kRecentre) * kRecentre, 0);
    const int64_t frames = std::min(std::max(budget, kFewestFrames), std::max<int64_t>(batch.batch.frames, 1));
    chunks_ = (frames + kRecentre - 1) / kRecentre;
  }

  int64_t rows_bytes(int64_t frames) const override {
    return LinearRows<Real>::bytes(batch_.batch.batch, frames, wave_.tiles);
  }
  int64_t saved_bytes() const override { return rows_bytes(1); }
  int64_t carried_bytes() const override {
    Parts nothing(nullptr);
    LinearCarried<Real>(nothing, batch_.batch.batch, wave_.tiles);
    return nothing.used();
  }
  int64_t scratch_bytes() const override {
    Parts nothing(nullptr);
    LinearWave wave = wave_;
    place(nothing, wave);
    return nothing.used();
  }

  void forward(const Segment& segment, const SumTargets& to, char* carried, char* scratch) const override {
    Segment part = segment;
    for (part.last = segment.first; part.last < segment.last; part.from = segment.to) {
      part.first = part.last;
      part.last = std::min(part.first + chunks_ * kRecentre, segment.last);
      LinearWave wave = wave_;
      const SumWave<Real> sum = begin(segment, to, carried, scratch, wave);
      launch(forward_kernel<Real>, blocks(), threads(), shared_bytes(), batch_.stream, BatchView::of(batch_), wave, sum,
             part);
      sum_up(batch_, wave, part, to, carried);
    }
  }

  void backward(const Segment& segment, const SumTargets& to, char* carried, char* scratch) const override {
    const int64_t most = chunks_ * kRecentre;
    Segment part = segment;
    LinearWave wave = wave_;
    for (part.first = segment.last; part.first > segment.first;) {
      part.last = part.first;
      part.first = segment.first + (part.last - 1 - segment.first) / most * most;
      const SumWave<Real> sum = begin(segment, to, carried, scratch, wave);
      launch(backward_kernel<Real>, blocks(), threads(), shared_bytes(), batch_.stream, BatchView::of(batch_), wave,
             sum, part, to.sums);
    }
    if (wants_gamma(to)) deliver(batch_, wave, segment, to, carried);
  }

 private:
  static bool wants_gamma(const SumTargets& to) { return to.sums.by_state != nullptr || to.sums.by_pdf != nullptr; }

  int64_t border_words(int64_t frames) const {
    const int64_t chunks = (frames + kRecentre - 1) / kRecentre;
    return batch_.batch.batch * wave_.tiles * chunks * Border<Scaled<Real>>::kWords;
  }
  int64_t border_bytes(int64_t frames) const { return border_words(frames) * static_cast<int64_t>(sizeof(uint64_t)); }
  uint64_t* place(Parts& memory, LinearWave& wave) const {
    wave.place(memory, batch_.batch.batch);
    return memory.take<uint64_t>(border_words(chunks_ * kRecentre));
  }

  // Before a wave.
  SumWave<Real> begin(const Segment& segment, const SumTargets& to, char* carried, char* scratch,
                      LinearWave& wave) const {
    Parts memory(carried), room(scratch);
    const LinearCarried<Real> lasting(memory, batch_.batch.batch, wave_.tiles);
    uint64_t* borders = place(room, wave);
    zero(borders, border_bytes(chunks_ * kRecentre), batch_.stream);
    select_sequences(batch_, wave);
    return {
        lasting, borders, chunks_, wave.inspection.limit, wants_gamma(to), segment.first, segment.last - segment.first};
  }

  dim3 blocks() const { return dim3(static_cast<unsigned>(batch_.batch.batch * wave_.parts)); }
  dim3 threads() const { return dim3(static_cast<unsigned>(wave_.warps * kWarp)); }
  size_t shared_bytes() const {
    Parts shared(nullptr);
    shared.take<int32_t>(1);
    Edges<Real>(shared, wave_.warps, 0);
    return static_cast<size_t>(shared.used());
  }

  DeviceBatch batch_;
  LinearWave wave_;
  int64_t chunks_;  // of a wave
};

}  // namespace

std::unique_ptr<Summer> linear_summer(const DeviceBatch& batch, const GraphSizes& sizes, const Inspection& inspection,
                                      const Selection& selection) {
  const LinearWave wave(selection, inspection, sizes.states);
  if (batch.batch.is_double) return std::make_unique<LinearSummer<double>>(batch, wave);
  return std::make_unique<LinearSummer<float>>(batch, wave);
}

}  // namespace streamhmm::cuda
