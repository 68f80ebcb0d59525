#include "streams.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "../../csrc/online_viterbi.h"

namespace streamhmm {
namespace replay {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();
constexpr int64_t kColumns = 4;

using Random = std::mt19937_64;

int64_t draw(Random& random, int64_t low, int64_t high) {
  return std::uniform_int_distribution<int64_t>(low, high)(random);
}

// Small integers that tie, −inf now and then.
float weight(Random& random) { return draw(random, 0, 9) == 0 ? kNever : static_cast<float>(draw(random, -4, 4)); }

// A sparse graph: its states come one behind the other, with some arcs from anywhere in `reach`.
struct RandomGraph {
  std::vector<int32_t> structure;
  std::vector<float> weights;

  RandomGraph(Random& random, int32_t states) {
    std::vector<int32_t> pdf, begin{0}, source;
    std::vector<float> arcs;
    for (int32_t j = 0; j < states; ++j) {
      pdf.push_back(static_cast<int32_t>(draw(random, 0, kColumns - 1)));
      std::vector<int32_t> from;
      for (int32_t i = std::max(0, j - 2); i <= j; ++i) from.push_back(i);
      if (draw(random, 0, 7) == 0) from.push_back(static_cast<int32_t>(draw(random, 0, states - 1)));
      std::sort(from.begin(), from.end());
      for (const int32_t i : from) {
        source.push_back(i);
        arcs.push_back(weight(random));
      }
      begin.push_back(static_cast<int32_t>(source.size()));
    }
    structure = {1, 1, states, static_cast<int32_t>(source.size()), 0, 7, 0};
    for (const auto* part : {&pdf, &begin, &source}) structure.insert(structure.end(), part->begin(), part->end());
    weights = arcs;
    for (int32_t k = 0; k < 2 * states; ++k) weights.push_back(weight(random));
  }

  PackedGraph packed() const {
    return {structure.data(), static_cast<int64_t>(structure.size()), weights.data(),
            static_cast<int64_t>(weights.size()), false};
  }
};

struct Scenario {
  std::vector<float> scores;  // (frames, kColumns)
  int64_t frames;
  int64_t restarts_at;
  std::vector<double> initial;
};

Scenario scenario(Random& random, int32_t states) {
  Scenario s;
  s.frames = draw(random, 0, 150);
  const float scale = draw(random, 0, 9) == 0 ? 1000.0F : 1.0F;  // too large for single precision
  for (int64_t i = 0; i < s.frames * kColumns; ++i) s.scores.push_back(weight(random) * scale);
  s.restarts_at = draw(random, 0, 2 * s.frames);
  for (int32_t j = 0; j < states; ++j) s.initial.push_back(static_cast<double>(weight(random)));
  return s;
}

// Decodes in random chunks; `resumes`: at times a fresh decoder goes on.
std::vector<int64_t> decode(Random& random, const RandomGraph& graph, const OnlineOptions& options, const Scenario& s,
                            bool resumes) {
  auto decoder = make_online_viterbi(graph.packed(), options);
  std::vector<int64_t> decided;
  for (int64_t t = 0; t < s.frames;) {
    int64_t end = std::min(s.frames, t + draw(random, 1, 40));
    if (t < s.restarts_at) end = std::min(end, s.restarts_at);
    decoder->push(s.scores.data() + t * kColumns, end - t, kColumns, kColumns, decided);
    t = end;
    if (t == s.restarts_at) decoder->restart(s.initial.data(), decided);
    if (resumes) {
      auto other = make_online_viterbi(graph.packed(), options);
      other->restore(decoder->save());
      other->extend(graph.packed());
      decoder = std::move(other);
    }
  }
  decoder->finish(decided);
  return decided;
}

OnlineOptions random_options(Random& random) {
  OnlineOptions options{std::numeric_limits<double>::infinity(), -1, 2.0};
  if (draw(random, 0, 1) == 0) options.beam = static_cast<double>(draw(random, 1, 20));
  if (draw(random, 0, 1) == 0) options.max_lag = draw(random, 0, 30);
  if (draw(random, 0, 1) == 0) options.certainty = 0.5 + 0.05 * static_cast<double>(draw(random, 0, 10));
  return options;
}

}  // namespace

void run_streams(int64_t count, uint64_t seed) {
  Random random(seed);
  for (int64_t i = 0; i < count; ++i) {
    const auto states = static_cast<int32_t>(draw(random, 1, 300));
    const RandomGraph graph(random, states);
    const OnlineOptions options = random_options(random);
    const Scenario s = scenario(random, states);
    const auto one = decode(random, graph, options, s, false), other = decode(random, graph, options, s, true);
    const bool fits = std::find(one.begin(), one.end(), -1) == one.end();  // else what was decided before stays so
    if (static_cast<int64_t>(one.size()) != s.frames || one.size() != other.size() || (fits && one != other)) {
      throw std::runtime_error("stream " + std::to_string(i) + " of seed " + std::to_string(seed) + " differs");
    }
  }
}

}  // namespace replay
}  // namespace streamhmm
