// OnlineDecoder: the state of one stream: α of the survivors, by tiles, and what is undecided. See ../online_viterbi.h.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "../online_viterbi.h"
#include "isa.h"
#include "kernels.h"
#include "online_arcs.h"
#include "online_offsets.h"
#include "undecided.h"

namespace streamhmm {

template <class Real>
class OnlineDecoder {
 public:
  OnlineDecoder(OnlineArcs<Real> arcs, const OnlineOptions& options) : arcs_(std::move(arcs)), options_(options) {
    make_room();
    initial_.assign(arcs_.states(), 0.0);
    for (int32_t j = 0; j < arcs_.states(); ++j) initial_[j] = arcs_.initial(j);
  }

  // Goes on where another one stands, on its graph or a larger one, in its precision or another.
  template <class Other>
  OnlineDecoder(OnlineArcs<Real> arcs, const OnlineDecoder<Other>& other)
      : arcs_(std::move(arcs)),
        options_(other.options_),
        offsets_(other.offsets_),
        initial_(other.initial_),
        undecided_(other.undecided_) {
    make_room();
    if (!initial_.empty()) initial_.resize(arcs_.states(), -std::numeric_limits<double>::infinity());
    active_ = held_[0] = other.active_;
    for (const int32_t tile : active_) {
      std::copy_n(other.alpha(tile), kTile, alpha(tile));
      std::copy_n(other.ancestor(tile), kTile, ancestor(tile));
    }
  }

  const OnlineArcs<Real>& arcs() const { return arcs_; }
  int64_t frames() const { return undecided_.end(); }

  void keep(const bool* allowed) {
    bool any = false;
    for_each_survivor([&](int32_t j, Real) { any |= allowed[j]; });
    if (any) give_up([&](int32_t j) { return !allowed[j]; });
  }

  void change(const OnlineOptions& options) { options_ = options; }

  void advance(const Real* scores, std::vector<int64_t>& decided) {
    const int64_t t = undecided_.end();
    if (!initial_.empty()) {
      enter(scores);
    } else {
      arcs_.step_to(t);
      if (sizeof(Real) == sizeof(float) && t % kRecentre == 0) recentre();
      step(scores);
    }
    if (undecided_.first() == t) restart_ancestors();
    if (options_.max_lag < 0 && options_.certainty > 1) return;
    if (frames() % kSettleEvery == 0) {
      settle(decided);
      while (is_certain()) settle(decided);
    }
    hold_lag(decided);
  }

  // Decides what all survivors agree on.
  void settle(std::vector<int64_t>& decided) {
    if (undecided_.first() == frames()) return;
    if (active_.empty()) return undecided_.decide_nothing_fits(decided);
    if (!agree()) return;
    survivors_.clear();
    for_each_survivor([&](int32_t state, Real) { survivors_.push_back(state); });
    undecided_.decide_shared(survivors_, ancestors(), decided);
  }

  bool finish(std::vector<int64_t>& decided) {
    const int32_t last = best([&](int32_t state) { return static_cast<double>(arcs_.final(state)); });
    decide_all(last >= 0 ? last : current(), decided);
    return last >= 0;
  }

  void restart(const double* initial, std::vector<int64_t>& decided) {
    decide_all(current(), decided);
    initial_.assign(initial, initial + arcs_.states());
    forget(now_);
    active_.clear();
    offsets_.clear();
  }

  int32_t current() const {
    return best([](int32_t) { return 0.0; });
  }

  std::vector<int64_t> undecided(int64_t state) const {
    std::vector<int64_t> path;
    if (survives(state) && undecided_.first() < frames()) undecided_.trace(static_cast<int32_t>(state), path);
    return path;
  }

  Survivors survivors() const {
    Survivors result;
    for_each_survivor([&](int32_t state, Real alpha) {
      result.states.push_back(state);
      result.scores.push_back(offsets_[state / kTile] + static_cast<double>(alpha));
    });
    const auto top = std::max_element(result.scores.begin(), result.scores.end());
    const double best = top == result.scores.end() ? 0.0 : *top;
    for (double& score : result.scores) score -= best;
    return result;
  }

  template <class Archive>
  void transfer(Archive& archive) {
    offsets_.transfer(archive);
    undecided_.transfer(archive, arcs_.states());
    archive.numbers(initial_);
    if (!initial_.empty()) archive.require(static_cast<int64_t>(initial_.size()) == arcs_.states());
    if (archive.loads()) forget(now_);
    archive.indices(active_, arcs_.tiles());
    held_[now_] = active_;
    for (const int32_t tile : active_) {
      archive.cells(alpha(tile), kTile);
      archive.cells(ancestor(tile), kTile);
    }
  }

 private:
  template <class>
  friend class OnlineDecoder;

