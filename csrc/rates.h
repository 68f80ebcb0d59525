// What a core can do at best: loops that stay in registers, for the bench to hold the kernels against.
#pragma once

#include <cstdint>

namespace streamhmm {

// One cell of Viterbi is an addition and a maximum, one of the sums a multiplication and an addition.
enum class Arithmetic { kAddMax, kMultiplyAdd };

// Runs `steps` steps on the calling thread, with the instruction set chosen; returns the cells computed.
int64_t run_arithmetic(Arithmetic arithmetic, bool is_double, int64_t steps);

}  // namespace streamhmm
