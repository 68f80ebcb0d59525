// The columns that a band leaves open in each row; see Band in dtw.h.
#pragma once

#include <cmath>
#include <cstdint>

#include "dtw.h"

namespace streamhmm {

// first … last−1; none if first ≥ last. Neither decreases from row to row.
struct Columns {
  int64_t first;
  int64_t last;
};

class BandRows {
 public:
  STREAMHMM_BOTH BandRows(Band band, int64_t rows, int64_t columns)
      : band_(band), columns_(columns), last_row_(rows - 1), last_column_(columns - 1) {}

  STREAMHMM_BOTH Columns at(int64_t row) const {
    Columns inside = {0, columns_};
    if (band_.shape == Band::Shape::sakoe_chiba) inside = near_diagonal(row);
    if (band_.shape == Band::Shape::itakura) inside = in_parallelogram(row);
    return {inside.first > 0 ? inside.first : 0, inside.last < columns_ ? inside.last : columns_};
  }

 private:
  STREAMHMM_BOTH Columns near_diagonal(int64_t row) const {
    if (last_row_ == 0) return {0, columns_};
    const int64_t longer = last_row_ > last_column_ ? last_row_ : last_column_;
    const int64_t radius = static_cast<int64_t>(fmin(band_.width, static_cast<double>(longer)));
    const int64_t centre = row * last_column_, reach = radius * longer;
    const int64_t below = centre > reach ? centre - reach : 0;
    return {(below + last_row_ - 1) / last_row_, (centre + reach) / last_row_ + 1};
  }

  STREAMHMM_BOTH Columns in_parallelogram(int64_t row) const {
    const double done = static_cast<double>(row), left = static_cast<double>(last_row_ - row);
    const double end = static_cast<double>(last_column_), slope = band_.width;
    const double first = fmax(done / slope, end - left * slope);
    const double last = fmin(done * slope, end - left / slope);
    if (last < first) return {0, 0};
    return {static_cast<int64_t>(ceil(first)), static_cast<int64_t>(floor(last)) + 1};
  }

  Band band_;
  int64_t columns_;
  int64_t last_row_;
  int64_t last_column_;
};

}  // namespace streamhmm
