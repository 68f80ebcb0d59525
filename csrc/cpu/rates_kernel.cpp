// The arithmetic of the recursions without their memory: what a core computes when nothing else holds it up.
//
//   add-max:       a_k ← max(a_k + w, b)
//   multiply-add:  a_k ← a_k · w + b,  fused where the target has such an instruction
//
// for kChains vectors a_k that do not wait for each other, so that the ports, not the latencies, set the pace: two
// operations of 4 cycles each, two a cycle, want 8 chains. 14 leave room for w and b in 16 registers. w and b arrive
// as arguments, and the sum of all a_k is written out: nothing can be computed beforehand or left out.
#include "kernels.h"
#include "simd.h"

namespace streamhmm {
namespace STREAMHMM_TARGET {
namespace {

constexpr int kChains = 14;

template <class Real>
struct AddMax {
  using V = Vec<Real>;
  STREAMHMM_KERNEL V step(V a, V w, V b) { return V::max(V::add(a, w), b); }
};

template <class Real>
struct MultiplyAdd {
  using V = Vec<Real>;
  STREAMHMM_KERNEL V step(V a, V w, V b) {
#if defined(__AVX512F__)
    if constexpr (sizeof(Real) == 4) return {_mm512_fmadd_ps(a.v, w.v, b.v)};
    if constexpr (sizeof(Real) == 8) return {_mm512_fmadd_pd(a.v, w.v, b.v)};
#elif defined(__AVX2__)
    if constexpr (sizeof(Real) == 4) return {_mm256_fmadd_ps(a.v, w.v, b.v)};
    if constexpr (sizeof(Real) == 8) return {_mm256_fmadd_pd(a.v, w.v, b.v)};
#else
    return {a.v * w.v + b.v};
#endif
  }
};

template <template <class> class Operation, class Real>
int64_t run(int64_t steps, Real w, Real b, double* result) {
  using V = Vec<Real>;
  const V every_w = V::fill(w), every_b = V::fill(b);
  V chain[kChains];
  for (int k = 0; k < kChains; ++k) chain[k] = V::fill(w * static_cast<Real>(k));
  for (int64_t step = 0; step < steps; ++step) {
    for (int k = 0; k < kChains; ++k) chain[k] = Operation<Real>::step(chain[k], every_w, every_b);
  }
  *result = 0.0;
  for (int k = 0; k < kChains; ++k) {
    Real lanes[V::kLanes];
    V::store(lanes, chain[k]);
    for (int lane = 0; lane < V::kLanes; ++lane) *result += static_cast<double>(lanes[lane]);
  }
  return steps * kChains * V::kLanes;
}

}  // namespace

void fill_rates(Kernels& table) {
  table.single_precision.add_max = run<AddMax, float>;
  table.double_precision.add_max = run<AddMax, double>;
  table.single_precision.multiply_add = run<MultiplyAdd, float>;
  table.double_precision.multiply_add = run<MultiplyAdd, double>;
}

}  // namespace STREAMHMM_TARGET
}  // namespace streamhmm
