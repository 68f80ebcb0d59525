// Sums over paths for graphs of any family: a block a sequence, going from arc to arc. What the kernels for special
// graphs have to agree with.
#pragma once

#include <memory>

#include "../filter.h"
#include "../sample.h"
#include "outgoing.h"
#include "summer.h"

namespace streamhmm::cuda {

enum class SumNumbers { scaled_float, scaled_double, logarithms };

// What only these know.
class AnySums : public Summer {
 public:
  // The windows of a segment's frames, of whose α the rows are kept.
  virtual void smooth(const Segment& segment, const Window& window, const SumTargets& to, char* carried,
                      char* scratch) const = 0;
  // The segment's states, those behind it having been drawn; `current` (batch, samples).
  virtual void draw(const Segment& segment, const Samples& samples, int32_t* current, char* carried) const = 0;
};

std::unique_ptr<AnySums> any_summer(const DeviceBatch& batch, const GraphSizes& sizes, const Inspection& inspection,
                                    const OutgoingIndex& outgoing, const Selection& selection, SumNumbers numbers);

}  // namespace streamhmm::cuda
