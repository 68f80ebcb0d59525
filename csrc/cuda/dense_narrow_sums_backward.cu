#include "dense_narrow_sums.h"

namespace streamhmm::cuda {
namespace {

// Where posteriors go.
template <int32_t kLanes, int32_t kEach>
class Delivery {
 public:
  // `row`: shared memory of the group, for a number a state.
  __device__ Delivery(const BatchView& view, const NarrowSum& sum, const NarrowLanes<kLanes, kEach>& lanes, float* row)
      : lane_(lanes.group.lane), states_(sum.states), row_(row), shares_pdfs_(sum.pdfs_are_shared) {
    const Sums& sums = sum.to.sums;
    by_state_ = static_cast<float*>(sums.by_state);
    by_pdf_ = static_cast<float*>(sums.by_pdf);
    states_wide_ = sums.states_wide;
    columns_ = view.columns;
    if (lanes.last == 0) return;
    first_row_ = lanes.group.b * view.frames;
    if (sums.by_pdf_scale != nullptr) scale_ = static_cast<float>(sums.by_pdf_scale[lanes.group.b]);
    if (by_pdf_ == nullptr) return;
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) {
      if (!lanes.is_state(e)) continue;
      pdf_[e] = lanes.graph.pdf(lanes.state(e));
      for (int32_t i = 0; i < lanes.graph.states(); ++i) {
        if (lanes.graph.pdf(i) == pdf_[e]) same_[e] |= uint64_t{1} << i;
      }
      is_lowest_[e] = (same_[e] & ((uint64_t{1} << lanes.state(e)) - 1)) == 0;
    }
  }

  // Posteriors of frame t; `is_there`: of this sequence.
  __device__ void put(int64_t t, const float* gamma, bool is_there) {
    if (by_state_ != nullptr && is_there) {
#pragma unroll
      for (int32_t e = 0; e < kEach; ++e) {
        if (is_state(e)) by_state_[(first_row_ + t) * states_wide_ + state(e)] = gamma[e];
      }
    }
    if (by_pdf_ == nullptr) return;
    float of_pdf[kEach];
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) of_pdf[e] = gamma[e];
    if (shares_pdfs_) add_up(of_pdf);
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) {
      if (is_there && is_lowest_[e]) by_pdf_[(first_row_ + t) * columns_ + pdf_[e]] = of_pdf[e] * scale_;
    }
  }

 private:
  __device__ int32_t state(int32_t e) const { return lane_ + e * kLanes; }
  __device__ bool is_state(int32_t e) const { return state(e) < states_; }

  // The lowest state of a pdf gets those of all.
  __device__ void add_up(float* of_pdf) const {
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) row_[state(e)] = of_pdf[e];
    __syncwarp();
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) {
      if (!is_lowest_[e]) continue;
      of_pdf[e] = 0;
      for (int32_t i = state(e); i < states_; ++i) {
        if ((same_[e] >> i & 1) != 0) of_pdf[e] += row_[i];
      }
    }
    __syncwarp();
  }

  int32_t lane_, states_;
  float* row_;
  bool shares_pdfs_;
  float* by_state_;
  float* by_pdf_;
  int64_t states_wide_, columns_, first_row_ = 0;
  float scale_ = 1;
  int32_t pdf_[kEach] = {};
  uint64_t same_[kEach] = {};
  bool is_lowest_[kEach] = {};
};

template <int32_t kLanes, int32_t kEach>
class Backward : public NarrowLanes<kLanes, kEach> {
 public:
  using Base = NarrowLanes<kLanes, kEach>;

  __host__ __device__ static int64_t shared_bytes() {
    Parts parts(nullptr);
    parts.take<char>(Base::shared_bytes());
    parts.take<float>(kWarp * kEach);
    parts.take<float>(Base::kChunk * kEach * kWarp);
    return parts.used();
  }
  __device__ static float* posterior_row() {
    Parts parts(shared_memory());
    parts.take<char>(Base::shared_bytes());
    return parts.take<float>(kWarp * kEach) + lane_of_thread() / kLanes * Base::kStates;
  }

  __device__ Backward(const BatchView& view, const NarrowSum& sum, const Segment& segment)
      : Base(view, sum, segment), sum_(sum), segment_(segment), delivery_(view, sum, *this, posterior_row()) {
    Parts parts(shared_memory());
    parts.take<char>(Base::shared_bytes());
    parts.take<float>(kWarp * kEach);
    alphas_ = parts.take<float>(Base::kChunk * kEach * kWarp) + lane_of_thread();
    this->load_weights([&](int32_t e, int32_t j) { return this->graph.template transition<float>(this->state(e), j); });
  }

