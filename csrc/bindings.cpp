// streamhmm._C: the table of contents of the compiled core. Pointers arrive as integers; streamhmm/ops.py has checked
// the tensors behind them.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>

#include "constrained_viterbi.h"
#include "cpu/isa.h"
#include "cpu/thread_pool.h"
#include "diagonal.h"
#include "dtw.h"
#include "dtw_follower.h"
#include "filter.h"
#include "forward_backward.h"
#include "online_viterbi.h"
#include "rates.h"
#include "sample.h"
#include "semi_markov.h"
#include "viterbi.h"

#if defined(STREAMHMM_CUDA)
#include "cuda/bindings.h"
#endif

namespace py = pybind11;

namespace streamhmm {
namespace {

template <class T>
T* pointer(uintptr_t address) {
  return reinterpret_cast<T*>(address);
}

void raise_invalid(const InvalidScore& invalid) {
  if (invalid.sequence < 0) return;
  throw py::value_error("scores must be finite or -inf where the graph reads them, got NaN or +inf in sequence " +
                        std::to_string(invalid.sequence) + ", frame " + std::to_string(invalid.frame));
}

Batch make_batch(uintptr_t scores, bool is_double, int64_t batch, int64_t frames, int64_t columns, int64_t batch_stride,
                 int64_t frame_stride, uintptr_t lengths, uintptr_t structure, int64_t structure_size,
                 uintptr_t weights, int64_t weights_size, int64_t memory_budget, int32_t threads) {
  return {pointer<void>(scores),
          is_double,
          batch,
          frames,
          columns,
          batch_stride,
          frame_stride,
          pointer<int64_t>(lengths),
          pointer<int32_t>(structure),
          structure_size,
          pointer<void>(weights),
          weights_size,
          memory_budget,
          threads};
}

void run_viterbi(const Batch& batch, double beam, uintptr_t states, uintptr_t score) {
  InvalidScore invalid;
  {
    py::gil_scoped_release release;
    invalid = viterbi(batch, beam, pointer<int64_t>(states), pointer<double>(score));
  }
  raise_invalid(invalid);
}

void run_constrained_viterbi(const Batch& batch, uintptr_t allowed, int64_t allowed_stride, int64_t states_wide,
                             uintptr_t fixed, int64_t fixed_stride, uintptr_t states, uintptr_t score) {
  const Constraints constraints{pointer<bool>(allowed), allowed_stride, states_wide, pointer<int64_t>(fixed),
                                fixed_stride};
  InvalidScore invalid;
  {
    py::gil_scoped_release release;
    invalid = constrained_viterbi(batch, constraints, pointer<int64_t>(states), pointer<double>(score));
  }
  raise_invalid(invalid);
}

void run_forward_backward(const Batch& batch, uintptr_t log_likelihood, uintptr_t by_state, int64_t states_wide,
                          uintptr_t by_pdf, uintptr_t by_pdf_scale, uintptr_t counts, int64_t counts_stride) {
  const Sums sums{pointer<double>(log_likelihood), pointer<void>(by_state), states_wide,
                  pointer<void>(by_pdf),           pointer<double>(counts), counts_stride,
                  pointer<double>(by_pdf_scale)};
  InvalidScore invalid;
  {
    py::gil_scoped_release release;
    invalid = forward_backward(batch, sums);
  }
  raise_invalid(invalid);
}

void run_filter(const Batch& batch, int64_t lag, bool end_counts, uintptr_t by_state, int64_t states_wide,
                uintptr_t by_pdf) {
  InvalidScore invalid;
  {
    py::gil_scoped_release release;
    invalid = filter(batch, {lag, end_counts}, {pointer<void>(by_state), states_wide, pointer<void>(by_pdf)});
  }
  raise_invalid(invalid);
}

void run_semi_markov_viterbi(const Batch& batch, const Durations& durations, uintptr_t states, uintptr_t score) {
  InvalidScore invalid;
  {
    py::gil_scoped_release release;
    invalid = semi_markov_viterbi(batch, durations, pointer<int64_t>(states), pointer<double>(score));
  }
  raise_invalid(invalid);
}

void run_sample(const Batch& batch, uintptr_t states, uintptr_t uniforms, int64_t samples) {
  InvalidScore invalid;
  {
    py::gil_scoped_release release;
    invalid = sample(batch, {pointer<int64_t>(states), pointer<double>(uniforms), samples});
  }
  raise_invalid(invalid);
}

void run_semi_markov_sums(const Batch& batch, const Durations& durations, uintptr_t log_likelihood, uintptr_t by_state,
                          int64_t states_wide, uintptr_t by_pdf, uintptr_t counts, int64_t counts_stride,
                          uintptr_t segment_counts) {
  const Sums sums{pointer<double>(log_likelihood), pointer<void>(by_state), states_wide,
                  pointer<void>(by_pdf),           pointer<double>(counts), counts_stride};
  InvalidScore invalid;
  {
    py::gil_scoped_release release;
    invalid = semi_markov_sums(batch, durations, sums, pointer<double>(segment_counts));
  }
  raise_invalid(invalid);
}

FrameRows make_frame_rows(uintptr_t frames, bool is_double, int64_t count, int64_t dims, int64_t stride,
                          uintptr_t origin, int32_t threads) {
  return {pointer<void>(frames), is_double, count, dims, stride, pointer<void>(origin), threads};
}

void run_diagonal_densities(const FrameRows& frames, int64_t gaussians, uintptr_t constant, uintptr_t linear,
                            uintptr_t square, uintptr_t out) {
  py::gil_scoped_release release;
  diagonal_densities(frames, {gaussians, pointer<void>(constant), pointer<void>(linear), pointer<void>(square)},
                     pointer<void>(out));
}

void run_diagonal_moments(const FrameRows& frames, int64_t gaussians, uintptr_t weights, int64_t weights_stride,
                          uintptr_t mass, uintptr_t total, uintptr_t squares) {
  py::gil_scoped_release release;
  diagonal_moments(frames, {gaussians, pointer<void>(weights), weights_stride, pointer<double>(mass),
                            pointer<double>(total), pointer<double>(squares)});
}

DtwBatch make_dtw_batch(uintptr_t x, uintptr_t y, bool is_double, int64_t batch, int64_t rows, int64_t columns,
                        int64_t dims, int64_t x_batch_stride, int64_t x_stride, int64_t y_batch_stride,
                        int64_t y_stride, uintptr_t x_lengths, uintptr_t y_lengths, int32_t metric, int32_t pattern,
                        int32_t band, double width, bool open_begin, bool open_end, int64_t memory_budget,
                        int32_t threads) {
  return {pointer<void>(x),
          pointer<void>(y),
          is_double,
          batch,
          rows,
          columns,
          dims,
          x_batch_stride,
          x_stride,
          y_batch_stride,
          y_stride,
          pointer<int64_t>(x_lengths),
          pointer<int64_t>(y_lengths),
          static_cast<Metric>(metric),
          pattern,
          {static_cast<Band::Shape>(band), width},
          open_begin,
          open_end,
          memory_budget,
          threads};
}

void run_dtw(const DtwBatch& batch, uintptr_t path, uintptr_t path_size, uintptr_t distance, uintptr_t normalized) {
  const DtwResult result{pointer<int64_t>(path), pointer<int64_t>(path_size), pointer<double>(distance),
                         pointer<double>(normalized)};
  InvalidCost invalid;
  {
    py::gil_scoped_release release;
    invalid = dtw(batch, result);
  }
  if (invalid.sequence < 0) return;
  throw py::value_error("cost must be finite or +inf inside the band, got NaN or -inf in sequence " +
                        std::to_string(invalid.sequence) + " at (" + std::to_string(invalid.row) + ", " +
                        std::to_string(invalid.column) + ")");
}

std::unique_ptr<DtwFollower> make_dtw_follower(uintptr_t frames, bool is_double, int64_t size, int64_t dims,
                                               int32_t metric, int32_t pattern, int64_t window, bool open_begin) {
  return make_follower(
      {pointer<void>(frames), is_double, size, dims, static_cast<Metric>(metric), pattern, window, open_begin});
}

void dtw_push(DtwFollower& follower, uintptr_t frames, int64_t count, uintptr_t positions, uintptr_t costs) {
  py::gil_scoped_release release;
  follower.push(pointer<void>(frames), count, pointer<int64_t>(positions), pointer<double>(costs));
}

// A stream, and what it has decided that nobody has taken yet.
struct OnlineStream {
  std::unique_ptr<OnlineViterbi> decoder;
  std::vector<int64_t> decided;
};

PackedGraph packed_graph(uintptr_t structure, int64_t structure_size, uintptr_t weights, int64_t weights_size,
                         bool is_double) {
  return {pointer<int32_t>(structure), structure_size, pointer<void>(weights), weights_size, is_double};
}

std::unique_ptr<OnlineStream> make_online_stream(uintptr_t structure, int64_t structure_size, uintptr_t weights,
                                                 int64_t weights_size, bool is_double, double beam, int64_t max_lag,
                                                 double certainty) {
  auto stream = std::make_unique<OnlineStream>();
  stream->decoder = make_online_viterbi(packed_graph(structure, structure_size, weights, weights_size, is_double),
                                        {beam, max_lag, certainty});
  return stream;
}

// One chunk of one stream.
struct OnlineChunk {
  OnlineStream* stream;
  const void* scores;
  int64_t frames;
  int64_t stride;
  int64_t invalid_frame;
};

void online_push(const std::vector<OnlineStream*>& streams, const std::vector<uintptr_t>& scores,
                 const std::vector<int64_t>& frames, int64_t columns, const std::vector<int64_t>& strides,
                 int32_t threads) {
  std::vector<OnlineChunk> chunks;
  for (size_t i = 0; i < streams.size(); ++i) {
    chunks.push_back({streams[i], pointer<void>(scores[i]), frames[i], strides[i], -1});
  }
  {
    py::gil_scoped_release release;
    parallel_for(static_cast<int64_t>(chunks.size()), threads, [&](int64_t i) {
      OnlineChunk& chunk = chunks[i];
      auto& [decoder, decided] = *chunk.stream;
      chunk.invalid_frame = decoder->push(chunk.scores, chunk.frames, columns, chunk.stride, decided);
    });
  }
  for (size_t i = 0; i < chunks.size(); ++i) {
    const auto& chunk = chunks[i];
    if (chunk.invalid_frame < 0) continue;
    raise_invalid({static_cast<int64_t>(i), chunk.stream->decoder->frames() + chunk.invalid_frame});
  }
}

// Copies what has been decided.
void online_take(OnlineStream& stream, uintptr_t states) {
  std::copy(stream.decided.begin(), stream.decided.end(), pointer<int64_t>(states));
  stream.decided.clear();
}

py::tuple online_survivors(const OnlineStream& stream) {
  const Survivors survivors = stream.decoder->survivors();
  return py::make_tuple(survivors.states, survivors.scores);
}

std::vector<std::string> step_patterns() {
  std::vector<std::string> names;
  for (const StepPattern& pattern : kStepPatterns) names.emplace_back(pattern.name);
  return names;
}

}  // namespace
}  // namespace streamhmm

