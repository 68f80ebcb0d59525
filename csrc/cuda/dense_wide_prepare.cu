#include "dense_wide.h"

namespace streamhmm::cuda {
namespace {

constexpr int32_t kThreads = 256;

// The transitions as WideScratch has them; −inf where there are no states. Grid: rows of either.
__global__ void prepare_kernel(BatchView view, WideSearch search, char* memory) {
  Parts parts = Parts::within(memory);
  const WideScratch scratch(parts, view.batch, search, 0);
  const DenseView graph(view);
  const ProductShape& shape = search.shape;
  const auto row = static_cast<int32_t>(blockIdx.x);
  const auto thread = static_cast<int32_t>(threadIdx.x);
  if (row < shape.row) {
    for (int32_t j = thread; j < shape.across * shape.columns(); j += kThreads) {
      scratch.panels[shape.matrix_place(row, j)] =
          row < search.states && j < search.states ? graph.transition<float>(row, j) : never<float>();
    }
  }
  if (row < search.states) {
    for (int32_t i = thread; i < shape.row; i += kThreads) {
      scratch.into[int64_t{row} * shape.row + i] = i < search.states ? graph.transition<float>(i, row) : never<float>();
    }
  }
}

}  // namespace

void wide_prepare(const DeviceBatch& batch, const WideSearch& search, char* scratch) {
  launch(prepare_kernel, dim3(static_cast<unsigned>(search.shape.row)), dim3(kThreads), 0, batch.stream,
         BatchView::of(batch), search, scratch);
}

}  // namespace streamhmm::cuda
