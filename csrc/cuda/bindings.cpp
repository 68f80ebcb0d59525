#include "bindings.h"

#include "device_batch.h"
#include "dtw.h"
#include "filter.h"
#include "forward_backward.h"
#include "online.h"
#include "rates.h"
#include "sample.h"
#include "semi_markov.h"
#include "viterbi.h"

namespace py = pybind11;

namespace streamhmm::cuda {
namespace {

template <class T>
T* pointer(uintptr_t address) {
  return reinterpret_cast<T*>(address);
}

DeviceBatch make_batch(const Batch& batch, NumberType type, uintptr_t structure, int device, uintptr_t stream) {
  return {batch, type, pointer<int32_t>(structure), device, pointer<void>(stream)};
}

Constraints make_constraints(uintptr_t allowed, int64_t allowed_stride, int64_t states_wide, uintptr_t fixed,
                             int64_t fixed_stride) {
  return {pointer<bool>(allowed), allowed_stride, states_wide, pointer<int64_t>(fixed), fixed_stride};
}

int64_t run_viterbi(const DeviceBatch& batch, double beam, const Constraints& constraints, uintptr_t states,
                    uintptr_t score, uintptr_t workspace) {
  return viterbi(batch, beam, constraints, pointer<int64_t>(states), pointer<double>(score), pointer<void>(workspace));
}

int64_t run_forward_backward(const DeviceBatch& batch, uintptr_t log_likelihood, uintptr_t by_state,
                             int64_t states_wide, uintptr_t by_pdf, uintptr_t by_pdf_scale, uintptr_t counts,
                             int64_t counts_stride, uintptr_t workspace) {
  const Sums sums{pointer<double>(log_likelihood), pointer<void>(by_state), states_wide,
                  pointer<void>(by_pdf),           pointer<double>(counts), counts_stride,
                  pointer<double>(by_pdf_scale)};
  return forward_backward(batch, sums, pointer<void>(workspace));
}

int64_t run_filter(const DeviceBatch& batch, int64_t lag, bool end_counts, uintptr_t by_state, int64_t states_wide,
                   uintptr_t by_pdf, uintptr_t workspace) {
  return filter(batch, {lag, end_counts}, {pointer<void>(by_state), states_wide, pointer<void>(by_pdf)},
                pointer<void>(workspace));
}

int64_t run_sample(const DeviceBatch& batch, uintptr_t states, uintptr_t uniforms, int64_t samples,
                   uintptr_t workspace) {
  return sample(batch, {pointer<int64_t>(states), pointer<double>(uniforms), samples}, pointer<void>(workspace));
}

int64_t run_rate_loop(Loop loop, bool is_double, int64_t steps, int device, uintptr_t stream, uintptr_t workspace) {
  return run_loop(loop, is_double, steps, device, pointer<void>(stream), pointer<void>(workspace));
}

OnlineState make_online_state(uintptr_t place, uintptr_t progress, uintptr_t alpha, uintptr_t ancestor,
                              uintptr_t offset, uintptr_t window, uintptr_t scratch) {
  return {pointer<OnlinePlace>(place), pointer<OnlineProgress>(progress), pointer<double>(alpha),
          pointer<int32_t>(ancestor),  pointer<double>(offset),           pointer<char>(window),
          pointer<char>(scratch)};
}

OnlineChunk make_online_chunk(uintptr_t scores, NumberType type, int64_t frames, int64_t stream_stride,
                              int64_t frame_stride, uintptr_t first_row) {
  return {pointer<void>(scores), type, frames, stream_stride, frame_stride, pointer<int64_t>(first_row)};
}

void bind_online(py::module_& m) {
  m.attr("TILE") = kTile;
  m.def("winner_bytes", &online_winner_bytes, py::arg("states"));
  m.def("winner_row_bytes", &online_winner_row_bytes, py::arg("states"));
  py::class_<OnlineState>(m, "OnlineState", py::module_local())
      .def(py::init(&make_online_state), py::arg("place"), py::arg("progress"), py::arg("alpha"), py::arg("ancestor"),
           py::arg("offset"), py::arg("window"), py::arg("scratch"));
  py::class_<OnlineChunk>(m, "OnlineChunk", py::module_local())
      .def(py::init(&make_online_chunk), py::arg("scores"), py::arg("type"), py::arg("frames"),
           py::arg("stream_stride"), py::arg("frame_stride"), py::arg("first_row"));

  py::class_<OnlineStreams>(m, "OnlineStreams", py::module_local())
      .def(py::init<const DeviceBatch&>(), py::arg("batch"))
      .def("workspace_bytes", &OnlineStreams::workspace_bytes)
      .def("scratch_bytes", &OnlineStreams::scratch_bytes)
      .def(
          "open", [](OnlineStreams& s, uintptr_t workspace) { s.open(pointer<void>(workspace)); }, py::arg("workspace"))
      .def(
          "push",
          [](const OnlineStreams& s, const OnlineState& state, const OnlineChunk& chunk, double beam, int64_t max_lag,
             double certainty, uintptr_t answers, uintptr_t stream) {
            s.push(state, chunk, {beam, max_lag, certainty}, pointer<void>(answers), pointer<void>(stream));
          },
          py::arg("state"), py::arg("chunk"), py::arg("beam"), py::arg("max_lag"), py::arg("certainty"),
          py::arg("answers"), py::arg("stream"), py::call_guard<py::gil_scoped_release>())
      .def(
          "end",
          [](const OnlineStreams& s, const OnlineState& state, bool in_final, uintptr_t answers, uintptr_t stream) {
            s.end(state, in_final, pointer<void>(answers), pointer<void>(stream));
          },
          py::arg("state"), py::arg("in_final"), py::arg("answers"), py::arg("stream"))
      .def(
          "move_window",
          [](const OnlineStreams& s, const OnlineState& state, uintptr_t new_place, uintptr_t new_window, int64_t rows,
             uintptr_t stream) {
            s.move_window(state, pointer<OnlinePlace>(new_place), pointer<char>(new_window), rows,
                          pointer<void>(stream));
          },
          py::arg("state"), py::arg("new_place"), py::arg("new_window"), py::arg("rows"), py::arg("stream"));
}

int64_t run_semi_markov_viterbi(const DeviceBatch& batch, const Durations& durations, uintptr_t states, uintptr_t score,
                                uintptr_t workspace) {
  return semi_markov_viterbi(batch, durations, pointer<int64_t>(states), pointer<double>(score),
                             pointer<void>(workspace));
}

int64_t run_semi_markov_sums(const DeviceBatch& batch, const Durations& durations, uintptr_t log_likelihood,
                             uintptr_t by_state, int64_t states_wide, uintptr_t by_pdf, uintptr_t by_pdf_scale,
                             uintptr_t counts, int64_t counts_stride, uintptr_t segment_counts, uintptr_t workspace) {
  const Sums sums{pointer<double>(log_likelihood), pointer<void>(by_state), states_wide,
                  pointer<void>(by_pdf),           pointer<double>(counts), counts_stride,
                  pointer<double>(by_pdf_scale)};
  return semi_markov_sums(batch, durations, sums, pointer<double>(segment_counts), pointer<void>(workspace));
}

DeviceDtwBatch make_dtw_batch(const DtwBatch& batch, uintptr_t x_lengths, uintptr_t y_lengths, int device,
                              uintptr_t stream) {
  return {batch, pointer<int64_t>(x_lengths), pointer<int64_t>(y_lengths), device, pointer<void>(stream)};
}

int64_t run_dtw(const DeviceDtwBatch& batch, uintptr_t path, uintptr_t path_size, uintptr_t distance,
                uintptr_t normalized, uintptr_t invalid, uintptr_t workspace) {
  const DtwResult result{pointer<int64_t>(path), pointer<int64_t>(path_size), pointer<double>(distance),
                         pointer<double>(normalized)};
  return dtw(batch, result, pointer<int64_t>(invalid), pointer<void>(workspace));
}

}  // namespace

void bind(py::module_& m) {
  m.doc() = "The operations on a CUDA device. With a workspace of 0 an operation tells how many bytes it needs.";

  py::enum_<NumberType>(m, "NumberType", py::module_local())
      .value("float32", NumberType::float32)
      .value("float64", NumberType::float64)
      .value("float16", NumberType::float16)
      .value("bfloat16", NumberType::bfloat16);
  py::class_<DeviceBatch>(m, "DeviceBatch", py::module_local())
      .def(py::init(&make_batch), py::arg("batch"), py::arg("type"), py::arg("structure"), py::arg("device"),
           py::arg("stream"));

  py::class_<Constraints>(m, "Constraints", py::module_local())
      .def(py::init<>())
      .def(py::init(&make_constraints), py::arg("allowed"), py::arg("allowed_stride"), py::arg("states_wide"),
           py::arg("fixed"), py::arg("fixed_stride"));

  m.def("viterbi", &run_viterbi, py::arg("batch"), py::arg("beam"), py::arg("constraints"), py::arg("states"),
        py::arg("score"), py::arg("workspace"), py::call_guard<py::gil_scoped_release>());
  m.def("forward_backward", &run_forward_backward, py::arg("batch"), py::arg("log_likelihood"), py::arg("by_state"),
        py::arg("states_wide"), py::arg("by_pdf"), py::arg("by_pdf_scale"), py::arg("counts"), py::arg("counts_stride"),
        py::arg("workspace"), py::call_guard<py::gil_scoped_release>());
  m.def("filter", &run_filter, py::arg("batch"), py::arg("lag"), py::arg("end_counts"), py::arg("by_state"),
        py::arg("states_wide"), py::arg("by_pdf"), py::arg("workspace"), py::call_guard<py::gil_scoped_release>());
  m.def("sample", &run_sample, py::arg("batch"), py::arg("states"), py::arg("uniforms"), py::arg("samples"),
        py::arg("workspace"), py::call_guard<py::gil_scoped_release>());
  m.def("semi_markov_viterbi", &run_semi_markov_viterbi, py::arg("batch"), py::arg("durations"), py::arg("states"),
        py::arg("score"), py::arg("workspace"), py::call_guard<py::gil_scoped_release>());
  m.def("semi_markov_sums", &run_semi_markov_sums, py::arg("batch"), py::arg("durations"), py::arg("log_likelihood"),
        py::arg("by_state"), py::arg("states_wide"), py::arg("by_pdf"), py::arg("by_pdf_scale"), py::arg("counts"),
        py::arg("counts_stride"), py::arg("segment_counts"), py::arg("workspace"),
        py::call_guard<py::gil_scoped_release>());

  py::class_<DeviceDtwBatch>(m, "DeviceDtwBatch", py::module_local())
      .def(py::init(&make_dtw_batch), py::arg("batch"), py::arg("x_lengths"), py::arg("y_lengths"), py::arg("device"),
           py::arg("stream"));
  m.def("dtw", &run_dtw, py::arg("batch"), py::arg("path"), py::arg("path_size"), py::arg("distance"),
        py::arg("normalized"), py::arg("invalid"), py::arg("workspace"), py::call_guard<py::gil_scoped_release>());

  py::enum_<Loop>(m, "Loop", py::module_local())
      .value("ADD_MAX", Loop::add_max)
      .value("MULTIPLY_ADD", Loop::multiply_add)
      .value("LANE_CHAIN", Loop::lane_chain)
      .value("BLOCK_CHAIN", Loop::block_chain);
  m.def("run_loop", &run_rate_loop, py::arg("loop"), py::arg("is_double"), py::arg("steps"), py::arg("device"),
        py::arg("stream"), py::arg("workspace"), py::call_guard<py::gil_scoped_release>(),
        "Arithmetic in registers alone, see csrc/cuda/rates.h; returns the cells, or the frames of a chain.");
  bind_online(m);
}

}  // namespace streamhmm::cuda
