// What a card can do at best: loops that touch no memory, for the bench to hold the kernels against.
#pragma once

#include <cstdint>

namespace streamhmm::cuda {

// add_max, multiply_add: what one cell of Viterbi and one of the sums computes, in every thread that fits.
// lane_chain, block_chain: frames of a left-to-right recursion, a state a thread, of which none can begin before the
// one before it has ended; the states stand in one warp, or in the warps of a block, which a barrier holds together.
enum class Loop : int32_t { add_max, multiply_add, lane_chain, block_chain };

// Runs `steps` steps. Returns the cells computed, or of a chain its frames. With a workspace of null: the bytes that it
// needs. There it leaves a double for each thread, what the thread has computed.
int64_t run_loop(Loop loop, bool is_double, int64_t steps, int device, void* stream, void* workspace);

}  // namespace streamhmm::cuda
