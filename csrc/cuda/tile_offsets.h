// Double offsets for single-precision α, and the beam, by a block: the rules are in ../viterbi.h.
#pragma once

#include "../viterbi.h"
#include "block.h"
#include "numbers.h"

namespace streamhmm::cuda {

__host__ __device__ inline int32_t tile_count(int32_t states) { return (states + kTile - 1) / kTile; }

// Whether anything happens before the frames that are multiples of kRecentre: α in double keep offsets of 0.
template <class Real>
__device__ bool has_recentring(double beam) {
  return sizeof(Real) == sizeof(float) || beam < static_cast<double>(__builtin_inf());
}

// What an arc from tile `source` to tile `target` adds to α.
template <class Real>
__device__ Real shift_between(const double* offset, int32_t source, int32_t target) {
  return sizeof(Real) == sizeof(double) ? Real(0) : static_cast<Real>(offset[source] - offset[target]);
}

// moved[k] becomes what is to move out of tile k: −inf where nothing is, or nothing within the beam. By one thread.
template <class Real>
__device__ void choose_moves(const double* offset, int32_t tiles, double beam, Real* moved) {
  if (beam < static_cast<double>(__builtin_inf())) {
    double best = never<double>();
    for (int32_t k = 0; k < tiles; ++k) best = fmax(best, offset[k] + static_cast<double>(moved[k]));
    for (int32_t k = 0; k < tiles; ++k) {
      if (best - (offset[k] + static_cast<double>(moved[k])) > beam) moved[k] = never<Real>();
    }
  }
  if constexpr (sizeof(Real) == sizeof(double)) {
    for (int32_t k = 0; k < tiles; ++k) moved[k] = is_never(moved[k]) ? moved[k] : Real(0);
  }
}

// Adds to the offsets what has moved, and gives the empty tiles theirs. By one thread.
template <class Real>
__device__ void move_offsets(const Real* moved, int32_t tiles, double* offset) {
  int32_t first = 0;
  while (first < tiles && is_never(moved[first])) ++first;
  if (first == tiles) return;
  double below = offset[first] + static_cast<double>(moved[first]);
  for (int32_t k = 0; k < tiles; ++k) {
    if (!is_never(moved[k])) below = offset[k] + static_cast<double>(moved[k]);
    offset[k] = below;
  }
}

// Moves each tile's largest α into its offset and applies the beam; `moved` (tiles) is scratch. Begins and ends with a
// barrier.
template <class Real>
__device__ void recentre(Real* alpha, int32_t states, double beam, double* offset, Real* moved) {
  const int32_t tiles = tile_count(states);
  __syncthreads();
  for (int32_t k = warp_of_thread(); k < tiles; k += warps_in_block()) {
    Real most = never<Real>();
    for (int32_t j = k * kTile + lane_of_thread(); j < states && j < (k + 1) * kTile; j += kWarp) {
      most = alpha[j] > most ? alpha[j] : most;
    }
    most = warp_max(most);
    if (lane_of_thread() == 0) moved[k] = most;
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    choose_moves(offset, tiles, beam, moved);
    move_offsets(moved, tiles, offset);
  }
  __syncthreads();
  for (int32_t j = static_cast<int32_t>(threadIdx.x); j < states; j += static_cast<int32_t>(blockDim.x)) {
    const Real move = moved[j / kTile];
    alpha[j] = is_never(move) ? move : alpha[j] - move;
  }
  __syncthreads();
}

}  // namespace streamhmm::cuda
