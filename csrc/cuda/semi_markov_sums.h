// What the two passes of semi-Markov sums and their driver share.
#pragma once

#include "fixed_point.h"
#include "outgoing.h"
#include "semi_markov_plan.h"
#include "summer.h"

namespace streamhmm::cuda {

// What lasts for the whole operation.
struct SegmentSums {
  SegmentPlan plan;
  OutgoingIndex outgoing;
  SumTargets to;
  double* segment_counts;  // (batch, longest_given, states) or null
  int64_t longest_given;
  double* totals;   // (batch) log Z without the offsets
  double* offsets;  // (batch, blocks) what is taken from the scores of the first frame of each block of borders
  int64_t blocks;
  char* carried;           // (batch) SavedSegments of the way back
  double* occupancies;     // (batch, states) of the way back
  bool columns_in_shared;  // the posteriors of a frame's columns, else in `columns`
  FixedPoint* columns;     // (batch, columns)
  size_t scratch_bytes;    // of shared memory beside the plan's

  __device__ double& offset(int64_t b, int64_t border) const { return offsets[b * blocks + border / kBlock]; }
};

// Borders first … last−1, of which two rows are kept, each a number a state.
struct SumBorders {
  enum Row { kEnded, kOpened };
  int64_t first, last;
  const char* from;  // what was saved before border `first`; null for the first of all
  char* to;          // where to save what border `last` needs
  double* rows;      // (batch, last − first, 2, states), or null

  __device__ double* row(int64_t b, int64_t states, int64_t t, Row which) const {
    return rows + ((b * (last - first) + t - first) * 2 + which) * states;
  }
};

void sum_from_left(const DeviceBatch& batch, const SegmentSums& sums, const SumBorders& borders);
// After sum_from_left() of the same borders; the last ones first.
void sum_from_right(const DeviceBatch& batch, const SegmentSums& sums, const SumBorders& borders);

}  // namespace streamhmm::cuda
