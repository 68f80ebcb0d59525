// Semi-Markov Viterbi: forward over all borders, then back from segment to segment; chunk by chunk where memory is
// short. Recursion and order of operations: ../semi_markov.h.
#include <algorithm>

#include "path_score.h"
#include "segments.h"
#include "semi_markov.h"
#include "semi_markov_trace.h"

namespace streamhmm::cuda {
namespace {

constexpr int32_t kMostThreads = 512;

// ⊕ is max. With the block's first border c, and late_v what P does not hold of frame v's score:
//   before   = max_{u < c} (X_u + durations[t − u − 1])                      parts, then all of them
//   window   = (… (before ⊕ X_c + …) + late_c ⊕ X_{c+1} + …) + late_{c+1} …  up to border t−1
//   ended_t  = window + P_t       opened_t[j] = max_i (ended_t[i] + w_ij)
class BestRecursion : public SegmentState {
 public:
  using SegmentState::SegmentState;

  // Border t: leaves the numbers of the window at `in_window` where that is not null.
  __device__ void arrive(int64_t t, double* in_window) {
    if (t % kBlock == 0) settle(t);
    const int64_t block = t - t % kBlock;
    for_parts([&](int32_t j, int32_t part) {
      double best = never<double>();
      for_window(t, block, j, part, [&](double x, double weight, int32_t) { best = larger(best, x + weight); });
      rows_.partial[part * plan_.states + j] = best;
    });
    __syncthreads();
    for_states([&](int32_t j) {
      double best = never<double>();
      for (int32_t part = 0; part < plan_.parts; ++part) best = larger(best, rows_.partial[part * plan_.states + j]);
      for (int64_t u = block; u < t; ++u) {
        if (t - u <= plan_.longest) best = larger(best, x_at(u, j) + duration(t - u, j));
        best += late(u, j);
      }
      if (in_window != nullptr) in_window[j] = best;
      rows_.ended[j] = best + rows_.total[j];
    });
    __syncthreads();
  }

  // Opens the segments that begin at border t and passes frame t; leaves X at `x_row` where that is not null.
  __device__ void leave(int64_t t, double* x_row) {
    for_states([&](int32_t j) {
      const double x = opened(t, j) - rows_.total[j];
      x_at(t, j) = x;
      if (x_row != nullptr) x_row[j] = x;
      const double each = score(t, j);
      const bool stays_out = is_large(each);
      late(t, j) = stays_out ? each : 0;
      any_late_ |= stays_out;
      rows_.total[j] += stays_out ? 0 : each;
    });
    __syncthreads();
  }

  __device__ double ended(int32_t j) const { return rows_.ended[j]; }

  // At border t, which begins a block: adds the late scores of the one before to the X that their frames had open.
  __device__ void settle(int64_t t) {
    if (__syncthreads_or(any_late_) == 0) return;
    any_late_ = false;
    for_parts([&](int32_t j, int32_t part) {
      for (int64_t u = window_begin(t) + part; u < t; u += plan_.parts) {
        double x = x_at(u, j);
        for (int64_t v = u < t - kBlock ? t - kBlock : u; v < t; ++v) x += late(v, j);
        x_at(u, j) = x;
      }
    });
    __syncthreads();
    for_states([&](int32_t j) {
      for (int64_t v = t - kBlock; v < t; ++v) late(v, j) = 0;
    });
    __syncthreads();
  }

 private:
  __device__ static double larger(double a, double b) { return b > a ? b : a; }
  __device__ double& late(int64_t frame, int32_t j) const { return rows_.late[frame % kBlock * plan_.states + j]; }

  __device__ double opened(int64_t t, int32_t j) const {
    if (t == 0) return arcs_.initial<double>(j);
    double best = never<double>();
    arcs_.into(j, t, [&](int32_t source, int64_t place) {
      best = larger(best, rows_.ended[source] + arcs_.weight<double>(place));
    });
    return best;
  }

