#include <algorithm>

#include "dense_grid.h"
#include "dense_wide.h"

namespace streamhmm::cuda {
namespace {

// Which tiles a block's columns lie in.
__host__ __device__ int32_t most_spanned(const ProductShape& shape) {
  return (shape.columns() + kTile - 2) / kTile + 1;
}

// A block's shared memory beside the product's.
struct BlockMemory {
  float* shift;  // (tiles that the columns lie in, tiles of the sources, sequences)

  __host__ __device__ BlockMemory(Parts& shared, const ProductShape& shape, int32_t tiles) {
    shift = shared.take<float>(int64_t{most_spanned(shape)} * tiles * shape.sequences());
  }
};

// What is added to α of the sources of a tile.
struct Shift {
  const float* of_target;  // (tiles of the sources, sequences)
  int32_t sequences;

  __device__ float operator()(int32_t tile, int32_t q) const { return of_target[tile * sequences + q]; }
  __device__ static float apply(float alpha, float shift) { return alpha + shift; }
};

// Some sequences and some columns in a block. Blocks with the same sequences share the tiles among them where α are
// recentred.
class WideForward {
 public:
  __device__ WideForward(const BatchView& view, const WideSearch& search, const Segment& segment, char* scratch)
      : view_(view),
        search_(search),
        segment_(segment),
        graph_(view),
        parts_(Parts::within(scratch)),
        scratch_(parts_, view.batch, search, segment.first),
        rows_(scratch_.rolling),
        shared_(shared_memory()),
        grid_(shared_, search.shape),
        memory_(shared_, search.shape, search.tiles),
        product_(search.shape, ProductMemory(shared_, search.shape),
                 scratch_.panels + search.shape.matrix_place(0, grid_.first_column())) {
    if (segment.pointers != nullptr) {
      Parts kept = Parts::within(segment.pointers);
      rows_ = AlphaRows(kept, view.batch, segment.first, segment.last - segment.first, search.shape.row, search.tiles);
    }
  }

  __device__ void run(int32_t round) {
    grid_.choose(view_, round, segment_.last);
    begin();
    for (int64_t t = segment_.first; t < grid_.until(); ++t) {
      if (t == 0) {
        add_scores([&](int32_t, int32_t j) { return graph_.initial<float>(j); }, 0);
      } else if (t < grid_.own_until()) {
        step(t);
      }
      grid_.wait();
      if ((t + 1) % kRecentre == 0 && t + 1 < grid_.longest()) recentre(t + 1);
    }
    save();
    grid_.wait();
  }

 private:
  // The offsets in which the segment begins.
  __device__ void begin() {
    grid_.for_each_owned([&](int32_t q) {
      if (grid_.length(q) <= segment_.first) return;
      const int64_t b = grid_.sequence(q);
      double* offset = rows_.offsets_at(b, segment_.first / kRecentre);
      for (int32_t k = 0; k < search_.tiles; ++k)
        offset[k] = segment_.first > 0 ? from().offset[b * search_.tiles + k] : 0;
    });
    grid_.wait();
    make_shifts(segment_.first);
  }

  __device__ void step(int64_t t) {
    const ProductShape& shape = search_.shape;
    const bool is_first = t == segment_.first;
    const float* before =
        is_first ? from().alpha + grid_.sequence(0) * shape.row : rows_.row_at(grid_.sequence(0), t - 1);
    const int64_t stride = is_first ? shape.row : rows_.depth * shape.row;
    const int32_t target = (grid_.first_column() + product_.first_column()) / kTile - grid_.first_column() / kTile;
    const int32_t sequences = shape.sequences();
    const Shift shift{memory_.shift + target * search_.tiles * sequences, sequences};
    product_.compute({before, stride, grid_.count()}, shift);
    add_scores([&](int32_t q, int32_t j) { return product_.result(q, j - grid_.first_column()); }, t);
  }

  // α_t[j] = arriving(q, j) + the score.
  template <class Arriving>
  __device__ void add_scores(const Arriving& arriving, int64_t t) {
    const auto limit = static_cast<float>(search_.inspection.limit);
    grid_.for_each_result([&](int32_t q, int32_t j) {
      if (t >= grid_.length(q)) return;
      const int64_t b = grid_.sequence(q);
      float* alpha = rows_.row_at(b, t) + j;
      if (j >= search_.states) {
        *alpha = never<float>();
        return;
      }
      const int64_t index = view_.row(b, t) + graph_.pdf(j);
      uint32_t found = 0;
      *alpha = arriving(q, j) + checked_score(view_, index, limit, found);
      if (found != 0) atomicOr(search_.inspection.flags + b, found);
      if (t + 1 < grid_.length(q)) view_.scores.prefetch_at(index + view_.frame_stride);
    });
  }

