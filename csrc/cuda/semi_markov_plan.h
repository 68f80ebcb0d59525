// What the semi-Markov kernels know beside the batch, and where a sequence's working state stands.
#pragma once

#include <cstdint>

#include "../semi_markov.h"
#include "inspection.h"

namespace streamhmm::cuda {

// A block of threads a sequence: `parts` times `width` threads, of which those of a part stand side by side over the
// states, and the parts share a state's durations.
struct SegmentPlan {
  Inspection inspection;
  const double* durations;  // (longest, states), row d−1
  int32_t longest;          // frames of a segment at most; never more than the batch has
  int32_t states;
  int32_t width;
  int32_t parts;
  int64_t rows_bytes;                   // of SegmentRows, which the X follow, row u mod longest for border u
  bool rows_in_shared, ring_in_shared;  // what is not stands in `scratch`
  char* scratch;
  int64_t scratch_stride;

  unsigned threads() const { return static_cast<unsigned>(width * parts); }
  __device__ bool takes(const BatchView& view, int64_t sequence) const {
    return (inspection.flags_of(view, sequence) & kInvalid) == 0 && view.length(sequence) > 0;
  }
};

// Rows of numbers, one for each state.
struct SegmentRows {
  double* total;    // P_t
  double* ended;    // at this border
  double* opened;   // at this border
  double* late;     // (kBlock, states) the scores of the block's frames that P does not hold, else 0
  double* partial;  // (parts, 2, states) what each part has found
  double* occupancy;
  int64_t bytes;

  __host__ __device__ SegmentRows(char* place, int64_t states, int64_t parts) {
    Parts memory(place);
    total = memory.take<double>(states);
    ended = memory.take<double>(states);
    opened = memory.take<double>(states);
    late = memory.take<double>(kBlock * states);
    partial = memory.take<double>(parts * 2 * states);
    occupancy = memory.take<double>(states);
    bytes = memory.used();
  }
};

// What is kept of a sequence between two launches, at a border that begins a block: P_t, then X of the last `longest`
// borders, border u in row u mod longest.
struct SavedSegments {
  double* total;
  double* ring;
  int64_t bytes;

  __host__ __device__ SavedSegments(char* memory, int64_t states, int64_t longest) {
    Parts parts(memory);
    total = parts.take<double>(states);
    ring = parts.take<double>(longest * states);
    bytes = parts.used();
  }
};

// Checks that the graphs go with the durations: std::invalid_argument.
SegmentPlan take_segment_plan(Parts& workspace, const DeviceBatch& batch, const Durations& durations,
                              size_t more_shared_bytes);

// Bytes of shared memory of a launch with this plan.
size_t shared_bytes(const SegmentPlan& plan, size_t more_shared_bytes);

// Looks at graphs and weights, and lays the durations out as the kernels read them.
void prepare_segments(const DeviceBatch& batch, const Durations& durations, const SegmentPlan& plan);

}  // namespace streamhmm::cuda
