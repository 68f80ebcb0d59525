#include "semi_markov_trace.h"

namespace streamhmm::cuda {
namespace {

constexpr int32_t kFinishThreads = 128;

// A step of the way: a state, the weight of the arc or end that leads to it, and whether there is one.
struct Step {
  int32_t state;  // −1: there is none
  double weight;
};

// One sequence, by a warp whose lanes all know the same.
class Tracer {
 public:
  __device__ Tracer(const BatchView& view, const SegmentPlan& plan, const BorderRows& borders, int64_t sequence)
      : view_(view),
        plan_(plan),
        borders_(borders),
        b_(sequence),
        arcs_(view.record(sequence), view.weights, plan.inspection.extras_of(view, sequence)),
        saved_(saved_before(plan, borders, sequence)) {}

  __device__ Trace follow(Trace trace, int64_t frames, int64_t* states) const {
    while (trace.border >= borders_.first) {
      const Step step = trace.border == frames ? best_last(frames) : best_into(trace.next, trace.border);
      const int64_t duration = step.state < 0 ? 0 : best_duration(trace.border, step.state);
      if (duration == 0) return {kNoPath, -1, never<double>()};
      double scores = 0;
      for (int64_t t = trace.border - 1 - lane_of_thread(); t >= trace.border - duration; t -= kWarp) {
        states[t] = step.state;
        scores += score(t, step.state);
      }
      trace.total += step.weight + plan_.durations[(duration - 1) * plan_.states + step.state] + warp_sum(scores);
      trace.border -= duration;
      trace.next = step.state;
      if (trace.border == 0) return {kTraced, -1, trace.total + arcs_.initial<double>(step.state)};
    }
    return trace;
  }

 private:
  __device__ static SavedSegments saved_before(const SegmentPlan& plan, const BorderRows& borders, int64_t b) {
    const int64_t bytes = SavedSegments(nullptr, plan.states, plan.longest).bytes;
    char* from = borders.first > 0 ? const_cast<char*>(borders.from) + b * bytes : nullptr;
    return {from, plan.states, plan.longest};
  }
  __device__ const double* row(int64_t t, BorderRows::Row which) const {
    return borders_.row(b_, plan_.states, t, which);
  }
  __device__ double score(int64_t frame, int32_t j) const {
    return view_.scores.at<double>(view_.row(b_, frame) + arcs_.pdf(j));
  }

  __device__ Step best_last(int64_t frames) const {
    const double* ended = row(frames, BorderRows::kEnded);
    Best<double> best{never<double>(), -1};
    for (int32_t j = lane_of_thread(); j < plan_.states; j += kWarp) {
      const double total = ended[j] + arcs_.final<double>(j);
      if (total > best.value) best = {total, j};
    }
    best = warp_best(best);
    return {best.index, best.index < 0 ? 0.0 : arcs_.final<double>(best.index)};
  }

  // The lowest of the states from which j is entered best.
  __device__ Step best_into(int32_t j, int64_t t) const {
    const double* ended = row(t, BorderRows::kEnded);
    Best<double> best{never<double>(), -1};
    Step mine{-1, 0};
    int32_t arc = 0;
    arcs_.into(j, t, [&](int32_t source, int64_t place) {
      if (arc++ % kWarp != lane_of_thread()) return;
      const double weight = arcs_.weight<double>(place), total = ended[source] + weight;
      if (!(total > best.value)) return;
      best = {total, arc - 1};
      mine = {source, weight};
    });
    best = warp_best(best);
    if (best.index < 0) return {-1, 0};
    return {__shfl_sync(kAllLanes, mine.state, best.index % kWarp),
            __shfl_sync(kAllLanes, mine.weight, best.index % kWarp)};
  }

