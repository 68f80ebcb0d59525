#include "../rates.h"

#include "kernels.h"

namespace streamhmm {

namespace {

template <class Real>
int64_t run(Arithmetic arithmetic, int64_t steps) {
  const KernelsOf<Real>& kernels = kernels_of<Real>();
  double result;
  return arithmetic == Arithmetic::kAddMax ? kernels.add_max(steps, Real(-0.5), Real(-1), &result)
                                           : kernels.multiply_add(steps, Real(0.5), Real(1), &result);
}

}  // namespace

int64_t run_arithmetic(Arithmetic arithmetic, bool is_double, int64_t steps) {
  return is_double ? run<double>(arithmetic, steps) : run<float>(arithmetic, steps);
}

}  // namespace streamhmm
