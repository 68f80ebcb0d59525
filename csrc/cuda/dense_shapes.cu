#include <algorithm>

#include "dense_shapes.h"

namespace streamhmm::cuda {
namespace {

constexpr int32_t kMostColumnGroups = 32;

int64_t product_bytes(const ProductShape& shape) {
  Parts shared(nullptr);
  ProductMemory(shared, shape);
  return shared.used();
}

// Clock cycles of a multiprocessor for a frame of one round: 64 sums a cycle, 64 bytes a cycle from the L2 cache, the
// start of each slice, and what waiting for scores and other blocks takes. Only the comparison of shapes matters.
double frame_cycles(const ProductShape& s) {
  const double sums = 1.0 * s.sequences() * s.columns() * s.row / 64 * std::max(1.0, 256.0 / s.threads());
  const double bytes = 4.0 * s.row * (s.sequences() + (s.is_resident ? 0 : s.columns()));
  const double slices = static_cast<double>((s.row + s.slice - 1) / s.slice);
  return 1.2 * sums + bytes / 64 / 2 + 100 * slices + (s.across > 1 ? 3000 : 1000);
}

// The same with as many sets as the card runs at once, and as many sources in a slice as fit; `row` is 0 where none do.
ProductShape completed(ProductShape s, int64_t batch, const Card& card,
                       const std::function<int64_t(const ProductShape&)>& other_bytes) {
  const int64_t sets = (batch + s.sequences() - 1) / s.sequences();
  s.sets = static_cast<int32_t>(s.across > 1 ? std::min<int64_t>(sets, card.multiprocessors / s.across) : sets);
  s.rounds = static_cast<int32_t>((sets + s.sets - 1) / s.sets);
  for (s.slice = 256; s.slice >= 16; s.slice /= 2) {
    if (s.slice > 16 && s.slice >= 2 * s.row) continue;
    const int32_t most_parts = std::min(ProductShape::kMostThreads / (s.row_groups * s.column_groups), s.slice / 4);
    s.parts = std::max(most_parts, 1);
    if (product_bytes(s) + other_bytes(s) <= static_cast<int64_t>(card.shared_bytes)) return s;
  }
  return {};
}

}  // namespace

ProductShape best_shape(int64_t batch, int32_t states, const Card& card,
                        const std::function<int64_t(const ProductShape&)>& other_bytes) {
  ProductShape best{};
  double least = 0;
  ProductShape s{};
  s.row = row_of(states);
  const int32_t column_groups = (states + ProductShape::kColumns - 1) / ProductShape::kColumns;
  for (const int32_t row_groups : {1, 2, 3, 4, 6, 8, 10, 12, 16}) {
    for (int32_t columns = 1; columns <= std::min(column_groups, kMostColumnGroups); ++columns) {
      s.row_groups = row_groups;
      s.column_groups = columns;
      s.across = (column_groups + columns - 1) / columns;
      if (s.across > card.multiprocessors) continue;
      for (const bool is_resident : {true, false}) {
        s.is_resident = is_resident;
        const ProductShape whole = completed(s, batch, card, other_bytes);
        if (whole.row == 0) continue;
        const int64_t turns =
            whole.across > 1 ? whole.rounds : (whole.sets + card.multiprocessors - 1) / card.multiprocessors;
        const double cycles = static_cast<double>(turns) * frame_cycles(whole);
        if (best.row != 0 && cycles >= least) continue;
        best = whole;
        least = cycles;
      }
    }
  }
  return best;
}

}  // namespace streamhmm::cuda
