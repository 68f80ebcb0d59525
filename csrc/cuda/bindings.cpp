#include "bindings.h"

#include "device_batch.h"
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

int64_t run_viterbi(const DeviceBatch& batch, double beam, uintptr_t states, uintptr_t score, uintptr_t workspace) {
  return viterbi(batch, beam, pointer<int64_t>(states), pointer<double>(score), pointer<void>(workspace));
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

  m.def("viterbi", &run_viterbi, py::arg("batch"), py::arg("beam"), py::arg("states"), py::arg("score"),
        py::arg("workspace"), py::call_guard<py::gil_scoped_release>());
}

}  // namespace streamhmm::cuda
