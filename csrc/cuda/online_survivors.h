// The survivors of a stream in a block of threads: a frame's step, and who is given up. Each warp has every so many-th
// tile of states, so that what a tile's states have in common needs no barrier.
#pragma once

#include "arcs.h"
#include "block.h"
#include "online.h"
#include "tile_offsets.h"
#include "winners.h"

namespace streamhmm::cuda {

// α and ancestors of two frames, and what belongs to tiles.
template <class Real>
struct OnlineRoom {
  Real* now;
  Real* next;
  int32_t* ancestor;
  int32_t* next_ancestor;  // between frames: scratch
  double* offset;
  Best<double>* top;  // of each tile
  Real* moved;
  double* sums;

  __host__ __device__ OnlineRoom(char* memory, int64_t states) {
    const int32_t tiles = tile_count(static_cast<int32_t>(states));
    Parts parts(memory);
    now = parts.take<Real>(states);
    next = parts.take<Real>(states);
    ancestor = parts.take<int32_t>(states);
    next_ancestor = parts.take<int32_t>(states);
    offset = parts.take<double>(tiles);
    top = parts.take<Best<double>>(tiles);
    moved = parts.take<Real>(tiles);
    sums = parts.take<double>(kWarp);
    bytes = parts.used();
  }
  int64_t bytes;
};

// visit(state, tile) for the states of the thread's own.
template <class Visit>
__device__ void for_each_own(int32_t states, const Visit& visit) {
  for (int32_t tile = warp_of_thread(); tile * kTile < states; tile += warps_in_block()) {
    const int32_t end = (tile + 1) * kTile < states ? (tile + 1) * kTile : states;
    for (int32_t j = tile * kTile + lane_of_thread(); j < end; j += kWarp) visit(j, tile);
  }
}

template <class Real>
class OnlineSurvivors {
 public:
  __device__ OnlineSurvivors(const ArcsView& arcs, const OnlineRoom<Real>& room) : arcs_(arcs), room_(room) {}

  __device__ int32_t states() const { return arcs_.states(); }
  __device__ bool lives(int32_t j) const { return !is_never(room_.now[j]); }
  __device__ int32_t ancestor(int32_t j) const { return room_.ancestor[j]; }
  __device__ void set_ancestor(int32_t j, int32_t state) const { room_.ancestor[j] = state; }
  __device__ int32_t* scratch() const { return room_.next_ancestor; }  // (states)

  // Ends with a barrier.
  __device__ void load(const OnlineState& state, const OnlinePlace& place) {
    for_each_own(states(), [&](int32_t j, int32_t) {
      room_.now[j] = static_cast<Real>(state.alpha[place.state + j]);
      room_.ancestor[j] = state.ancestor[place.state + j];
    });
    for_each_tile([&](int32_t k) { room_.offset[k] = state.offset[place.tile + k]; });
    __syncthreads();
  }

  __device__ void save(const OnlineState& state, const OnlinePlace& place) const {
    for_each_own(states(), [&](int32_t j, int32_t) {
      state.alpha[place.state + j] = static_cast<double>(room_.now[j]);
      state.ancestor[place.state + j] = room_.ancestor[j];
    });
    for_each_tile([&](int32_t k) { state.offset[place.tile + k] = room_.offset[k]; });
  }

  // α = initial + score, where α is now initial. Ends with a barrier, like all that follow.
  template <class Score>
  __device__ void enter(const Score& score) {
    for_each_own(states(), [&](int32_t j, int32_t) {
      room_.now[j] += score(arcs_.pdf(j));
      room_.ancestor[j] = j;
    });
    __syncthreads();
  }

