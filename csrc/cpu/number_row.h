// NumberRow: numbers (mantissa, exponent) over the states of a graph, in the layout of linear_sums.h.
#pragma once

#include <algorithm>

#include "../semiring.h"
#include "buffer.h"
#include "isa.h"
#include "linear_viterbi.h"

namespace streamhmm {

// Where the numbers stand in a block of memory: mantissas, then exponents.
template <class Real>
class RowLayout {
 public:
  explicit RowLayout(int64_t states) : width_((linear_groups(states) + 2) * kGroup) {}

  int64_t bytes() const { return width_ * static_cast<int64_t>(sizeof(Real) + sizeof(Exponent<Real>)); }
  ScaledRow<Real> row(uint8_t* memory) const {
    Real* mantissa = reinterpret_cast<Real*>(memory);
    return {mantissa + kGroup, reinterpret_cast<Exponent<Real>*>(mantissa + width_) + kGroup};
  }
  ConstScaledRow<Real> row(const uint8_t* memory) const {
    const auto r = row(const_cast<uint8_t*>(memory));
    return {r.mantissa, r.exponent};
  }
  void clear(uint8_t* memory) const {
    const auto r = row(memory);
    std::fill_n(r.mantissa - kGroup, width_, Real(0));
    std::fill_n(r.exponent - kGroup, width_, Exponent<Real>(kZeroExponent));
  }

 private:
  int64_t width_;
};

template <class Real>
class NumberRow {
 public:
  // Zeros.
  explicit NumberRow(int64_t states) : layout_(states), memory_(layout_.bytes()) { layout_.clear(memory_.data()); }

  // exp(logs[i]) for the first `count` states, zeros behind.
  NumberRow(int64_t states, const Real* logs, int64_t count) : NumberRow(states) {
    if (count <= 0) return;
    kernels_of<Real>().exponentials(logs, nullptr, static_cast<int32_t>(count), row());
    for (int64_t i = count; i < linear_groups(count) * kGroup; ++i) {
      row().mantissa[i] = 0;
      row().exponent[i] = kZeroExponent;
    }
  }

  // Takes the numbers of a row of the same size.
  void copy(const NumberRow& other) { std::copy_n(other.memory_.data(), layout_.bytes(), memory_.data()); }

  ScaledRow<Real> row() { return layout_.row(memory_.data()); }
  ConstScaledRow<Real> row() const { return layout_.row(memory_.data()); }
  Scaled<Real> operator[](int64_t i) const { return {row().mantissa[i], row().exponent[i]}; }

 private:
  RowLayout<Real> layout_;
  Buffer<uint8_t> memory_;
};

}  // namespace streamhmm
