// One pair of sequences: forward over the strips, back along the winning moves, segment by segment where memory is
// short.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "checkpoints.h"
#include "dtw_costs.h"

namespace streamhmm {

struct Cell {
  int64_t row;
  int64_t column;
};

// Collects a path from its end.
class PathWriter {
 public:
  PathWriter(int64_t* cells, int64_t capacity) : next_(cells + 2 * capacity) {}
  void prepend(Cell cell) {
    *--next_ = cell.column;
    *--next_ = cell.row;
    ++size_;
  }
  int64_t size() const { return size_; }

 private:
  int64_t* next_;
  int64_t size_ = 0;
};

template <class Real, class Costs>
class Warper {
 public:
  Warper(const DtwBatch& batch, Costs& costs, int64_t rows, int64_t columns, int64_t budget)
      : batch_(batch),
        costs_(costs),
        band_(batch.band, rows, columns),
        rows_(rows),
        columns_(columns),
        strips_((rows + kStrip - 1) / kStrip),
        widest_(widest()),
        segment_(segment_frames(strips_, strip_words() * sizeof(uint32_t), saved_size() * sizeof(double), budget)),
        segments_((strips_ + segment_ - 1) / segment_),
        tile_(kTileSteps * kStrip),
        row_(columns + 2 * kMargin, kForbidden),
        pointers_(segment_ * strip_words()),
        saved_((segments_ - 1) * saved_size()) {}

  // Writes the path and returns the distance; +inf if there is no path. Where costs are invalid, both mean nothing.
  double find(PathWriter& path) {
    if (widest_ == 0) return kForbidden;
    forward();
    if (invalid_row_ >= 0) return kForbidden;
    Cell cell = {rows_ - 1, last_column()};
    if (cell.column < 0) return kForbidden;
    const double distance = at(cell.column);
    for (int64_t s = segments_ - 1; s >= 0 && cell.row >= 0; --s) {
      if (s < segments_ - 1) recompute(s, cell.column + 1);
      cell = trace(s, cell, path);
    }
    return distance;
  }

  // The first row of the strip in which an invalid cost was met, or −1.
  int64_t invalid_row() const { return invalid_row_; }

 private:
  static constexpr double kForbidden = std::numeric_limits<double>::infinity();
  static constexpr int64_t kMargin = 2 * kStrip;  // lanes before the first column and behind the last

  int64_t strip_words() const { return 2 * (widest_ + kStrip - 1); }
  int64_t saved_size() const { return widest_ + 2; }

  // D of the last row crossed so far, by column; what a path starts with before the first one.
  double& at(int64_t column) { return row_[kMargin + column]; }

  // The columns of a strip's lanes taken together.
  Columns columns_of(int64_t strip) const {
    return {band_.at(strip * kStrip).first, band_.at(std::min((strip + 1) * kStrip, rows_) - 1).last};
  }

  // The most columns that a strip has; 0 if a row has none, so that no path passes.
  int64_t widest() const {
    int64_t result = 0;
    for (int64_t i = 0; i < rows_; ++i) {
      const Columns inside = band_.at(i);
      if (inside.first >= inside.last) return 0;
    }
    for (int64_t strip = 0; strip < strips_; ++strip) {
      const Columns columns = columns_of(strip);
      result = std::max(result, columns.last - columns.first);
    }
    return result;
  }

  void forward() {
    reached_ = columns_of(0).last;
    std::fill_n(&at(0), batch_.open_begin ? reached_ : 1, 0.0);
    for (int64_t strip = 0; strip < strips_ && invalid_row_ < 0; ++strip) {
      const Columns columns = columns_of(strip);
      reach(columns.last);
      if (strip % segment_ == 0 && strip / segment_ < segments_ - 1) {
        std::copy(&at(columns.first - 2), &at(columns.last), saved_.data() + strip / segment_ * saved_size());
      }
      cross(strip, columns_);
    }
  }

