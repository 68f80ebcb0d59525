#include <algorithm>

#include "arcs.h"
#include "inspection.h"

namespace streamhmm::cuda {
namespace {

constexpr int32_t kThreads = 256;
constexpr int64_t kWeightsPerBlock = 64 * kThreads;

// Grid: (graphs, parts of the weights).
__global__ void inspect_kernel(BatchView view, Inspection inspection) {
  const int64_t graph = blockIdx.x;
  const GraphRecord record = record_at(view.structure, graph);
  const int64_t size = weights_layout(record).end;
  uint32_t found = 0;
  const int64_t stride = int64_t{kThreads} * gridDim.y;
  for (int64_t i = int64_t{kThreads} * blockIdx.y + threadIdx.x; i < size; i += stride) {
    found |= flags_for(view.weights.at<double>(record.weights_offset + i), inspection.limit);
  }
  if (found != 0) atomicOr(inspection.graph_flags + graph, found);
  if (blockIdx.y > 0 || record.family != Family::linear || record.arcs == 0) return;
  int32_t* begin_of = inspection.extra_begin + graph * (inspection.states_wide + 1);
  const int32_t* target = record.body + body_layout(record).target;
  for (int32_t arc = static_cast<int32_t>(threadIdx.x); arc <= record.arcs; arc += kThreads) {
    const int32_t after = arc > 0 ? target[arc - 1] : -1, until = arc < record.arcs ? target[arc] : record.states;
    for (int32_t state = after + 1; state <= until; ++state) begin_of[state] = arc;
  }
}

}  // namespace

Inspection take_inspection(Parts& workspace, const DeviceBatch& batch, const GraphSizes& sizes, double limit) {
  Inspection inspection{};
  inspection.limit = limit;
  inspection.graph_flags = workspace.take<uint32_t>(sizes.graphs);
  inspection.flags = workspace.take<uint32_t>(batch.batch.batch);
  inspection.extra_begin = workspace.take<int32_t>(sizes.has_others ? sizes.graphs * (int64_t{sizes.states} + 1) : 0);
  inspection.states_wide = sizes.states;
  return inspection;
}

void inspect(const DeviceBatch& batch, const GraphSizes& sizes, const Inspection& inspection) {
  zero(inspection.graph_flags, sizes.graphs * sizeof(uint32_t), batch.stream);
  zero(inspection.flags, batch.batch.batch * sizeof(uint32_t), batch.stream);
  const int64_t parts = (sizes.most_weights + kWeightsPerBlock - 1) / kWeightsPerBlock;
  const dim3 grid(static_cast<unsigned>(sizes.graphs), static_cast<unsigned>(std::min<int64_t>(parts, 65535)));
  launch(inspect_kernel, grid, dim3(kThreads), 0, batch.stream, BatchView::of(batch), inspection);
}

}  // namespace streamhmm::cuda