  __device__ void begin() {
    this->load([&](int32_t j) { return this->graph.template final<float>(j); }, beta_);
    if (this->last == this->length || this->last == 0) return;
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) {
      if (this->is_state(e)) beta_[e] = sum_.beta[this->group.b * this->graph.states() + this->state(e)];
    }
  }

  // α of frames t … t+kChunk−1, as fetch() does with scores.
  __device__ void fetch_alpha(int64_t t, bool is_there) {
    const auto* rows = reinterpret_cast<const float*>(segment_.pointers);
    const int64_t frames = segment_.last - segment_.first, states = this->graph.states();
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) {
      const int64_t at = (this->group.b * frames + t - segment_.first) * states + this->state(e);
#pragma unroll
      for (int32_t u = 0; u < Base::kChunk; ++u) {
        coming_alpha_[e][u] = is_there && this->is_state(e) && t + u < this->last ? rows[at + u * states] : 0.0f;
      }
    }
  }
  __device__ void take_alpha() {
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) {
#pragma unroll
      for (int32_t u = 0; u < Base::kChunk; ++u) alphas_[(u * kEach + e) * kWarp] = coming_alpha_[e][u];
    }
  }

  // From β_t, t the u-th of its chunk, to β_{t−1}.
  __device__ void step(int64_t t, int32_t u) {
    float gamma[kEach], weighed[kEach], product[kEach], total = 0, most = 0;
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) {
      gamma[e] = alphas_[(u * kEach + e) * kWarp] * beta_[e];
      weighed[e] = this->emission(u, e) * beta_[e];
      total += gamma[e];
      most = fmaxf(most, weighed[e]);
    }
    this->multiply(weighed, product);
    total = warp_sum<kLanes>(total);
    const int32_t exponent = exponent_of(warp_max<kLanes>(most));
    const bool is_there = t < this->last;
    const float share = 1 / total;
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) gamma[e] *= share;
    delivery_.put(t, gamma, is_there);
    if (!is_there) return;
    is_faint_ |= !(total >= kLeastTotal) || (t > 0 && exponent < kLeastExponent);
    const float scale = power_of_two(-exponent);
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) beta_[e] = product[e] * scale;
  }

  __device__ void end() const {
    if (this->last <= segment_.first) return;
#pragma unroll
    for (int32_t e = 0; e < kEach; ++e) {
      if (this->is_state(e)) sum_.beta[this->group.b * this->graph.states() + this->state(e)] = beta_[e];
    }
    this->report(sum_.inspection, is_faint_);
  }

 private:
  const NarrowSum& sum_;
  const Segment& segment_;
  Delivery<kLanes, kEach> delivery_;
  float* alphas_;  // (kChunk, kEach) of this lane, kWarp apart
  float coming_alpha_[kEach][Base::kChunk];
  float beta_[kEach];
  bool is_faint_ = false;
};

// Frames last−1 … first of a segment.
template <int32_t kLanes, int32_t kEach>
__global__ void __launch_bounds__(kWarp) backward_kernel(BatchView view, NarrowSum sum, Segment segment) {
  using Lanes = Backward<kLanes, kEach>;
  Lanes lanes(view, sum, segment);
  const int64_t until = warp_max(lanes.last);
  if (until <= segment.first) return;
  lanes.begin();
  int64_t begin = segment.first + (until - 1 - segment.first) / Lanes::kChunk * Lanes::kChunk;
  lanes.fetch(begin, true);
  lanes.fetch_alpha(begin, true);
  for (; begin >= segment.first; begin -= Lanes::kChunk) {
    lanes.take_fetched();
    lanes.take_alpha();
    const bool is_more = begin > segment.first;
    lanes.fetch(begin - Lanes::kChunk, is_more);
    lanes.fetch_alpha(begin - Lanes::kChunk, is_more);
    const int64_t end = begin + Lanes::kChunk < until ? begin + Lanes::kChunk : until;
#pragma unroll 1
    for (int64_t t = end - 1; t >= begin; --t) lanes.step(t, static_cast<int32_t>(t - begin));
  }
  lanes.end();
}

}  // namespace

template <int32_t kLanes, int32_t kEach>
void narrow_sum_backward(const DeviceBatch& batch, const NarrowSum& sum, const Segment& segment) {
  launch(backward_kernel<kLanes, kEach>, dim3(LaneGroup<kLanes>::blocks(batch.batch.batch)), dim3(kWarp),
         Backward<kLanes, kEach>::shared_bytes(), batch.stream, BatchView::of(batch), sum, segment);
}

template void narrow_sum_backward<8, 1>(const DeviceBatch&, const NarrowSum&, const Segment&);
template void narrow_sum_backward<16, 1>(const DeviceBatch&, const NarrowSum&, const Segment&);
template void narrow_sum_backward<32, 1>(const DeviceBatch&, const NarrowSum&, const Segment&);
template void narrow_sum_backward<32, 2>(const DeviceBatch&, const NarrowSum&, const Segment&);

}  // namespace streamhmm::cuda