  // What is left of `end` in a segment, once more.
  void recompute(int64_t segment, int64_t end) {
    const int64_t begin = segment * segment_;
    const Columns columns = columns_of(begin);
    std::copy_n(saved_.data() + segment * saved_size(), columns.last - columns.first + 2, &at(columns.first - 2));
    reached_ = columns.last;
    for (int64_t strip = begin; strip < begin + segment_; ++strip) {
      reach(std::min(columns_of(strip).last, end));
      cross(strip, end);
    }
  }

  // Forbids the columns that the rows above had not reached.
  void reach(int64_t last) {
    for (; reached_ < last; ++reached_) at(reached_) = kForbidden;
  }

  // All rows of a strip, columns up to `end`.
  void cross(int64_t strip, int64_t end) {
    const StripColumns columns = lanes_of(strip, end);
    const int64_t steps = std::min(columns_of(strip).last, end) - columns.first + kStrip - 1;
    const int32_t out_lane = static_cast<int32_t>(std::min<int64_t>(kStrip, rows_ - columns.row) - 1);
    DtwFront front;
    for (int lane = 0; lane < kStrip; ++lane) front.left[lane] = front.above1[lane] = front.above2[lane] = kForbidden;
    if (strip > 0) {
      front.above1[0] = at(columns.first - 1);
      front.above2[0] = at(columns.first - 2);
    }
    costs_.enter(columns);
    uint32_t* pointers = pointers_.data() + strip % segment_ * strip_words();
    for (int64_t step = 0; step < steps; step += kTileSteps) {
      const int64_t count = std::min(kTileSteps, steps - step), column = columns.first + step;
      if (!costs_.fill(columns, step, count, tile_.data())) invalid_row_ = columns.row;
      const DtwTile<Real> tile = {tile_.data(),        count,    &at(column), &at(column - out_lane),
                                  pointers + 2 * step, out_lane, strip == 0};
      kernels_of<Real>().dtw.advance(batch_.pattern, tile, front);
    }
  }

  StripColumns lanes_of(int64_t strip, int64_t end) const {
    StripColumns result = {strip * kStrip, columns_of(strip).first, {}};
    for (int64_t lane = 0; lane < std::min<int64_t>(kStrip, rows_ - result.row); ++lane) {
      const Columns inside = band_.at(result.row + lane);
      result.lanes[lane] = {inside.first, std::min(inside.last, end)};
    }
    return result;
  }

  int64_t last_column() {
    const Columns inside = band_.at(rows_ - 1);
    if (!batch_.open_end) return inside.last == columns_ && at(columns_ - 1) < kForbidden ? columns_ - 1 : -1;
    const PerFrame per_frame = kStepPatterns[batch_.pattern].per_frame;
    return ends_at(&at(0), inside.first, inside.last, rows_, per_frame, batch_.open_begin);
  }

  // Follows the moves through a segment and returns the cell above it, row −1 once the start is reached.
  Cell trace(int64_t segment, Cell cell, PathWriter& path) const {
    for (int64_t strip = cell.row / kStrip; strip >= segment * segment_; --strip) {
      const uint32_t* pointers = pointers_.data() + strip % segment_ * strip_words();
      const int64_t first = columns_of(strip).first;
      while (cell.row >= strip * kStrip) {
        path.prepend(cell);
        const int64_t lane = cell.row - strip * kStrip;
        const uint32_t* bits = pointers + 2 * (cell.column - first + lane);
        const uint32_t winner = (bits[0] >> lane & 1) | (bits[1] >> lane & 1) << 1;
        if (winner == 3) return {-1, cell.column};
        const Move& move = kStepPatterns[batch_.pattern].moves[winner];
        cell = {cell.row - move.rows, cell.column - move.columns};
      }
    }
    return cell;
  }

  const DtwBatch& batch_;
  Costs& costs_;
  BandRows band_;
  int64_t rows_;
  int64_t columns_;
  int64_t strips_;
  int64_t widest_;
  int64_t segment_;  // strips a segment
  int64_t segments_;
  int64_t reached_ = 0;  // columns before this one hold D of the row above, or +inf
  int64_t invalid_row_ = -1;
  Buffer<Real> tile_;
  Buffer<double> row_;
  Buffer<uint32_t> pointers_;  // (segment, strip_words)
  Buffer<double> saved_;       // (segments − 1, saved_size)
};

}  // namespace streamhmm
