#include "dense_narrow_sums.h"

namespace streamhmm::cuda {
namespace {

template <int32_t kLanes, int32_t kEach>
class Forward : public NarrowLanes<kLanes, kEach> {
 public:
  using Base = NarrowLanes<kLanes, kEach>;

  __device__ Forward(const BatchView& view, const NarrowSum& sum, const Segment& segment)
      : Base(view, sum, segment), sum_(sum), segment_(segment) {
    top_weight_ = this->load_weights(
        [&](int32_t e, int32_t i) { return this->graph.template transition<float>(i, this->state(e)); });
    float least = this->least_weight();
    for (int32_t step = kLanes / 2; step > 0; step /= 2) least = fminf(least, __shfl_xor_sync(kAllLanes, least, step));
    checks_faintest_ = sum.forward_only && least < kConnected;
  }

  __device__ void begin() {
    if (segment_.first == 0) {
      log_ = this->load([&](int32_t j) { return this->graph.template initial<float>(j); }, alpha_);
      return;
    }
    if (this->last == 0) return;
    const NarrowSaved& saved = reinterpret_cast<const NarrowSaved*>(segment_.from)[this->group.b];
    log_ = saved.log;
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) alpha_[e] = this->is_state(e) ? saved.alpha[this->state(e)] : 0.0f;
  }

  // α₀, from the initial probabilities.
  __device__ void start() {
    if (this->last == 0) return;
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) alpha_[e] *= this->emission(0, e);
    log_ += static_cast<double>(this->top_emission(0));
    keep(0);
  }

  // Frame t, the u-th of its chunk.
  __device__ void step(int64_t t, int32_t u) {
    float product[kEach], most = alpha_[0];
#pragma unroll
    for (int32_t e = 1; e < kEach; ++e) most = fmaxf(most, alpha_[e]);
    const int32_t exponent = exponent_of(warp_max<kLanes>(most));
    this->multiply(alpha_, product);
    if (t >= this->last) return;
    const float scale = power_of_two(-exponent);
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) alpha_[e] = product[e] * (this->emission(u, e) * scale);
    log_ += static_cast<double>(this->top_emission(u));
    exponents_ += exponent;
    least_exponent_ = exponent < least_exponent_ ? exponent : least_exponent_;
    ++steps_;
    keep(t);
  }

  __device__ void end() {
    float final[kEach], total = 0;
    const float top_final = this->load([&](int32_t j) { return this->graph.template final<float>(j); }, final);
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) total = fmaf(alpha_[e], final[e], total);
    total = warp_sum<kLanes>(total);
    const float faintest = -warp_max<kLanes>(-faintest_);
    const bool is_whole = this->last == this->length;
    const bool is_faint = least_exponent_ < kLeastExponent || (is_whole && !(total >= kLeastTotal)) ||
                          (checks_faintest_ && faintest < kLeastAlone);
    if (this->last <= segment_.first) return;
    log_ += exponents_ * kLogOfTwo + static_cast<double>(steps_) * static_cast<double>(top_weight_);
    NarrowSaved& saved = reinterpret_cast<NarrowSaved*>(segment_.to)[this->group.b];
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) {
      if (this->is_state(e)) saved.alpha[this->state(e)] = alpha_[e];
    }
    if (this->group.lane == 0) {
      saved.log = log_;
      const double result = log_ + static_cast<double>(top_final) + log(static_cast<double>(total));
      if (is_whole) sum_.to.log_likelihood[this->group.b] = result;
    }
    this->report(sum_.inspection, is_faint);
  }

 private:
  // What is wanted of α_t.
  __device__ void keep(int64_t t) {
    auto* rows = reinterpret_cast<float*>(segment_.pointers);
    const int64_t frames = segment_.last - segment_.first, states = this->graph.states();
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) {
      if (!this->is_state(e)) continue;
      faintest_ = fminf(faintest_, alpha_[e]);
      if (rows != nullptr) rows[(this->group.b * frames + t - segment_.first) * states + this->state(e)] = alpha_[e];
    }
  }

  const NarrowSum& sum_;
  const Segment& segment_;
  float top_weight_;
  bool checks_faintest_;
  float alpha_[kEach];
  double log_ = 0;
  int64_t exponents_ = 0;
  int64_t steps_ = 0;
  int32_t least_exponent_ = 0;
  float faintest_ = 1;
};

template <int32_t kLanes, int32_t kEach>
__global__ void __launch_bounds__(kWarp) forward_kernel(BatchView view, NarrowSum sum, Segment segment) {
  using Lanes = Forward<kLanes, kEach>;
  Lanes lanes(view, sum, segment);
  const int64_t until = warp_max(lanes.last);
  if (until <= segment.first) return;
  lanes.begin();
  lanes.fetch(segment.first, true);
  for (int64_t begin = segment.first; begin < until; begin += Lanes::kChunk) {
    lanes.take_fetched();
    lanes.fetch(begin + Lanes::kChunk, true);
    const int64_t end = begin + Lanes::kChunk < until ? begin + Lanes::kChunk : until;
    if (begin == 0) lanes.start();
#pragma unroll 1
    for (int64_t t = begin > 0 ? begin : 1; t < end; ++t) lanes.step(t, static_cast<int32_t>(t - begin));
  }
  lanes.end();
}

}  // namespace

template <int32_t kLanes, int32_t kEach>
void narrow_sum_forward(const DeviceBatch& batch, const NarrowSum& sum, const Segment& segment) {
  launch(forward_kernel<kLanes, kEach>, dim3(LaneGroup<kLanes>::blocks(batch.batch.batch)), dim3(kWarp),
         NarrowLanes<kLanes, kEach>::shared_bytes(), batch.stream, BatchView::of(batch), sum, segment);
}

template void narrow_sum_forward<8, 1>(const DeviceBatch&, const NarrowSum&, const Segment&);
template void narrow_sum_forward<16, 1>(const DeviceBatch&, const NarrowSum&, const Segment&);
template void narrow_sum_forward<32, 1>(const DeviceBatch&, const NarrowSum&, const Segment&);
template void narrow_sum_forward<32, 2>(const DeviceBatch&, const NarrowSum&, const Segment&);

}  // namespace streamhmm::cuda
