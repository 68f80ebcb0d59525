// Calls from several threads at once, and from children forked meanwhile.
#pragma once

#include "calls.h"

namespace streamhmm {
namespace replay {

bool pass_from_threads(const std::vector<Call>& calls, const std::string& isa);

}  // namespace replay
}  // namespace streamhmm