  bool any_late_ = false;
};

// A block a sequence.
__global__ void __launch_bounds__(kMostThreads) forward_kernel(BatchView view, SegmentPlan plan, BorderRows borders) {
  const int64_t b = blockIdx.x, frames = view.length(b);
  if (!plan.takes(view, b) || frames < borders.first) return;
  BestRecursion recursion(view, plan, b, shared_memory());
  if (borders.first == 0) {
    recursion.start();
  } else {
    recursion.restore(borders.first, borders.from);
  }
  const bool keeps = borders.rows != nullptr;
  const auto row = [&](int64_t t, BorderRows::Row which) {
    return keeps ? borders.row(b, plan.states, t, which) : nullptr;
  };
  for (int64_t t = borders.first; t < borders.last && t <= frames; ++t) {
    recursion.arrive(t, row(t, BorderRows::kInWindow));
    for (auto j = static_cast<int32_t>(threadIdx.x); keeps && j < plan.states; j += static_cast<int32_t>(blockDim.x)) {
      row(t, BorderRows::kEnded)[j] = recursion.ended(j);
    }
    if (t < frames) recursion.leave(t, row(t, BorderRows::kX));
  }
  recursion.report();
  if (frames < borders.last) return;
  recursion.settle(borders.last);
  recursion.save(borders.last, borders.to);
}

// How the borders are cut, and where it all stands.
class Search {
 public:
  Search(const DeviceBatch& batch, const SegmentPlan& plan, Parts& workspace)
      : batch_(batch),
        plan_(plan),
        borders_(batch.batch.frames + 1),
        saved_bytes_(batch.batch.batch * SavedSegments(nullptr, plan.states, plan.longest).bytes),
        chunk_(segment_frames(borders_, row_bytes(), saved_bytes_, batch.batch.memory_budget)),
        chunks_((borders_ + chunk_ - 1) / chunk_),
        rows_(workspace.take<double>(std::min(chunk_, borders_) * row_bytes() / static_cast<int64_t>(sizeof(double)))),
        saved_(workspace.take<char>((chunks_ - 1) * saved_bytes_)),
        traces_(workspace.take<Trace>(batch.batch.batch)) {}

  void run(int64_t* states, double* score) const {
    clear_paths(batch_, states, batch_.batch.batch * batch_.batch.frames);
    for (int64_t c = 0; c < chunks_; ++c) forward(chunk(c, c == chunks_ - 1));
    for (int64_t c = chunks_ - 1; c >= 0; --c) {
      if (c < chunks_ - 1) forward(chunk(c, true));
      trace_segments(batch_, plan_, chunk(c, true), traces_, states);
    }
    finish_traces(batch_, plan_, traces_, states, score);
  }

 private:
  int64_t row_bytes() const { return batch_.batch.batch * 3 * plan_.states * static_cast<int64_t>(sizeof(double)); }

  BorderRows chunk(int64_t c, bool keeps) const {
    char* to = saved_ + c * saved_bytes_;
    return {c * chunk_, std::min((c + 1) * chunk_, borders_), c > 0 ? to - saved_bytes_ : nullptr, to,
            keeps ? rows_ : nullptr};
  }
  void forward(const BorderRows& borders) const {
    launch(forward_kernel, dim3(static_cast<unsigned>(batch_.batch.batch)), dim3(plan_.threads()),
           shared_bytes(plan_, 0), batch_.stream, BatchView::of(batch_), plan_, borders);
  }

  DeviceBatch batch_;
  SegmentPlan plan_;
  int64_t borders_, saved_bytes_, chunk_, chunks_;
  double* rows_;
  char* saved_;
  Trace* traces_;
};

}  // namespace

int64_t semi_markov_viterbi(const DeviceBatch& batch, const Durations& durations, int64_t* states, double* score,
                            void* workspace) {
  if (batch.batch.batch == 0) return 0;
  Parts parts(workspace);
  const SegmentPlan plan = take_segment_plan(parts, batch, durations, 0);
  const Search search(batch, plan, parts);
  if (workspace == nullptr) return parts.used();

  const DeviceGuard guard(batch.device);
  prepare_segments(batch, durations, plan);
  search.run(states, score);
  return 0;
}

}  // namespace streamhmm::cuda
