// Streams through random graphs, under sanitizers: OnlineViterbi keeps state, so its calls are not recorded one by one.
#pragma once

#include <cstdint>

namespace streamhmm {
namespace replay {

// `count` streams, each decoded twice in different chunks, the second one saved and restored on the way. Throws where
// the two differ.
void run_streams(int64_t count, uint64_t seed);

}  // namespace replay
}  // namespace streamhmm
