#include "../online_viterbi.h"

#include <algorithm>
#include <stdexcept>

#include "archive.h"
#include "online_decoder.h"
#include "widened.h"

namespace streamhmm {
namespace {

// The packed graph with its indices checked, and its weights as Real.
template <class Real>
OnlineArcs<Real> read_arcs(const PackedGraph& graph) {
  Batch batch{};
  batch.batch = 1;
  batch.columns = int64_t{1} << 31;
  batch.frames = 0;
  batch.structure = graph.structure;
  batch.structure_size = graph.structure_size;
  batch.weights = graph.weights;
  batch.is_double = graph.is_double;
  batch.weights_size = graph.weights_size;
  const GraphRecord record = graph_record(batch, 0);
  if (graph.is_double == (sizeof(Real) == sizeof(double))) {
    return OnlineArcs<Real>(record, static_cast<const Real*>(graph.weights));
  }
  const float* weights = static_cast<const float*>(graph.weights);
  const std::vector<Real> wide(weights, weights + graph.weights_size);
  return OnlineArcs<Real>(record, wide.data());
}

bool needs_double(const PackedGraph& graph) {
  return graph.is_double || has_large(static_cast<const float*>(graph.weights), graph.weights_size);
}

class OnlineViterbiOf : public OnlineViterbi {
  // Calls `use` with the decoder.
  template <class Use>
  decltype(auto) with(const Use& use) {
    return single_ ? use(*single_) : use(*double_);
  }
  template <class Use>
  decltype(auto) with(const Use& use) const {
    return single_ ? use(static_cast<const OnlineDecoder<float>&>(*single_))
                   : use(static_cast<const OnlineDecoder<double>&>(*double_));
  }

 public:
  OnlineViterbiOf(const PackedGraph& graph, const OnlineOptions& options) : takes_double_(graph.is_double) {
    if (needs_double(graph)) {
      double_ = std::make_unique<OnlineDecoder<double>>(read_arcs<double>(graph), options);
    } else {
      single_ = std::make_unique<OnlineDecoder<float>>(read_arcs<float>(graph), options);
    }
  }

  int64_t push(const void* scores, int64_t frames, int64_t columns, int64_t stride,
               std::vector<int64_t>& decided) override {
    if (takes_double_) {
      return push(ScoreRows<double>{static_cast<const double*>(scores), frames, columns, stride}, decided);
    }
    return push(ScoreRows<float>{static_cast<const float*>(scores), frames, columns, stride}, decided);
  }

  bool finish(std::vector<int64_t>& decided) override {
    return with([&](auto& decoder) { return decoder.finish(decided); });
  }

  void restart(const double* initial, std::vector<int64_t>& decided) override {
    with([&](auto& decoder) { decoder.restart(initial, decided); });
  }

  void extend(const PackedGraph& graph) override {
    if (graph.is_double != takes_double_) throw std::invalid_argument("extend must have weights of the same type");
    if (single_ && needs_double(graph)) widen();
    with([&](auto& decoder) { extend(decoder, graph); });
  }

  void keep(const bool* allowed) override {
    with([&](auto& decoder) { decoder.keep(allowed); });
  }

  void change(const OnlineOptions& options) override {
    with([&](auto& decoder) { decoder.change(options); });
  }

  int64_t current() const override {
    return with([](const auto& decoder) { return static_cast<int64_t>(decoder.current()); });
  }
  std::vector<int64_t> undecided(int64_t state) const override {
    return with([&](const auto& decoder) { return decoder.undecided(state); });
  }
  Survivors survivors() const override {
    return with([](const auto& decoder) { return decoder.survivors(); });
  }
  int64_t frames() const override {
    return with([](const auto& decoder) { return decoder.frames(); });
  }

  std::string save() const override {
    Saver saver;
    saver.number(static_cast<int64_t>(states()));
    saver.number(static_cast<int64_t>(double_ != nullptr));
    const_cast<OnlineViterbiOf*>(this)->with([&](auto& decoder) { decoder.transfer(saver); });
    return saver.take();
  }

  void restore(const std::string& state) override {
    Loader loader(state);
    int64_t states_then = 0, was_double = 0;
    loader.number(states_then);
    loader.number(was_double);
    Loader::require(states_then == states() && (was_double == 1 || single_));
    if (was_double == 1 && single_) widen();
    with([&](auto& decoder) {
      auto restored = decoder;
      restored.transfer(loader);
      loader.finish();
      decoder = std::move(restored);
    });
  }

 private:
  int32_t states() const {
    return with([](const auto& decoder) { return decoder.arcs().states(); });
  }

  template <class Real>
  static void extend(OnlineDecoder<Real>& decoder, const PackedGraph& graph) {
    OnlineArcs<Real> arcs = read_arcs<Real>(graph);
    if (arcs.states() < decoder.arcs().states()) throw std::invalid_argument("extend must not take states away");
    decoder = OnlineDecoder<Real>(std::move(arcs), static_cast<const OnlineDecoder<Real>&>(decoder));
  }

  template <class Given>
  int64_t push(const ScoreRows<Given>& scores, std::vector<int64_t>& decided) {
    const std::vector<int32_t>& read =
        with([](const auto& decoder) -> const std::vector<int32_t>& { return decoder.arcs().columns(); });
    const ScoreScan scan = kernels_of<Given>().scan(scores, read.data(), static_cast<int32_t>(read.size()));
    if (scan.invalid_frame >= 0) return scan.invalid_frame;
    if (single_ && scan.large) widen();
    with([&](auto& decoder) { advance(decoder, scores, decided); });
    return -1;
  }

  template <class Real, class Given>
  static void advance(OnlineDecoder<Real>& decoder, const ScoreRows<Given>& scores, std::vector<int64_t>& decided) {
    std::vector<Real> row(std::is_same_v<Real, Given> ? 0 : scores.columns);
    for (int64_t t = 0; t < scores.frames; ++t) {
      const Given* given = scores.data + t * scores.stride;
      if constexpr (std::is_same_v<Real, Given>) {
        decoder.advance(given, decided);
      } else {
        std::transform(given, given + scores.columns, row.begin(), [](Given x) { return static_cast<Real>(x); });
        decoder.advance(row.data(), decided);
      }
    }
    decoder.settle(decided);
  }

  void widen() {
    double_ = std::make_unique<OnlineDecoder<double>>(OnlineArcs<double>(single_->arcs()), *single_);
    single_.reset();
  }

  bool takes_double_;
  std::unique_ptr<OnlineDecoder<float>> single_;
  std::unique_ptr<OnlineDecoder<double>> double_;
};

}  // namespace

std::unique_ptr<OnlineViterbi> make_online_viterbi(const PackedGraph& graph, const OnlineOptions& options) {
  return std::make_unique<OnlineViterbiOf>(graph, options);
}

}  // namespace streamhmm