  // The shortest of the best durations of a segment of j that ends at border t; 0 if there is none. The forward pass
  // has noted their value, and no longer duration is looked at once it is reached without large scores, whose sums
  // round in another order there.
  __device__ int64_t best_duration(int64_t t, int32_t j) const {
    const double noted = row(t, BorderRows::kInWindow)[j];
    const int64_t longest = plan_.longest < t ? plan_.longest : t;
    Best<double> best{never<double>(), -1};
    bool plain = true;  // no large score so far
    for (int64_t first = 1; first <= longest; first += kWarp) {
      const int64_t d = first + lane_of_thread();
      const double last = d <= longest ? score(t - d, j) : never<double>();
      const unsigned barred = __ballot_sync(kAllLanes, is_never(last));
      const unsigned large = __ballot_sync(kAllLanes, is_large(last) && !is_never(last));
      const int32_t open = barred == 0 ? kWarp : __ffs(static_cast<int>(barred)) - 1;
      const int32_t calm = !plain ? 0 : large == 0 ? kWarp : __ffs(static_cast<int>(large)) - 1;
      Best<double> found{never<double>(), -1};
      if (lane_of_thread() < open) {
        const double x = x_until(t - d, lane_of_thread() < calm ? t - d : t, j);
        const double value = x + plan_.durations[(d - 1) * plan_.states + j];
        if (value > never<double>()) found = {value, static_cast<int32_t>(d)};
      }
      Best<double> in_calm = best;
      in_calm.consider(warp_best(lane_of_thread() < calm ? found : Best<double>{never<double>(), -1}));
      if (in_calm.index > 0 && in_calm.value == noted && plain) return in_calm.index;
      best.consider(warp_best(found));
      plain = plain && large == 0;
      if (open < kWarp) break;
    }
    return best.index < 0 ? 0 : best.index;
  }

  // X of border u with the large scores of the frames before `end`; up to the first border they are in what was saved.
  __device__ double x_until(int64_t u, int64_t end, int32_t j) const {
    double x = u < borders_.first ? saved_.ring[u % plan_.longest * plan_.states + j] : row(u, BorderRows::kX)[j];
    for (int64_t t = u < borders_.first ? borders_.first : u; t < end; ++t) {
      const double each = score(t, j);
      if (is_large(each)) x += each;
    }
    return x;
  }

  const BatchView& view_;
  const SegmentPlan& plan_;
  const BorderRows& borders_;
  int64_t b_;
  ArcsView arcs_;
  SavedSegments saved_;
};

// A warp a sequence.
__global__ void trace_kernel(BatchView view, SegmentPlan plan, BorderRows borders, Trace* traces, int64_t* states) {
  const int64_t b = blockIdx.x, frames = view.length(b);
  if (!plan.takes(view, b) || frames < borders.first) return;
  const Trace begun{frames, -1, 0};
  const Trace trace = Tracer(view, plan, borders, b)
                          .follow(frames < borders.last ? begun : traces[b], frames, states + b * view.frames);
  __syncwarp();
  if (lane_of_thread() == 0) traces[b] = trace;
}

// A block a sequence.
__global__ void finish_kernel(BatchView view, SegmentPlan plan, const Trace* traces, int64_t* states, double* score) {
  const int64_t b = blockIdx.x, frames = view.length(b);
  const bool taken = plan.takes(view, b), found = taken && traces[b].border == kTraced;
  if (threadIdx.x == 0) {
    score[b] = found                  ? traces[b].total
               : taken || frames == 0 ? never<double>()
                                      : __longlong_as_double(0x7ff8000000000000LL);
  }
  if (found) return;
  for (int64_t t = threadIdx.x; t < frames; t += blockDim.x) states[b * view.frames + t] = -1;
}

}  // namespace

void trace_segments(const DeviceBatch& batch, const SegmentPlan& plan, const BorderRows& borders, Trace* traces,
                    int64_t* states) {
  launch(trace_kernel, dim3(static_cast<unsigned>(batch.batch.batch)), dim3(kWarp), 0, batch.stream,
         BatchView::of(batch), plan, borders, traces, states);
}

void finish_traces(const DeviceBatch& batch, const SegmentPlan& plan, const Trace* traces, int64_t* states,
                   double* score) {
  launch(finish_kernel, dim3(static_cast<unsigned>(batch.batch.batch)), dim3(kFinishThreads), 0, batch.stream,
         BatchView::of(batch), plan, traces, states, score);
}

}  // namespace streamhmm::cuda
