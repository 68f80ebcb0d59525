#include "outgoing.h"

namespace streamhmm::cuda {
namespace {

constexpr int32_t kThreads = 256;

// The source of arc `arc` of a record's list, and its target.
struct Ends {
  const int32_t* source;
  const int32_t* target;  // linear: of each arc; sparse: null
  const int32_t* begin;   // sparse: the first arc into each state

  __device__ explicit Ends(const GraphRecord& r) {
    const BodyLayout at = body_layout(r);
    source = r.body + at.source;
    target = r.family == Family::linear ? r.body + at.target : nullptr;
    begin = r.family == Family::sparse ? r.body + at.begin : nullptr;
  }
};

// Puts an arc behind those of its source that are there already, which other threads may be adding as well.
__device__ void place(const OutgoingIndex& index, int32_t* cursor, int32_t source, int32_t target, int32_t arc,
                      int64_t first) {
  const int32_t at = atomicAdd(cursor + source, 1);
  index.target[first + at] = target;
  index.arc[first + at] = arc;
}

// In ascending order, whatever the order in which they were placed.
__device__ void sort_arcs(int32_t* arc, int32_t* target, int32_t count) {
  for (int32_t i = 1; i < count; ++i) {
    const int32_t moving = arc[i], to = target[i];
    int32_t k = i;
    for (; k > 0 && arc[k - 1] > moving; --k) {
      arc[k] = arc[k - 1];
      target[k] = target[k - 1];
    }
    arc[k] = moving;
    target[k] = to;
  }
}

// A block a graph: counts the arcs of each source, adds the counts up, places the arcs and sorts each source's.
__global__ void index_kernel(BatchView view, OutgoingIndex index) {
  const int64_t graph = blockIdx.x;
  const GraphRecord r = record_at(view.structure, graph);
  if (r.family == Family::dense || r.arcs == 0) return;
  const Ends ends(r);
  int32_t* begin = index.begin + graph * (index.states_wide + 1);
  const int64_t first = graph * index.arcs_wide;
  const auto thread = static_cast<int32_t>(threadIdx.x);
  for (int32_t j = thread; j <= r.states; j += kThreads) begin[j] = 0;
  __syncthreads();
  for (int32_t arc = thread; arc < r.arcs; arc += kThreads) atomicAdd(begin + ends.source[arc], 1);
  __syncthreads();
  if (thread == 0) {
    int32_t sum = 0;
    for (int32_t j = 0; j <= r.states; ++j) {
      const int32_t count = begin[j];
      begin[j] = sum;
      sum += count;
    }
  }
  __syncthreads();
  if (ends.target != nullptr) {
    for (int32_t arc = thread; arc < r.arcs; arc += kThreads) {
      place(index, begin, ends.source[arc], ends.target[arc], arc, first);
    }
  } else {
    for (int32_t j = thread; j < r.states; j += kThreads) {
      for (int32_t arc = ends.begin[j]; arc < ends.begin[j + 1]; ++arc) {
        place(index, begin, ends.source[arc], j, arc, first);
      }
    }
  }
  __syncthreads();
  // each cursor now stands where the next source's arcs begin
  for (int32_t j = thread; j < r.states; j += kThreads) {
    const int32_t from = j > 0 ? begin[j - 1] : 0;
    sort_arcs(index.arc + first + from, index.target + first + from, begin[j] - from);
  }
  __syncthreads();
  if (thread == 0) {
    for (int32_t j = r.states; j > 0; --j) begin[j] = begin[j - 1];
    begin[0] = 0;
  }
}

}  // namespace

OutgoingIndex take_outgoing(Parts& workspace, const GraphSizes& sizes) {
  OutgoingIndex index{};
  index.states_wide = sizes.states;
  index.arcs_wide = sizes.most_listed;
  index.begin = workspace.take<int32_t>(sizes.graphs * (index.states_wide + 1));
  index.target = workspace.take<int32_t>(sizes.graphs * index.arcs_wide);
  index.arc = workspace.take<int32_t>(sizes.graphs * index.arcs_wide);
  return index;
}

void index_outgoing(const DeviceBatch& batch, const GraphSizes& sizes, const OutgoingIndex& index) {
  if (sizes.most_listed == 0) return;
  launch(index_kernel, dim3(static_cast<unsigned>(sizes.graphs)), dim3(kThreads), 0, batch.stream, BatchView::of(batch),
         index);
}

}  // namespace streamhmm::cuda