  static constexpr Real kNever = -std::numeric_limits<Real>::infinity();
  static constexpr int64_t kBefore = 16;  // cells of −inf before the first state; the kernel reads two

  Real* alpha(int32_t tile) { return alpha_[now_].data() + kBefore + int64_t{tile} * kTile; }
  const Real* alpha(int32_t tile) const { return alpha_[now_].data() + kBefore + int64_t{tile} * kTile; }
  int32_t* ancestors() { return ancestor_[now_].data() + kBefore; }
  int32_t* ancestor(int32_t tile) { return ancestors() + int64_t{tile} * kTile; }
  const int32_t* ancestor(int32_t tile) const { return ancestor_[now_].data() + kBefore + int64_t{tile} * kTile; }

  void make_room() {
    const int64_t cells = kBefore + int64_t{arcs_.tiles()} * kTile;
    for (auto& row : alpha_) row.assign(cells, kNever);
    for (auto& row : ancestor_) row.assign(cells, 0);
    shift_.assign(arcs_.tiles(), Real(0));
    reached_.assign(arcs_.tiles(), false);
    offsets_.make_room(arcs_.tiles());
  }

  void enter(const Real* scores) {
    targets_.clear();
    for (int32_t j = 0; j < arcs_.states(); ++j) {
      const Real value = static_cast<Real>(initial_[j]) + scores[arcs_.pdf(j)];
      if (value == kNever) continue;
      if (targets_.empty() || targets_.back() != j / kTile) targets_.push_back(j / kTile);
      alpha_[now_][kBefore + j] = value;
    }
    initial_.clear();
    for (const int32_t tile : targets_) offsets_.refresh(tile);
    undecided_.append(targets_);
    active_ = held_[now_] = targets_;
    find_tops();
    prune();
  }

  void step(const Real* scores) {
    find_targets();
    TracedFrame& frame = undecided_.append(targets_);
    const int next = 1 - now_;
    OnlineTile<Real> tile;
    tile.alpha = alpha_[now_].data() + kBefore;
    tile.ancestor = ancestors();
    tile.shift = shift_.data();
    tile.scores = scores;
    forget_but(next, targets_);
    tops_.resize(targets_.size());
    for (size_t k = 0; k < targets_.size(); ++k) {
      const int64_t first = kBefore + int64_t{targets_[k]} * kTile;
      for (const int32_t from : active_) shift_[from] = static_cast<Real>(offsets_[from] - offsets_[targets_[k]]);
      arcs_.lend(targets_[k], tile);
      tile.next = alpha_[next].data() + first;
      tile.source = frame.source.data() + k * kTile;
      tile.next_ancestor = ancestor_[next].data() + first;
      tops_[k] = kernels_of<Real>().online_step(tile);
    }
    now_ = next;
    active_ = held_[now_] = targets_;
    prune();
  }

  bool survives(int64_t state) const {
    return state >= 0 && state < arcs_.states() && !is_never(alpha_[now_][kBefore + state]);
  }

  void find_targets() {
    targets_.clear();
    for (const int32_t tile : active_) {
      arcs_.for_each_successor(tile, [&](int32_t to) {
        if (reached_[to]) return;
        reached_[to] = true;
        targets_.push_back(to);
      });
    }
    if (!std::is_sorted(targets_.begin(), targets_.end())) std::sort(targets_.begin(), targets_.end());
    for (const int32_t tile : targets_) {
      reached_[tile] = false;
      offsets_.refresh(tile);
    }
  }

  void find_tops() {
    tops_.resize(active_.size());
    for (size_t k = 0; k < active_.size(); ++k) tops_[k] = largest(alpha(active_[k]), kTile);
  }

  // Leaves the survivors, and the tiles that have any, active; tops_ has their largest α.
  void prune() {
    double best = -std::numeric_limits<double>::infinity();
    for (size_t k = 0; k < active_.size(); ++k) {
      if (!is_never(tops_[k])) best = std::max(best, offsets_[active_[k]] + static_cast<double>(tops_[k]));
    }
    const double least = best - options_.beam;
    size_t left = 0;
    for (size_t k = 0; k < active_.size(); ++k) {
      const int32_t tile = active_[k];
      if (is_never(tops_[k]) || offsets_[tile] + static_cast<double>(tops_[k]) < least) {
        std::fill_n(alpha(tile), kTile, kNever);
        continue;
      }
      if (options_.beam < std::numeric_limits<double>::infinity()) {
        kernels_of<Real>().online_prune(alpha(tile), static_cast<Real>(least - offsets_[tile]));
      }
      active_[left++] = tile;
    }
    active_.resize(left);
    held_[now_] = active_;
  }

