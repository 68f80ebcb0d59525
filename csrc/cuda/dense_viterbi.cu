#include <limits>

#include "dense_narrow_viterbi.h"
#include "dense_shape.h"
#include "dense_shapes.h"
#include "dense_viterbi.h"
#include "dense_wide.h"

namespace streamhmm::cuda {
namespace {

// For a graph of one tile of states.
template <int32_t kLanes, int32_t kEach>
class NarrowPathFinder : public PathFinder {
 public:
  NarrowPathFinder(const DeviceBatch& batch, const NarrowSearch& search) : batch_(batch), search_(search) {}

  int64_t pointers_bytes(int64_t frames) const override {
    return batch_.batch.batch * WinnerWords::quads_of(frames) * search_.states * static_cast<int64_t>(sizeof(uint32_t));
  }
  int64_t saved_bytes() const override { return batch_.batch.batch * static_cast<int64_t>(sizeof(NarrowAlpha)); }
  void forward(const Segment& segment, char*) const override {
    narrow_forward<kLanes, kEach>(batch_, search_, segment);
  }
  void back(const Segment& segment, char*, const Paths& paths) const override {
    narrow_back<kLanes, kEach>(batch_, search_, segment, paths);
  }

 private:
  DeviceBatch batch_;
  NarrowSearch search_;
};

std::unique_ptr<PathFinder> narrow_path_finder(const DeviceBatch& batch, const NarrowSearch& search) {
  if (search.states <= 8) return std::make_unique<NarrowPathFinder<8, 1>>(batch, search);
  if (search.states <= 16) return std::make_unique<NarrowPathFinder<16, 1>>(batch, search);
  if (search.states <= 32) return std::make_unique<NarrowPathFinder<32, 1>>(batch, search);
  return std::make_unique<NarrowPathFinder<32, 2>>(batch, search);
}

// For a graph of more.
class WidePathFinder : public PathFinder {
 public:
  WidePathFinder(const DeviceBatch& batch, const WideSearch& search) : batch_(batch), search_(search) {}

  int64_t pointers_bytes(int64_t frames) const override {
    Parts parts = Parts::within(nullptr);
    AlphaRows(parts, batch_.batch.batch, 0, frames, search_.shape.row, search_.tiles);
    return parts.used();
  }
  int64_t saved_bytes() const override {
    Parts parts = Parts::within(nullptr);
    WideSaved(parts, batch_.batch.batch, search_.shape.row, search_.tiles);
    return parts.used();
  }
  int64_t scratch_bytes() const override {
    Parts parts = Parts::within(nullptr);
    WideScratch(parts, batch_.batch.batch, search_, 0);
    return parts.used();
  }
  void forward(const Segment& segment, char* scratch) const override {
    wide_forward(batch_, search_, segment, scratch);
  }
  void back(const Segment& segment, char* scratch, const Paths& paths) const override {
    wide_back(batch_, search_, segment, scratch, paths);
  }

 private:
  DeviceBatch batch_;
  WideSearch search_;
};

}  // namespace

std::unique_ptr<PathFinder> dense_path_finder(const DeviceBatch& batch, const GraphSizes& sizes,
                                              const Inspection& inspection, double beam) {
  const bool is_exact = beam == std::numeric_limits<double>::infinity();
  if (batch.batch.is_double || !is_exact || !shares_dense_graph(batch.batch)) return nullptr;
  const Selection sound{true, true, 0};
  if (sizes.states <= kMostNarrowStates) {
    return narrow_path_finder(batch, {inspection, sound, sizes.states});
  }
  const Card card = card_of(batch.device);
  const int32_t tiles = tile_count(sizes.states);
  const ProductShape shape = best_shape(batch.batch.batch, sizes.states, card,
                                        [&](const ProductShape& s) { return wide_forward_bytes(s, tiles); });
  const bool fits = shape.row > 0 && wide_back_bytes(shape.row, tiles) <= static_cast<int64_t>(card.shared_bytes);
  if (!fits) return nullptr;
  return std::make_unique<WidePathFinder>(batch, WideSearch{inspection, sound, shape, sizes.states, tiles});
}

}  // namespace streamhmm::cuda
