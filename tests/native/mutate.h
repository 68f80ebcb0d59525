// Recorded calls with their numbers changed at random: what the core may get from a caller who packs graphs by hand.
#pragma once

#include <random>

#include "calls.h"

namespace streamhmm {
namespace replay {

using Random = std::mt19937_64;

// Changes what the core promises to check: the structure, lengths, weights and scores. Buffers stay as large as the
// call's sizes say.
Call mutated(const Call& call, Random& random);

// Makes `count` such calls; any exception and any result will do. Returns how many were accepted.
int64_t run_mutations(const std::vector<Call>& calls, int64_t count, uint64_t seed);

}  // namespace replay
}  // namespace streamhmm