  void recentre() {
    offsets_.begin();
    for (const int32_t tile : active_) {
      Real* row = alpha(tile);
      const Real moved = largest(row, kTile);
      for (int32_t l = 0; l < kTile; ++l) row[l] -= moved;
      offsets_.move(tile, moved);
    }
  }

  void forget(int row) { forget_but(row, {}); }
  void forget_but(int row, const std::vector<int32_t>& kept) {
    for (const int32_t tile : held_[row]) {
      if (!std::binary_search(kept.begin(), kept.end(), tile)) {
        std::fill_n(alpha_[row].data() + kBefore + int64_t{tile} * kTile, kTile, kNever);
      }
    }
    held_[row].clear();
  }

  void restart_ancestors() {
    for (const int32_t tile : active_) {
      for (int32_t l = 0; l < kTile; ++l) ancestor(tile)[l] = tile * kTile + l;
    }
  }

  template <class Visit>
  void for_each_survivor(const Visit& visit) const {
    for (const int32_t tile : active_) {
      const Real* row = alpha(tile);
      for (int32_t l = 0; l < kTile; ++l) {
        if (!is_never(row[l])) visit(tile * kTile + l, row[l]);
      }
    }
  }

  template <class Extra>
  int32_t best(const Extra& extra) const {
    double top = -std::numeric_limits<double>::infinity();
    int32_t state = -1;
    for_each_survivor([&](int32_t j, Real value) {
      const double total = offsets_[j / kTile] + static_cast<double>(value) + extra(j);
      if (total > top) {
        top = total;
        state = j;
      }
    });
    return state;
  }

  void decide_all(int32_t state, std::vector<int64_t>& decided) {
    if (state < 0) return undecided_.decide_nothing_fits(decided);
    undecided_.decide_all(state, decided);
  }

  bool agree() const {
    const int32_t first = ancestor(active_[0])[first_survivor()];
    bool same = true;
    for (const int32_t tile : active_) {
      const Real* row = alpha(tile);
      const int32_t* from = ancestor(tile);
      int32_t others = 0;
      for (int32_t l = 0; l < kTile; ++l) others |= (row[l] > kNever) & (from[l] != first);
      same &= others == 0;
    }
    return same;
  }

  int32_t first_survivor() const {
    const Real* row = alpha(active_[0]);
    return static_cast<int32_t>(std::find_if(row, row + kTile, [](Real value) { return !is_never(value); }) - row);
  }

  void hold_lag(std::vector<int64_t>& decided) {
    if (options_.max_lag < 0) return;
    const auto late = [&] { return frames() - undecided_.first() > options_.max_lag; };
    if (late()) settle(decided);
    while (late()) {
      follow_only(ancestors()[current()]);
      settle(decided);
    }
  }

  // Whether the prefix of the best path is certain; then survivors with another one go.
  bool is_certain() {
    if (options_.certainty > 1 || active_.empty() || undecided_.first() == frames() || agree()) return false;
    const int32_t top = current(), prefix = ancestors()[top];
    const double best = offsets_[top / kTile] + static_cast<double>(alpha_[now_][kBefore + top]);
    double with = 0, without = 0;
    for_each_survivor([&](int32_t j, Real value) {
      const double weight = std::exp(offsets_[j / kTile] + static_cast<double>(value) - best);
      (ancestors()[j] == prefix ? with : without) += weight;
    });
    if (with < options_.certainty * (with + without)) return false;
    follow_only(prefix);
    return true;
  }

  void follow_only(int32_t prefix) {
    const int32_t* ancestor = ancestors();
    give_up([&](int32_t j) { return ancestor[j] != prefix; });
  }

  template <class Unwanted>
  void give_up(const Unwanted& unwanted) {
    for (const int32_t tile : active_) {
      Real* row = alpha(tile);
      for (int32_t l = 0; l < kTile; ++l) {
        if (!is_never(row[l]) && unwanted(tile * kTile + l)) row[l] = kNever;
      }
    }
    find_tops();
    prune();
  }

  OnlineArcs<Real> arcs_;
  OnlineOptions options_;
  OnlineOffsets offsets_;
  std::vector<double> initial_;  // of the next frame, where none before it leads to it
  std::vector<Real> alpha_[2];   // of this frame and scratch for the next; −inf but in the tiles held
  std::vector<int32_t> ancestor_[2];
  std::vector<int32_t> held_[2];
  int now_ = 0;
  std::vector<int32_t> active_;  // tiles with survivors, ascending
  std::vector<int32_t> targets_;
  std::vector<Real> shift_;  // to the tile at hand, of the active ones
  std::vector<char> reached_;
  std::vector<Real> tops_;
  std::vector<int32_t> survivors_;
  Undecided undecided_;
};

}  // namespace streamhmm
