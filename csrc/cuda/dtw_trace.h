// The way back along the winning moves.
#pragma once

#include "dtw_strips.h"

namespace streamhmm::cuda {

// Where the way back of a pair stands.
struct DtwTrace {
  int64_t row;  // −1: at its start, or there is no path
  int64_t column;
  int64_t last_column;  // of the path
};

// The ends of the paths and their distances, once all strips are crossed; paths have no cells yet.
void find_ends(const DtwPlan& plan, const int64_t* invalid, const DtwResult& result, DtwTrace* traces, void* stream);

// Back through a segment, the last one first: writes paths, and at their starts the normalized distances.
void trace_segment(const DtwPlan& plan, const Slab& segment, const DtwResult& result, DtwTrace* traces, void* stream);

}  // namespace streamhmm::cuda
