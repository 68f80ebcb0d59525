// Runs independent jobs on the calling thread and a few helpers that are started on first use. A job that finds the
// pool taken (another Python thread is inside) runs on its caller alone, so threads never multiply. After fork the
// child starts with a fresh pool. An exception from a job reaches the caller.
#pragma once

#include <cstdint>
#include <functional>

namespace streamhmm {

void parallel_for(int64_t count, int threads, const std::function<void(int64_t)>& job);

}  // namespace streamhmm
