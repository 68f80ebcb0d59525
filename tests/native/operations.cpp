#include "operations.h"

#include "../../csrc/constrained_viterbi.h"
#include "../../csrc/filter.h"
#include "../../csrc/forward_backward.h"
#include "../../csrc/sample.h"
#include "../../csrc/viterbi.h"

namespace streamhmm {
namespace replay {
namespace {

Batch batch_of(const Arguments& a) {
  return {a.buffer<void>("scores"),
          a.integer("is_double") != 0,
          a.integer("batch"),
          a.integer("frames"),
          a.integer("columns"),
          a.integer("batch_stride"),
          a.integer("frame_stride"),
          a.buffer<int64_t>("lengths"),
          a.buffer<int32_t>("structure"),
          a.integer("structure_size"),
          a.buffer<void>("weights"),
          a.integer("weights_size"),
          a.integer("memory_budget"),
          static_cast<int32_t>(a.integer("threads"))};
}

bool run_viterbi(const Arguments& a) {
  return viterbi(batch_of(a), a.real("beam"), a.buffer<int64_t>("states"), a.buffer<double>("score")).sequence < 0;
}

bool run_forward_backward(const Arguments& a) {
  const Sums sums{a.buffer<double>("log_likelihood"), a.buffer<void>("by_state"), a.integer("states_wide"),
                  a.buffer<void>("by_pdf"),           a.buffer<double>("counts"), a.integer("counts_stride"),
                  a.buffer<double>("by_pdf_scale")};
  return forward_backward(batch_of(a), sums).sequence < 0;
}

bool run_constrained_viterbi(const Arguments& a) {
  const Constraints constraints{a.buffer<bool>("allowed"), a.integer("allowed_stride"), a.integer("states_wide"),
                                a.buffer<int64_t>("fixed"), a.integer("fixed_stride")};
  return constrained_viterbi(batch_of(a), constraints, a.buffer<int64_t>("states"), a.buffer<double>("score"))
             .sequence < 0;
}

bool run_filter(const Arguments& a) {
  const Filtered result{a.buffer<void>("by_state"), a.integer("states_wide"), a.buffer<void>("by_pdf")};
  return filter(batch_of(a), {a.integer("lag"), a.integer("end_counts") != 0}, result).sequence < 0;
}

bool run_sample(const Arguments& a) {
  const Samples result{a.buffer<int64_t>("states"), a.buffer<double>("uniforms"), a.integer("samples")};
  return sample(batch_of(a), result).sequence < 0;
}

// Paths are equal to the bit whatever computes them, sums are not.
constexpr Operation kOperations[] = {
    {"viterbi", 0, 0, run_viterbi},
    {"forward_backward", 1e-4, 1e-9, run_forward_backward},
    {"constrained_viterbi", 0, 0, run_constrained_viterbi},
    {"filter", 1e-4, 1e-9, run_filter},
    {"sample", 0, 0, run_sample},
};

}  // namespace

const Operation& operation_named(const std::string& name) {
  for (const Operation& operation : kOperations) {
    if (name == operation.name) return operation;
  }
  throw std::runtime_error("no operation " + name + " in the table of tests/native/operations.cpp");
}

}  // namespace replay
}  // namespace streamhmm