PYBIND11_MODULE(_C, m) {
  using namespace streamhmm;
  m.doc() = "The compiled HMM engine. Use streamhmm.viterbi and its neighbours; this layer checks no tensors.";

  py::class_<Batch>(m, "Batch")
      .def(py::init(&make_batch), py::arg("scores"), py::arg("is_double"), py::arg("batch"), py::arg("frames"),
           py::arg("columns"), py::arg("batch_stride"), py::arg("frame_stride"), py::arg("lengths"),
           py::arg("structure"), py::arg("structure_size"), py::arg("weights"), py::arg("weights_size"),
           py::arg("memory_budget"), py::arg("threads"));

  m.def("viterbi", &run_viterbi, py::arg("batch"), py::arg("beam"), py::arg("states"), py::arg("score"));
  m.def("constrained_viterbi", &run_constrained_viterbi, py::arg("batch"), py::arg("allowed"),
        py::arg("allowed_stride"), py::arg("states_wide"), py::arg("fixed"), py::arg("fixed_stride"), py::arg("states"),
        py::arg("score"));
  m.def("forward_backward", &run_forward_backward, py::arg("batch"), py::arg("log_likelihood"), py::arg("by_state"),
        py::arg("states_wide"), py::arg("by_pdf"), py::arg("by_pdf_scale"), py::arg("counts"),
        py::arg("counts_stride"));
  m.def("filter", &run_filter, py::arg("batch"), py::arg("lag"), py::arg("end_counts"), py::arg("by_state"),
        py::arg("states_wide"), py::arg("by_pdf"));
  m.def("sample", &run_sample, py::arg("batch"), py::arg("states"), py::arg("uniforms"), py::arg("samples"));

  py::enum_<Arithmetic>(m, "Arithmetic")
      .value("ADD_MAX", Arithmetic::kAddMax)
      .value("MULTIPLY_ADD", Arithmetic::kMultiplyAdd);
  m.def("run_arithmetic", &run_arithmetic, py::arg("arithmetic"), py::arg("is_double"), py::arg("steps"),
        py::call_guard<py::gil_scoped_release>(),
        "Arithmetic in registers alone, see csrc/rates.h; returns the cells.");

  py::class_<Durations>(m, "Durations")
      .def(py::init([](uintptr_t weights, int64_t states, int64_t longest) {
             return Durations{pointer<double>(weights), states, longest};
           }),
           py::arg("durations"), py::arg("num_states"), py::arg("longest"));

  m.def("semi_markov_viterbi", &run_semi_markov_viterbi, py::arg("batch"), py::arg("durations"), py::arg("states"),
        py::arg("score"));
  m.def("semi_markov_sums", &run_semi_markov_sums, py::arg("batch"), py::arg("durations"), py::arg("log_likelihood"),
        py::arg("by_state"), py::arg("states_wide"), py::arg("by_pdf"), py::arg("counts"), py::arg("counts_stride"),
        py::arg("segment_counts"));

  py::class_<FrameRows>(m, "FrameRows")
      .def(py::init(&make_frame_rows), py::arg("frames"), py::arg("is_double"), py::arg("count"), py::arg("dims"),
           py::arg("stride"), py::arg("origin"), py::arg("threads"));
  m.def("diagonal_densities", &run_diagonal_densities, py::arg("frames"), py::arg("gaussians"), py::arg("constant"),
        py::arg("linear"), py::arg("square"), py::arg("out"));
  m.def("diagonal_moments", &run_diagonal_moments, py::arg("frames"), py::arg("gaussians"), py::arg("weights"),
        py::arg("weights_stride"), py::arg("mass"), py::arg("total"), py::arg("squares"));

  py::class_<DtwBatch>(m, "DtwBatch")
      .def(py::init(&make_dtw_batch), py::arg("x"), py::arg("y"), py::arg("is_double"), py::arg("batch"),
           py::arg("rows"), py::arg("columns"), py::arg("dims"), py::arg("x_batch_stride"), py::arg("x_stride"),
           py::arg("y_batch_stride"), py::arg("y_stride"), py::arg("x_lengths"), py::arg("y_lengths"),
           py::arg("metric"), py::arg("pattern"), py::arg("band"), py::arg("width"), py::arg("open_begin"),
           py::arg("open_end"), py::arg("memory_budget"), py::arg("threads"));
  m.def("dtw", &run_dtw, py::arg("batch"), py::arg("path"), py::arg("path_size"), py::arg("distance"),
        py::arg("normalized"));
  m.def("step_patterns", &step_patterns, "Names of the step patterns of dynamic time warping, by index.");

  py::class_<DtwFollower>(m, "DtwFollower")
      .def(py::init(&make_dtw_follower), py::arg("frames"), py::arg("is_double"), py::arg("size"), py::arg("dims"),
           py::arg("metric"), py::arg("pattern"), py::arg("window"), py::arg("open_begin"));
  m.def("dtw_push", &dtw_push, py::arg("follower"), py::arg("frames"), py::arg("count"), py::arg("positions"),
        py::arg("costs"));
  m.def("dtw_distance", &DtwFollower::distance, py::arg("follower"));

  py::class_<OnlineStream>(m, "OnlineStream")
      .def(py::init(&make_online_stream), py::arg("structure"), py::arg("structure_size"), py::arg("weights"),
           py::arg("weights_size"), py::arg("is_double"), py::arg("beam"), py::arg("max_lag"), py::arg("certainty"));
  m.def("online_push", &online_push, py::arg("streams"), py::arg("scores"), py::arg("frames"), py::arg("columns"),
        py::arg("strides"), py::arg("threads"));
  m.def("online_decided", [](const OnlineStream& s) { return s.decided.size(); }, py::arg("stream"));
  m.def("online_take", &online_take, py::arg("stream"), py::arg("states"));
  m.def("online_finish", [](OnlineStream& s) { return s.decoder->finish(s.decided); }, py::arg("stream"));
  m.def(
      "online_restart",
      [](OnlineStream& s, uintptr_t initial) { s.decoder->restart(pointer<double>(initial), s.decided); },
      py::arg("stream"), py::arg("initial"));
  m.def(
      "online_extend",
      [](OnlineStream& s, uintptr_t structure, int64_t structure_size, uintptr_t weights, int64_t weights_size,
         bool is_double) {
        s.decoder->extend(packed_graph(structure, structure_size, weights, weights_size, is_double));
      },
      py::arg("stream"), py::arg("structure"), py::arg("structure_size"), py::arg("weights"), py::arg("weights_size"),
      py::arg("is_double"));
  m.def(
      "online_keep", [](OnlineStream& s, uintptr_t allowed) { s.decoder->keep(pointer<bool>(allowed)); },
      py::arg("stream"), py::arg("allowed"));
  m.def(
      "online_change",
      [](OnlineStream& s, double beam, int64_t max_lag, double certainty) {
        s.decoder->change({beam, max_lag, certainty});
      },
      py::arg("stream"), py::arg("beam"), py::arg("max_lag"), py::arg("certainty"));
  m.def("online_current", [](const OnlineStream& s) { return s.decoder->current(); }, py::arg("stream"));
  m.def(
      "online_undecided", [](const OnlineStream& s, int64_t state) { return s.decoder->undecided(state); },
      py::arg("stream"), py::arg("state"));
  m.def("online_survivors", &online_survivors, py::arg("stream"));
  m.def("online_save", [](const OnlineStream& s) { return py::bytes(s.decoder->save()); }, py::arg("stream"));
  m.def(
      "online_restore", [](OnlineStream& s, const py::bytes& state) { s.decoder->restore(std::string(state)); },
      py::arg("stream"), py::arg("state"));

#if defined(STREAMHMM_CUDA)
  pybind11::module_ on_device = m.def_submodule("cuda");
  cuda::bind(on_device);
#endif

  m.def("available_isas", &available_isas, "Instruction sets that this build and this processor share, best first.");
  m.def("select_isa", &select_isa, py::arg("name"), "Chooses the instruction set; returns the one chosen before.");
}