  // What ../viterbi.h says is done before frame t.
  __device__ void recentre(int64_t t) {
    const int32_t mine = (search_.tiles - grid_.across() + search_.shape.across - 1) / search_.shape.across;
    for (int32_t i = warp_of_thread(); i < mine * grid_.count(); i += warps_in_block()) {
      const int32_t q = i % grid_.count();
      if (grid_.length(q) > t) recentre_tile(q, grid_.across() + i / grid_.count() * search_.shape.across, t);
    }
    grid_.wait();
    grid_.for_each_owned([&](int32_t q) {
      if (grid_.length(q) <= t) return;
      const int64_t b = grid_.sequence(q);
      const double* before = rows_.offsets_at(b, t / kRecentre - 1);
      double* offset = rows_.offsets_at(b, t / kRecentre);
      for (int32_t k = 0; k < search_.tiles; ++k) offset[k] = before[k];
      move_offsets(scratch_.moved + b * search_.tiles, search_.tiles, offset);
    });
    grid_.wait();
    make_shifts(t);
  }

  // By a warp.
  __device__ void recentre_tile(int32_t q, int32_t tile, int64_t t) {
    const int64_t b = grid_.sequence(q);
    float* alpha = rows_.row_at(b, t - 1);
    float most = never<float>();
    const int32_t end = (tile + 1) * kTile < search_.states ? (tile + 1) * kTile : search_.states;
    for (int32_t j = tile * kTile + lane_of_thread(); j < end; j += kWarp) most = alpha[j] > most ? alpha[j] : most;
    most = warp_max(most);
    if (lane_of_thread() == 0) scratch_.moved[b * search_.tiles + tile] = most;
    if (is_never(most)) return;
    for (int32_t j = tile * kTile + lane_of_thread(); j < end; j += kWarp) alpha[j] -= most;
  }

  // For the steps to frame t and those behind it.
  __device__ void make_shifts(int64_t t) {
    const int32_t sequences = search_.shape.sequences(), first_tile = grid_.first_column() / kTile;
    const int32_t size = most_spanned(search_.shape) * search_.tiles * sequences;
    for (auto i = static_cast<int32_t>(threadIdx.x); i < size; i += static_cast<int32_t>(blockDim.x)) {
      const int32_t q = i % sequences, source = i / sequences % search_.tiles;
      const int32_t target = first_tile + i / sequences / search_.tiles;
      if (grid_.length(q) <= t || target >= search_.tiles) continue;
      const double* offset = rows_.offsets_at(grid_.sequence(q), t / kRecentre);
      memory_.shift[i] = shift_between<float>(offset, source, target);
    }
    __syncthreads();
  }

  __device__ void save() const {
    Parts parts = Parts::within(segment_.to);
    const WideSaved saved(parts, view_.batch, search_.shape.row, search_.tiles);
    grid_.for_each_result([&](int32_t q, int32_t j) {
      const int64_t b = grid_.sequence(q), last = grid_.end(q);
      if (last > segment_.first) saved.alpha[b * search_.shape.row + j] = rows_.row_at(b, last - 1)[j];
    });
    grid_.for_each_owned([&](int32_t q) {
      const int64_t b = grid_.sequence(q), last = grid_.end(q);
      if (last <= segment_.first) return;
      const int64_t next = grid_.length(q) > last ? last : last - 1;
      const double* offset = rows_.offsets_at(b, next / kRecentre);
      for (int32_t k = 0; k < search_.tiles; ++k) saved.offset[b * search_.tiles + k] = offset[k];
    });
  }

  __device__ WideSaved from() const {
    Parts parts = Parts::within(const_cast<char*>(segment_.from));
    return WideSaved(parts, view_.batch, search_.shape.row, search_.tiles);
  }
  const BatchView& view_;
  const WideSearch& search_;
  const Segment& segment_;
  DenseView graph_;
  Parts parts_;
  WideScratch scratch_;
  AlphaRows rows_;
  Parts shared_;
  GridSequences grid_;
  BlockMemory memory_;
  Product<MaxPlus> product_;
};

// Grid: (sets, across).
__global__ void __launch_bounds__(ProductShape::kMostThreads)
    forward_kernel(BatchView view, WideSearch search, Segment segment, char* scratch) {
  if (search.inspection.graph_flags[0] != 0) return;
  WideForward forward(view, search, segment, scratch);
  for (int32_t round = 0; round < search.shape.rounds; ++round) forward.run(round);
}

}  // namespace

int64_t wide_forward_bytes(const ProductShape& shape, int32_t tiles) {
  Parts shared(nullptr);
  GridSequences::take(shared, shape);
  BlockMemory(shared, shape, tiles);
  return shared.used();
}

void wide_forward(const DeviceBatch& batch, const WideSearch& search, const Segment& segment, char* scratch) {
  const ProductShape& shape = search.shape;
  const BatchView view = BatchView::of(batch);
  if (segment.first == 0) wide_prepare(batch, search, scratch);
  Parts shared(nullptr);
  GridSequences::take(shared, shape);
  BlockMemory(shared, shape, search.tiles);
  ProductMemory(shared, shape);
  const dim3 grid(static_cast<unsigned>(shape.sets), static_cast<unsigned>(shape.across));
  const dim3 block(static_cast<unsigned>(shape.threads()));
  if (shape.across > 1) {
    launch_cooperative(forward_kernel, grid, block, shared.used(), batch.stream, view, search, segment, scratch);
  } else {
    launch(forward_kernel, grid, block, shared.used(), batch.stream, view, search, segment, scratch);
  }
}

}  // namespace streamhmm::cuda
