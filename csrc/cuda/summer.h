// A way of summing over paths, as the driver (forward_backward.cu) sees it: kernels that run forward over the frames of
// a segment and keep rows of α, and kernels that run back over it with β.
#pragma once

#include "../forward_backward.h"
#include "inspection.h"
#include "path_finder.h"

namespace streamhmm::cuda {

// Where sums go: those of ../forward_backward.h, in the device's memory. Posteriors are double where scores are, else
// float. by_state, by_pdf and counts come zeroed.
struct SumTargets {
  Sums sums;
  bool in_double;
  double* log_likelihood;  // (batch), always there
};

class Summer {
 public:
  virtual ~Summer() = default;
  virtual int64_t rows_bytes(int64_t frames) const = 0;
  virtual int64_t saved_bytes() const = 0;    // of α after a segment, see Segment
  virtual int64_t carried_bytes() const = 0;  // of β before a segment, and of what else lasts for the operation
  virtual int64_t scratch_bytes() const { return 0; }
  virtual void prepare(char* /*carried*/) const {}
  // Segment::pointers are the rows of α.
  virtual void forward(const Segment& segment, const SumTargets& to, char* carried, char* scratch) const = 0;
  virtual void backward(const Segment& segment, const SumTargets& to, char* carried, char* scratch) const = 0;
};

}  // namespace streamhmm::cuda
