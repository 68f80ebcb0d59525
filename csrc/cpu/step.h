// One step back along a best path.
#pragma once

#include <cstdint>

namespace streamhmm {

struct Step {
  int32_t source;
  double weight;
};

}  // namespace streamhmm
