// OnlineArcs: a graph as OnlineViterbi takes it: per tile of states the arcs that lead into it, those from the state
// itself and the two before it as rows, the others listed. Keeps nothing of what it was made from.
#pragma once

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <vector>

#include "../graph.h"
#include "arc_list.h"
#include "online_tile.h"
#include "tile_offsets.h"

namespace streamhmm {

template <class Real>
class OnlineArcs {
 public:
  OnlineArcs(const GraphRecord& record, const Real* weights) : states_(record.states) {
    pdf_.assign(cells(), record.body[0]);
    std::copy_n(record.body, states_, pdf_.begin());
    columns_ = pdf_;
    std::sort(columns_.begin(), columns_.end());
    columns_.erase(std::unique(columns_.begin(), columns_.end()), columns_.end());
    if (record.family == Family::dense) {
      keep(dense_graph(record, weights));
    } else if (record.family == Family::linear) {
      keep(arc_list(linear_graph(record, weights)));
    } else {
      keep(arc_list(sparse_graph(record, weights)));
    }
  }

  // The same in another precision.
  template <class Other>
  explicit OnlineArcs(const OnlineArcs<Other>& other)
      : states_(other.states_),
        pdf_(other.pdf_),
        columns_(other.columns_),
        initial_(other.initial_.begin(), other.initial_.end()),
        final_(other.final_.begin(), other.final_.end()),
        listed_begin_(other.listed_begin_),
        successor_begin_(other.successor_begin_),
        successor_(other.successor_),
        transitions_(other.transitions_.begin(), other.transitions_.end()),
        slices_(other.slices_) {
    for (int i = 0; i < 3; ++i) band_[i].assign(other.band_[i].begin(), other.band_[i].end());
    for (const auto& arc : other.listed_) listed_.push_back({arc.source, arc.target, static_cast<Real>(arc.weight)});
  }

  int32_t states() const { return states_; }
  int32_t tiles() const { return tile_count(states_); }
  const std::vector<int32_t>& columns() const { return columns_; }  // that the graph reads, ascending
  int32_t pdf(int32_t state) const { return pdf_[state]; }
  Real initial(int32_t state) const { return initial_[state]; }
  Real final(int32_t state) const { return final_[state]; }

  // Fills in what of a tile's step is the graph's own.
  void lend(int32_t tile, OnlineTile<Real>& step) const {
    const int64_t first = int64_t{tile} * kTile;
    step.first = static_cast<int32_t>(first);
    step.stay = band_[0].data() + first;
    step.advance = band_[1].data() + first;
    step.skip = band_[2].data() + first;
    step.listed = listed_.data() + listed_begin_[tile];
    step.listed_end = listed_.data() + listed_begin_[tile + 1];
    step.pdf = pdf_.data() + first;
  }

  // Calls visit for each tile that arcs from a tile lead to.
  template <class Visit>
  void for_each_successor(int32_t tile, const Visit& visit) const {
    for (int32_t k = successor_begin_[tile]; k < successor_begin_[tile + 1]; ++k) visit(successor_[k]);
  }

  // Transitions that vary with time become those of the step to frame t.
  void step_to(int64_t t) {
    if (slices_ == 0) return;
    if (t >= slices_) throw std::invalid_argument("the graph has transitions for fewer frames");
    take(arc_list(dense(t)));
  }

 private:
  template <class>
  friend class OnlineArcs;

  static constexpr Real kNever = -std::numeric_limits<Real>::infinity();

  int64_t cells() const { return int64_t{tiles()} * kTile; }

  void keep(const DenseGraph<Real>& graph) {
    initial_.assign(graph.initial, graph.initial + states_);
    final_.assign(graph.final, graph.final + states_);
    slices_ = graph.slices;
    transitions_.assign(graph.transitions, graph.transitions + std::max(slices_, 1) * int64_t{states_} * states_);
    take(arc_list(dense(0)));
    if (slices_ == 0) transitions_ = {};
  }

  DenseGraph<Real> dense(int64_t t) const {
    const Real* matrix = transitions_.data() + t * int64_t{states_} * states_;
    return {states_, 0, pdf_.data(), matrix, initial_.data(), final_.data()};
  }

  void keep(const ArcList<Real>& list) {
    initial_.assign(list.initial, list.initial + states_);
    final_.assign(list.final, list.final + states_);
    take(list);
  }

  void take(const ArcList<Real>& list) {
    for (auto& row : band_) row.assign(cells(), kNever);
    listed_.clear();
    for (int64_t k = 0; k < list.count; ++k) add(list.arcs[k]);
    std::sort(listed_.begin(), listed_.end(), [](const ListedArc<Real>& a, const ListedArc<Real>& b) {
      return a.target != b.target ? a.target < b.target : a.source < b.source;
    });
    listed_begin_.assign(tiles() + 1, 0);
    for (const auto& arc : listed_) ++listed_begin_[arc.target / kTile + 1];
    for (int32_t k = 0; k < tiles(); ++k) listed_begin_[k + 1] += listed_begin_[k];
    find_successors();
  }

  void add(const Arc& arc) {
    const Real weight = static_cast<Real>(arc.weight);
    if (weight == kNever) return;
    const int32_t steps = arc.target - arc.source;
    if (steps < 0 || steps > 2) return listed_.push_back({arc.source, arc.target, weight});
    band_[steps][arc.target] = std::max(band_[steps][arc.target], weight);
  }

  void find_successors() {
    std::vector<std::pair<int32_t, int32_t>> pairs;
    for (int32_t k = 0; k < tiles(); ++k) {
      pairs.emplace_back(k, k);
      const int64_t border = int64_t{k + 1} * kTile;
      if (border >= states_) continue;
      const bool crossed = band_[1][border] != kNever || band_[2][border] != kNever ||
                           (border + 1 < states_ && band_[2][border + 1] != kNever);
      if (crossed) pairs.emplace_back(k, k + 1);
    }
    for (const auto& arc : listed_) pairs.emplace_back(arc.source / kTile, arc.target / kTile);
    std::sort(pairs.begin(), pairs.end());
    pairs.erase(std::unique(pairs.begin(), pairs.end()), pairs.end());
    successor_begin_.assign(tiles() + 1, 0);
    successor_.clear();
    for (const auto& [from, to] : pairs) {
      ++successor_begin_[from + 1];
      successor_.push_back(to);
    }
    for (int32_t k = 0; k < tiles(); ++k) successor_begin_[k + 1] += successor_begin_[k];
  }

  int32_t states_;
  std::vector<int32_t> pdf_;  // padded to whole tiles, like the band
  std::vector<int32_t> columns_;
  std::vector<Real> initial_, final_;
  std::vector<Real> band_[3];
  std::vector<ListedArc<Real>> listed_;
  std::vector<int32_t> listed_begin_;     // by target tile
  std::vector<int32_t> successor_begin_;  // by tile
  std::vector<int32_t> successor_;
  std::vector<Real> transitions_;  // where they vary with time
  int32_t slices_ = 0;
};

}  // namespace streamhmm
