#include <algorithm>
#include <vector>

#include "dense_narrow_sums.h"
#include "dense_shapes.h"
#include "dense_sums.h"
#include "dense_wide_sums.h"

namespace streamhmm::cuda {
namespace {

bool pdfs_are_shared(const Batch& batch) {
  const GraphRecord record = record_at(batch.structure, 0);
  std::vector<int32_t> pdfs(record.body, record.body + record.states);
  std::sort(pdfs.begin(), pdfs.end());
  return std::adjacent_find(pdfs.begin(), pdfs.end()) != pdfs.end();
}

template <int32_t kLanes, int32_t kEach>
class NarrowSummer : public Summer {
 public:
  NarrowSummer(const DeviceBatch& batch, const NarrowSum& sum) : batch_(batch), sum_(sum) {}

  int64_t rows_bytes(int64_t frames) const override { return frames * carried_bytes(); }
  int64_t saved_bytes() const override { return batch_.batch.batch * static_cast<int64_t>(sizeof(NarrowSaved)); }
  int64_t carried_bytes() const override {
    return batch_.batch.batch * sum_.states * static_cast<int64_t>(sizeof(float));
  }
  void forward(const Segment& segment, const SumTargets&, char*, char*) const override {
    narrow_sum_forward<kLanes, kEach>(batch_, sum_, segment);
  }
  void backward(const Segment& segment, const SumTargets&, char* carried, char*) const override {
    NarrowSum sum = sum_;
    sum.beta = reinterpret_cast<float*>(carried);
    narrow_sum_backward<kLanes, kEach>(batch_, sum, segment);
  }

 private:
  DeviceBatch batch_;
  NarrowSum sum_;
};

class WideSummer : public Summer {
 public:
  WideSummer(const DeviceBatch& batch, const WideSum& sum) : batch_(batch), sum_(sum) {}

  int64_t rows_bytes(int64_t frames) const override {
    Parts parts = Parts::within(nullptr);
    SumRows(parts, batch_.batch.batch, 0, frames, sum_.shape.row, true);
    return parts.used();
  }
  int64_t saved_bytes() const override {
    return batch_.batch.batch * sum_.shape.row * static_cast<int64_t>(sizeof(float));
  }
  int64_t carried_bytes() const override {
    Parts parts = Parts::within(nullptr);
    WideSumCarried(parts, batch_.batch.batch, batch_.batch.frames, sum_.shape);
    return parts.used();
  }
  int64_t scratch_bytes() const override {
    Parts parts = Parts::within(nullptr);
    SumRows(parts, batch_.batch.batch, 0, 2, sum_.shape.row, false);
    return parts.used();
  }
  void prepare(char* carried) const override { wide_sum_prepare(batch_, sum_, carried); }
  void forward(const Segment& segment, const SumTargets&, char* carried, char* scratch) const override {
    wide_sum_forward(batch_, sum_, segment, carried, scratch);
    wide_sum_total(batch_, sum_, segment, carried);
  }
  void backward(const Segment& segment, const SumTargets&, char* carried, char*) const override {
    wide_sum_backward(batch_, sum_, segment, carried);
    wide_sum_deliver(batch_, sum_, segment, carried);
  }

 private:
  DeviceBatch batch_;
  WideSum sum_;
};

std::unique_ptr<Summer> wide_summer(const DeviceBatch& batch, const GraphSizes& sizes, const Inspection& inspection,
                                    const SumTargets& to) {
  const Card card = card_of(batch.device);
  const ProductShape shape = best_shape(batch.batch.batch, sizes.states, card, wide_sum_bytes);
  const WideSum sum{
      inspection, {true, true, 0}, to, shape, sizes.states, to.sums.forward_only(), pdfs_are_shared(batch.batch)};
  const bool counts_fit = to.sums.counts == nullptr || sizes.states <= kMostCounted;
  const bool fits = counts_fit && shape.row > 0 &&
                    wide_deliver_bytes(sum, batch.batch.columns) <= static_cast<int64_t>(card.shared_bytes);
  if (!fits) return nullptr;
  return std::make_unique<WideSummer>(batch, sum);
}

}  // namespace

std::unique_ptr<Summer> dense_summer(const DeviceBatch& batch, const GraphSizes& sizes, const Inspection& inspection,
                                     const SumTargets& to) {
  if (batch.batch.is_double || !shares_dense_graph(batch.batch)) return nullptr;
  if (sizes.states > kMostNarrowSummed || to.sums.counts != nullptr) return wide_summer(batch, sizes, inspection, to);
  const Selection sound{true, true, 0};
  const NarrowSum sum{inspection, sound, to, sizes.states, to.sums.forward_only(), pdfs_are_shared(batch.batch),
                      nullptr};
  if (sizes.states <= 8) return std::make_unique<NarrowSummer<8, 1>>(batch, sum);
  if (sizes.states <= 16) return std::make_unique<NarrowSummer<16, 1>>(batch, sum);
  if (sizes.states <= 32) return std::make_unique<NarrowSummer<32, 1>>(batch, sum);
  return std::make_unique<NarrowSummer<32, 2>>(batch, sum);
}

}  // namespace streamhmm::cuda
