#include "../dtw_follower.h"

#include <algorithm>
#include <limits>

#include "dtw_costs.h"

namespace streamhmm {
namespace {

constexpr double kForbidden = std::numeric_limits<double>::infinity();

template <class Real>
class FollowerOf : public DtwFollower {
 public:
  explicit FollowerOf(const DtwReference& reference)
      : reference_(reference),
        transposed_(reference.dims * reference.size),
        frame_(reference.dims),
        costs_(reference.size),
        row_(reference.size, kForbidden),
        window_{0, reference.open_begin ? reference.size : std::min(reference.window + 1, reference.size)} {
    const Real* frames = static_cast<const Real*>(reference.frames);
    for (int64_t j = 0; j < reference.size; ++j) {
      const Real* frame = frames + j * reference.dims;
      const double scale = scale_of(reference.metric, frame, reference.dims);
      for (int64_t d = 0; d < reference.dims; ++d) transposed_[d * reference.size + j] = scaled(frame[d], scale);
    }
    reference_.frames = nullptr;
  }

  void push(const void* frames, int64_t count, int64_t* positions, double* costs) override {
    const Real* frame = static_cast<const Real*>(frames);
    for (int64_t t = 0; t < count; ++t, frame += reference_.dims) {
      measure(frame);
      advance();
      ++heard_;
      const PerFrame per_frame = kStepPatterns[reference_.pattern].per_frame;
      const int64_t j = ends_at(row_.data(), window_.first, window_.last, heard_, per_frame, reference_.open_begin);
      positions[t] = j;
      costs[t] = row_[j];
      move_window(j);
    }
  }

  double distance() const override { return row_[reference_.size - 1]; }

 private:
  // The costs of a frame within the window.
  void measure(const Real* frame) {
    const double scale = scale_of(reference_.metric, frame, reference_.dims);
    for (int64_t d = 0; d < reference_.dims; ++d) frame_[d] = scaled(frame[d], scale);
    const DtwRow<Real> row = {frame_.data(), transposed_.data() + window_.first, reference_.size, reference_.dims};
    kernels_of<Real>().dtw.row_distances[static_cast<int32_t>(reference_.metric)](row, window_.last - window_.first,
                                                                                  costs_.data());
  }

  void advance() {
    const StepPattern& pattern = kStepPatterns[reference_.pattern];
    // above[s] = D[i−1, j−s]
    double above[3] = {kForbidden, before_window(1), before_window(2)}, left = kForbidden;
    for (int64_t j = window_.first; j < window_.last; ++j) {
      const double cost = static_cast<double>(costs_[j - window_.first]);
      above[0] = row_[j];
      double best = heard_ == 0 && (j == 0 || reference_.open_begin) ? cost : kForbidden;
      for (const Move& move : pattern.moves) {
        best = std::min(best, (move.rows == 0 ? left : above[move.columns]) + move.weight * cost);
      }
      row_[j] = left = best;
      above[2] = above[1];
      above[1] = above[0];
    }
    forbid(reached_.first, std::min(window_.first, reached_.last));
    forbid(std::max(window_.last, reached_.first), reached_.last);
    reached_ = window_;
  }

  double before_window(int64_t steps) const {
    return window_.first >= steps ? row_[window_.first - steps] : kForbidden;
  }

  void move_window(int64_t position) {
    window_ = {std::max<int64_t>(position - reference_.window, 0),
               std::min(position + reference_.window + 1, reference_.size)};
  }

  void forbid(int64_t first, int64_t last) {
    for (int64_t j = first; j < last; ++j) row_[j] = kForbidden;
  }

  DtwReference reference_;
  Buffer<Real> transposed_;  // (dims, size)
  Buffer<Real> frame_;       // (dims)
  Buffer<Real> costs_;       // (window)
  Buffer<double> row_;       // (size) D of the frame before; +inf outside its window
  Columns window_;
  Columns reached_ = {0, 0};  // the window of the frame before
  int64_t heard_ = 0;
};

}  // namespace

std::unique_ptr<DtwFollower> make_follower(const DtwReference& reference) {
  if (reference.is_double) return std::make_unique<FollowerOf<double>>(reference);
  return std::make_unique<FollowerOf<float>>(reference);
}

}  // namespace streamhmm
