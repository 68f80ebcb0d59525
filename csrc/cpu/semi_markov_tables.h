// Durations and arcs in the layout that the semi-Markov kernels read; made once, shared by the threads.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "../semi_markov.h"
#include "arc_list.h"
#include "buffer.h"
#include "isa.h"
#include "step.h"

namespace streamhmm {

constexpr double kImpossible = -std::numeric_limits<double>::infinity();

inline int32_t octets(int64_t states) { return static_cast<int32_t>((states + kOctet - 1) / kOctet); }

class DurationTable {
 public:
  DurationTable(const Durations& given, int64_t longest, bool sums)
      : groups_(octets(given.states)),
        longest_(std::min(given.longest, longest)),
        weights_(groups_ * group_size(), kImpossible),
        odds_(sums ? weights_.size() : 0),
        best_(groups_ * kOctet, 0.0) {
    if (given.longest < 1) throw std::invalid_argument("durations must be (S, D) with D at least 1");
    for (int64_t j = 0; j < given.states; ++j) {
      const double* row = given.weights + j * given.longest;
      double* out = weights_.data() + place(j, 1);
      for (int64_t d = 0; d < longest_; ++d) out[d * kOctet] = row[d];
      const double best = *std::max_element(row, row + longest_);
      if (best > kImpossible) best_[j] = best;
    }
    for (int32_t g = 0; sums && g < groups_; ++g) {
      kernels().segment_counting.exponentials(weights_.data() + g * group_size(), best_.data() + g * kOctet,
                                              group_size(), odds_.data() + g * group_size());
    }
  }

  int64_t place(int64_t state, int64_t duration) const {
    return (state / kOctet) * group_size() + (duration - 1) * kOctet + state % kOctet;
  }
  int64_t longest() const { return longest_; }
  int64_t size() const { return weights_.size(); }

  void describe(SemiMarkov& m) const {
    m.groups = groups_;
    m.longest = longest_;
    m.durations = weights_.data();
    m.odds = odds_.data();
    m.best = best_.data();
  }

 private:
  int64_t group_size() const { return (longest_ + kBlock) * kOctet; }

  int32_t groups_;
  int64_t longest_;
  Buffer<double> weights_, odds_, best_;
};

// The arcs of a graph, or of the graph with its arcs turned round and its ends exchanged.
class ArcTable {
 public:
  template <class Real>
  ArcTable(const ArcList<Real>& graph, bool reversed, bool sums)
      : states_(graph.states),
        padded_(octets(graph.states) * kOctet),
        count_(graph.count),
        arcs_(graph.count),
        begin_(graph.states + 1, 0),
        source_(graph.count),
        weight_(graph.count),
        odds_(sums ? graph.count : 0),
        best_(padded_, 0.0),
        initial_(padded_, kImpossible),
        final_(padded_, kImpossible) {
    std::copy_n(reversed ? graph.final : graph.initial, states_, initial_.data());
    std::copy_n(reversed ? graph.initial : graph.final, states_, final_.data());
    std::copy_n(graph.arcs.data(), count_, arcs_.data());
    for (int64_t k = 0; reversed && k < count_; ++k) std::swap(arcs_[k].source, arcs_[k].target);
    std::stable_sort(arcs_.data(), arcs_.data() + count_, [](const Arc& a, const Arc& b) {
      return a.target != b.target ? a.target < b.target : a.source < b.source;
    });
    fill_list(sums);
    if (states_ <= kSmallMatrix || count_ * kSparsity >= static_cast<int64_t>(states_) * states_) fill_matrix(sums);
  }

  void describe(SemiMarkov& m) const {
    m.states = states_;
    m.initial = initial_.data();
    m.arcs = {matrix_.data(), matrix_odds_.data(), begin_.data(), source_.data(),
              weight_.data(), odds_.data(),        best_.data()};
  }

  // The lowest of the states from which j is entered best, and the arc's weight; source −1 if there is none.
  Step best_into(int32_t j, const double* ended) const {
    Step step{-1, kImpossible};
    double best = kImpossible;
    for (int32_t k = begin_[j]; k < begin_[j + 1]; ++k) {
      const double total = ended[source_[k]] + weight_[k];
      if (total > best) {
        best = total;
        step = {source_[k], weight_[k]};
      }
    }
    return step;
  }

  bool is_matrix() const { return matrix_.size() > 0; }
  int64_t matrix_size() const { return matrix_.size(); }
  int64_t count() const { return count_; }
  const Arc& arc(int64_t k) const { return arcs_[k]; }
  double initial(int32_t j) const { return initial_[j]; }
  double final(int32_t j) const { return final_[j]; }

  // An arc's part of what passes between its ends, which parallel arcs share.
  double share(const Arc& arc) const { return std::exp(arc.weight - matrix_[matrix_place(arc)]); }
  int64_t matrix_place(const Arc& arc) const { return arc.source * padded_ + arc.target; }

 private:
  static constexpr int32_t kSmallMatrix = 32, kSparsity = 8;

  void fill_list(bool sums) {
    Buffer<double> top(padded_, kImpossible);
    for (int64_t k = 0; k < count_; ++k) {
      ++begin_[arcs_[k].target + 1];
      source_[k] = arcs_[k].source;
      weight_[k] = arcs_[k].weight;
      top[arcs_[k].target] = std::max(top[arcs_[k].target], weight_[k]);
    }
    for (int32_t j = 0; j < states_; ++j) {
      begin_[j + 1] += begin_[j];
      if (top[j] > kImpossible) best_[j] = top[j];
    }
    for (int64_t k = 0; sums && k < count_; ++k) odds_[k] = std::exp(weight_[k] - best_[arcs_[k].target]);
  }

  // Parallel arcs as one: the best of them, or their sum.
  void fill_matrix(bool sums) {
    matrix_ = Buffer<double>(states_ * padded_, kImpossible);
    for (int64_t k = 0; k < count_; ++k) {
      double& entry = matrix_[matrix_place(arcs_[k])];
      const double high = std::max(entry, weight_[k]), low = std::min(entry, weight_[k]);
      entry = sums && low > kImpossible ? high + std::log1p(std::exp(low - high)) : high;
    }
    if (!sums) return;
    matrix_odds_ = Buffer<double>(matrix_.size(), 0.0);
    for (int64_t k = 0; k < count_; ++k) matrix_odds_[matrix_place(arcs_[k])] += odds_[k];
  }

  int32_t states_;
  int64_t padded_;
  int64_t count_;
  Buffer<Arc> arcs_;
  Buffer<int32_t> begin_, source_;
  Buffer<double> weight_, odds_, best_, initial_, final_, matrix_, matrix_odds_;
};

}  // namespace streamhmm
