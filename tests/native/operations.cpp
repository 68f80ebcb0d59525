#include "operations.h"

#include "../../csrc/constrained_viterbi.h"
#include "../../csrc/diagonal.h"
#include "../../csrc/dtw.h"
#include "../../csrc/filter.h"
#include "../../csrc/forward_backward.h"
#include "../../csrc/sample.h"
#include "../../csrc/semi_markov.h"
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

// A buffer that an operation does not take is null.
Sums sums_of(const Arguments& a) {
  return {a.buffer<double>("log_likelihood"), a.buffer<void>("by_state"), a.integer("states_wide"),
          a.buffer<void>("by_pdf"),           a.buffer<double>("counts"), a.integer("counts_stride"),
          a.buffer<double>("by_pdf_scale")};
}

bool run_forward_backward(const Arguments& a) { return forward_backward(batch_of(a), sums_of(a)).sequence < 0; }

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

Durations durations_of(const Arguments& a) {
  return {a.buffer<double>("durations"), a.integer("num_states"), a.integer("longest")};
}

bool run_semi_markov_viterbi(const Arguments& a) {
  int64_t* states = a.buffer<int64_t>("states");
  return semi_markov_viterbi(batch_of(a), durations_of(a), states, a.buffer<double>("score")).sequence < 0;
}

bool run_semi_markov_sums(const Arguments& a) {
  return semi_markov_sums(batch_of(a), durations_of(a), sums_of(a), a.buffer<double>("segment_counts")).sequence < 0;
}

FrameRows frame_rows_of(const Arguments& a) {
  return {a.buffer<void>("frames"),
          a.integer("is_double") != 0,
          a.integer("count"),
          a.integer("dims"),
          a.integer("stride"),
          a.buffer<void>("origin"),
          static_cast<int32_t>(a.integer("threads"))};
}

bool run_diagonal_densities(const Arguments& a) {
  const DiagonalGaussians model{a.integer("gaussians"), a.buffer<void>("constant"), a.buffer<void>("linear"),
                                a.buffer<void>("square")};
  diagonal_densities(frame_rows_of(a), model, a.buffer<void>("out"));
  return true;
}

bool run_diagonal_moments(const Arguments& a) {
  diagonal_moments(frame_rows_of(a),
                   {a.integer("gaussians"), a.buffer<void>("weights"), a.integer("weights_stride"),
                    a.buffer<double>("mass"), a.buffer<double>("total"), a.buffer<double>("squares")});
  return true;
}

bool run_dtw(const Arguments& a) {
  const Band band{static_cast<Band::Shape>(a.integer("band")), a.real("width")};
  const DtwBatch batch{a.buffer<void>("x"),
                       a.buffer<void>("y"),
                       a.integer("is_double") != 0,
                       a.integer("batch"),
                       a.integer("rows"),
                       a.integer("columns"),
                       a.integer("dims"),
                       a.integer("x_batch_stride"),
                       a.integer("x_stride"),
                       a.integer("y_batch_stride"),
                       a.integer("y_stride"),
                       a.buffer<int64_t>("x_lengths"),
                       a.buffer<int64_t>("y_lengths"),
                       static_cast<Metric>(a.integer("metric")),
                       static_cast<int32_t>(a.integer("pattern")),
                       band,
                       a.integer("open_begin") != 0,
                       a.integer("open_end") != 0,
                       a.integer("memory_budget"),
                       static_cast<int32_t>(a.integer("threads"))};
  const DtwResult result{a.buffer<int64_t>("path"), a.buffer<int64_t>("path_size"), a.buffer<double>("distance"),
                         a.buffer<double>("normalized")};
  return dtw(batch, result).sequence < 0;
}

// Paths are equal to the bit whatever computes them, sums are not.
constexpr Operation kOperations[] = {
    {"viterbi", 0, 0, run_viterbi},
    {"forward_backward", 1e-4, 1e-9, run_forward_backward},
    {"constrained_viterbi", 0, 0, run_constrained_viterbi},
    {"filter", 1e-4, 1e-9, run_filter},
    {"sample", 0, 0, run_sample},
    {"semi_markov_viterbi", 0, 0, run_semi_markov_viterbi},
    {"semi_markov_sums", 1e-4, 1e-9, run_semi_markov_sums},
    {"diagonal_densities", 1e-4, 1e-9, run_diagonal_densities},
    {"diagonal_moments", 1e-4, 1e-9, run_diagonal_moments},
    {"dtw", 0, 0, run_dtw},
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
