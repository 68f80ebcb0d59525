// A way of finding best paths, as the driver (viterbi.cu) sees it: kernels that run forward over frames and keep
// back-pointers, and kernels that walk back along them. Frames come in segments, where memory is short.
#pragma once

#include <cstdint>

#include "inspection.h"

namespace streamhmm::cuda {

// Frames first … last−1. Pointers are not kept where null.
struct Segment {
  int64_t first, last;
  const char* from;  // what was saved after frame first−1
  char* to;          // where to save what follows after frame last−1, or after a sequence's own last frame
  char* pointers;
  char* room = nullptr;  // where pointers stand, and whatever else a segment takes, also where pointers are not kept
};

// Where paths go.
struct Paths {
  int64_t* states;   // (batch, frames), −1 where nothing was found
  int32_t* current;  // (batch) the path's state in frame `first` − 1 of the segment walked last
};

class PathFinder {
 public:
  virtual ~PathFinder() = default;
  virtual int64_t pointers_bytes(int64_t frames) const = 0;  // of a segment's room
  virtual int64_t saved_bytes() const = 0;
  virtual int64_t scratch_bytes() const { return 0; }
  virtual void forward(const Segment& segment, char* scratch) const = 0;
  virtual void back(const Segment& segment, char* scratch, const Paths& paths) const = 0;
};

// Which sequences a finder is to look at.
struct Selection {
  bool plain_linear;  // those with a linear graph without arcs outside the band
  bool others;
  uint32_t flagged;  // only those with this flag, and without the others if it is kFaint; 0: only those without any

  __device__ bool takes(const BatchView& view, const Inspection& inspection, int64_t sequence) const {
    const uint32_t flags = inspection.flags_of(view, sequence);
    if (flagged == 0 || flagged == kFaint ? flags != flagged : (flags & flagged) == 0) return false;
    const GraphRecord record = view.record(sequence);
    return record.family == Family::linear && record.arcs == 0 ? plain_linear : others;
  }
};

}  // namespace streamhmm::cuda