  //   α_t[j] = max_i ((α_{t−1}[i] + shift(tile i → tile j)) + w_ij) + scores[t, pdf[j]]      a_t[j] = a_{t−1}[i], or j
  // Calls note(j, i). `afresh`: ancestors begin with this frame.
  template <class Score, class Note>
  __device__ void step(int64_t t, bool afresh, const Score& score, const Note& note) {
    if (sizeof(Real) == sizeof(float) && t % kRecentre == 0) {
      recentre(room_.now, states(), static_cast<double>(__builtin_inf()), room_.offset, room_.moved);
    }
    for_each_own(states(), [&](int32_t j, int32_t tile) {
      int32_t winner = 0;
      const Real best = best_into(j, tile, t, winner);
      room_.next[j] = best + score(arcs_.pdf(j));
      room_.next_ancestor[j] = afresh ? j : room_.ancestor[winner];
      note(j, winner);
    });
    __syncthreads();
    Real* alpha = room_.now;
    room_.now = room_.next;
    room_.next = alpha;
    int32_t* ancestor = room_.ancestor;
    room_.ancestor = room_.next_ancestor;
    room_.next_ancestor = ancestor;
  }

  // The best survivor with its α, offset and all; of equals the lowest state.
  __device__ Best<double> best() const {
    for (int32_t tile = warp_of_thread(); tile * kTile < states(); tile += warps_in_block()) {
      Best<double> top{never<double>(), -1};
      for (int32_t j = tile * kTile + lane_of_thread(); j < states() && j < (tile + 1) * kTile; j += kWarp) {
        if (lives(j)) top.consider({total(j, tile), j});
      }
      top = warp_best(top);
      if (lane_of_thread() == 0) room_.top[tile] = top;
    }
    __syncthreads();
    Best<double> best{never<double>(), -1};
    for (int32_t k = lane_of_thread(); k * kTile < states(); k += kWarp) best.consider(room_.top[k]);
    best = warp_best(best);
    __syncthreads();
    return best;
  }

  // Gives up what lies below `least`, right after best(). A tile whose best state does not is compared in Real, as the
  // CPU does.
  __device__ void prune(double least) const {
    for_each_own(states(), [&](int32_t j, int32_t tile) {
      const bool whole_tile = room_.top[tile].index < 0 || room_.top[tile].value < least;
      if (whole_tile || room_.now[j] < static_cast<Real>(least - room_.offset[tile])) room_.now[j] = never<Real>();
    });
    __syncthreads();
  }

  // Gives up the survivors that do not come from the state `prefix` in the first undecided frame.
  __device__ void follow_only(int32_t prefix) const {
    for_each_own(states(), [&](int32_t j, int32_t) {
      if (room_.ancestor[j] != prefix) room_.now[j] = never<Real>();
    });
    __syncthreads();
  }

  // Whether Σ_{j: a[j] = prefix} exp α[j] ≥ certainty · Σ_j exp α[j].
  __device__ bool is_certain(int32_t prefix, double certainty, double best) const {
    double with = 0, without = 0;
    for_each_own(states(), [&](int32_t j, int32_t tile) {
      if (lives(j)) (room_.ancestor[j] == prefix ? with : without) += exp(total(j, tile) - best);
    });
    with = block_sum(with, room_.sums);
    without = block_sum(without, room_.sums);
    return !(with < certainty * (with + without));
  }

 private:
  template <class Use>
  __device__ void for_each_tile(const Use& use) const {
    const int32_t tiles = tile_count(states());
    for (auto k = static_cast<int32_t>(threadIdx.x); k < tiles; k += static_cast<int32_t>(blockDim.x)) use(k);
  }

  __device__ double total(int32_t j, int32_t tile) const {
    return room_.offset[tile] + static_cast<double>(room_.now[j]);
  }

  __device__ Real best_into(int32_t j, int32_t tile, int64_t t, int32_t& winner) const {
    Real best = never<Real>();
    arcs_.into(j, t, [&](int32_t source, int64_t place) {
      const int32_t from = source / kTile;
      const Real shift = from == tile ? Real(0) : static_cast<Real>(room_.offset[from] - room_.offset[tile]);
      const Real candidate = room_.now[source] + shift + arcs_.weight<Real>(place);
      if (candidate > best) {
        best = candidate;
        winner = source;
      }
    });
    return best;
  }

  const ArcsView& arcs_;
  OnlineRoom<Real> room_;
};

}  // namespace streamhmm::cuda
