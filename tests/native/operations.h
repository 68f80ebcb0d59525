// The operations that can be replayed. A new one is a line in the table of operations.cpp.
#pragma once

#include "calls.h"

namespace streamhmm {
namespace replay {

struct Operation {
  const char* name;      // in streamhmm._C
  double single, other;  // how far results of float32 and of other calls may lie from those recorded
  // Returns whether the scores were valid; may throw.
  bool (*run)(const Arguments&);
};

// Throws std::runtime_error for a name that is not in the table.
const Operation& operation_named(const std::string& name);

}  // namespace replay
}  // namespace streamhmm
