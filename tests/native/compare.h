// Makes recorded calls again and compares what they leave behind.
#pragma once

#include "calls.h"

namespace streamhmm {
namespace replay {

// Whether a call gives what was recorded, or fails as it failed then; prints what is wrong. `threads` replaces the
// number recorded, unless 0.
bool passes(const Call& call, int64_t threads, const std::string& isa);

// The same for all calls, one after the other.
bool all_pass(const std::vector<Call>& calls, int64_t threads, const std::string& isa);

}  // namespace replay
}  // namespace streamhmm
