// Viterbi decoding of a stream: the recursion of viterbi.h, frame by frame, with what is decided given out as it comes.
//
//   live_t      = { j : α_t[j] > −inf }                                the survivors
//   a_t[j]      = the state at frame c, the first undecided one, of the best path into j
//   decided     frames c … f, f the latest in which the best paths of all survivors pass one state (coalescence)
//
// Three options make survivors agree sooner; what they lose, the best path of all may lose.
//   beam        after every frame: α_t[j] < max_i α_t[i] − beam becomes −inf. Only tiles with survivors, and those that
//               arcs lead to from them, are looked at: the work follows the survivors, not the graph.
//   certainty   after every kSettleEvery-th frame: where Σ_{j: a_t[j] = a} exp α_t[j] / Σ_j exp α_t[j] ≥ certainty for
//               the ancestor a of the best survivor, those with another one become −inf; so on with the next c.
//   max_lag     after frame t: frame t − max_lag is decided; survivors that contradict the best one there become −inf.
// All of it goes by the absolute frame, so how a stream is cut into chunks changes nothing. With no option the decided
// states together are those of viterbi.h: the arithmetic is the same, offsets and their schedule included. Single
// precision goes on in double from the first chunk that has scores too large for it. Where no path is left, what is not
// decided and all that comes is −1.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "params.h"

namespace streamhmm {

constexpr int64_t kSettleEvery = 4;

struct OnlineOptions {
  double beam;       // nats; +inf: none
  int64_t max_lag;   // frames; −1: none
  double certainty;  // above 1: none
};

struct PackedGraph {
  const int32_t* structure;  // of one graph, see graph.h
  int64_t structure_size;
  const void* weights;
  int64_t weights_size;
  bool is_double;
};

struct Survivors {
  std::vector<int64_t> states;  // ascending
  std::vector<double> scores;   // α less the largest
};

class OnlineViterbi {
 public:
  virtual ~OnlineViterbi() = default;

  // The next frames, of the graph's type; appends to `decided`. Returns the chunk's first frame with NaN or +inf, after
  // which nothing has changed, or −1.
  virtual int64_t push(const void* scores, int64_t frames, int64_t columns, int64_t stride,
                       std::vector<int64_t>& decided) = 0;

  // Decides the rest: on the way to the best final state, or, where none is reached (returns false), to the best state.
  virtual bool finish(std::vector<int64_t>& decided) = 0;

  // Decides the rest likewise, to the best state. The next frame's α are initial + score.
  virtual void restart(const double* initial, std::vector<int64_t>& decided) = 0;

  // A graph whose first states and the arcs between them are those of the present one.
  virtual void extend(const PackedGraph& graph) = 0;

  virtual int64_t current() const = 0;  // the best survivor; −1: none
  // The best path to a survivor, in the undecided frames.
  virtual std::vector<int64_t> undecided(int64_t state) const = 0;
  virtual Survivors survivors() const = 0;
  virtual int64_t frames() const = 0;  // pushed so far

  // Gives up the survivors that are not among the allowed states, if any are.
  virtual void keep(const bool* allowed) = 0;

  // Other options from the next frame on.
  virtual void change(const OnlineOptions& options) = 0;

  virtual std::string save() const = 0;
  virtual void restore(const std::string& state) = 0;  // throws std::invalid_argument where it is of another graph
};

// Throws std::invalid_argument where the graph is damaged.
std::unique_ptr<OnlineViterbi> make_online_viterbi(const PackedGraph& graph, const OnlineOptions& options);

}  // namespace streamhmm
