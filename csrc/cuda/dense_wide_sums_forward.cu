#include "dense_wide_summing.h"

namespace streamhmm::cuda {
namespace {

class WideSumForward : public WideSumming {
 public:
  __device__ WideSumForward(const BatchView& view, const WideSum& sum, const Segment& segment,
                            const WideSumCarried& carried, const SumRows& rows)
      : WideSumming(view, sum, segment, carried, carried.ahead),
        rows_(rows),
        checks_faintest_(sum.forward_only && carried.weights->least < kConnected) {}

  __device__ void run(int32_t round) {
    grid_.choose(view_, round, segment_.last);
    begin_tops();
    for (int64_t t = segment_.first; t < grid_.until(); ++t) {
      if (t < grid_.own_until()) {
        if (t > 0) multiply(t);
        grid_.for_each_result([&](int32_t q, int32_t j) {
          if (t < grid_.length(q)) put(q, j, t);
        });
        end_tops(carried_.alpha_top, t);
      }
      grid_.wait();
    }
    save();
    grid_.wait();
  }

 private:
  __device__ void multiply(int64_t t) {
    const int32_t row = sum_.shape.row;
    const int64_t b = grid_.sequence(0);
    if (t == segment_.first) {
      product_.compute({reinterpret_cast<const float*>(segment_.from) + b * row, row, grid_.count()}, NoShift{});
    } else {
      product_.compute({rows_.alpha + rows_.at(b, t - 1), rows_.depth * row, grid_.count()}, NoShift{});
    }
  }

  // α_t[j].
  __device__ void put(int32_t q, int32_t j, int64_t t) {
    const int64_t b = grid_.sequence(q);
    float& alpha = rows_.alpha[rows_.at(b, t) + j];
    if (j >= sum_.states) {
      alpha = 0;
      return;
    }
    const float arriving =
        t > 0 ? product_.result(q, j - grid_.first_column()) * scale_of(carried_.alpha_top + b * view_.frames + t - 1)
              : relative(graph_.initial<float>(j), carried_.weights->initial);
    const float value = arriving * emission(b, t, j);
    alpha = value;
    note(q, value);
    if (checks_faintest_) atomicMin(memory_.least + q, __float_as_int(value));
    if (t + 1 < grid_.length(q)) view_.scores.prefetch_at(view_.row(b, t + 1) + graph_.pdf(j));
  }

  __device__ void save() {
    auto* to = reinterpret_cast<float*>(segment_.to);
    grid_.for_each_result([&](int32_t q, int32_t j) {
      const int64_t b = grid_.sequence(q), last = grid_.end(q);
      if (last > segment_.first) to[b * sum_.shape.row + j] = rows_.alpha[rows_.at(b, last - 1) + j];
    });
    if (!checks_faintest_) return;
    for (auto q = static_cast<int32_t>(threadIdx.x); q < grid_.count(); q += static_cast<int32_t>(blockDim.x)) {
      atomicMin(carried_.faintest + grid_.sequence(q), memory_.least[q]);
    }
  }

  const SumRows& rows_;
  bool checks_faintest_;
};

}  // namespace

int64_t wide_sum_bytes(const ProductShape& shape) {
  Parts shared(nullptr);
  GridSequences::take(shared, shape);
  SumBlockMemory(shared, shape);
  return shared.used();
}

void wide_sum_forward(const DeviceBatch& batch, const WideSum& sum, const Segment& segment, char* carried,
                      char* scratch) {
  const bool keeps = segment.pointers != nullptr;
  Parts parts = Parts::within(keeps ? segment.pointers : scratch);
  const int64_t depth = keeps ? segment.last - segment.first : 2;
  start_wide_sum<WideSumForward>(batch, sum, segment, carried,
                                 SumRows(parts, batch.batch.batch, segment.first, depth, sum.shape.row, keeps));
}

}  // namespace streamhmm::cuda
