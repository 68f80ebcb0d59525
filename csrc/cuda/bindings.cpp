#include "bindings.h"

#include "device_batch.h"
#include "filter.h"
#include "forward_backward.h"
#include "rates.h"
#include "sample.h"
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

  py::enum_<Loop>(m, "Loop", py::module_local())
      .value("ADD_MAX", Loop::add_max)
      .value("MULTIPLY_ADD", Loop::multiply_add)
      .value("LANE_CHAIN", Loop::lane_chain)
      .value("BLOCK_CHAIN", Loop::block_chain);
  m.def("run_loop", &run_rate_loop, py::arg("loop"), py::arg("is_double"), py::arg("steps"), py::arg("device"),
        py::arg("stream"), py::arg("workspace"), py::call_guard<py::gil_scoped_release>(),
        "Arithmetic in registers alone, see csrc/cuda/rates.h; returns the cells, or the frames of a chain.");
}

}  // namespace streamhmm::cuda
