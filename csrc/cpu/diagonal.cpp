// The driver of diagonal Gaussians: rows of frames over threads, what the kernels read padded to whole groups.
#include "../diagonal.h"

#include <algorithm>

#include "buffer.h"
#include "kernels.h"
#include "thread_pool.h"

namespace streamhmm {
namespace {

constexpr int64_t kJobCells = 1 << 18;       // frames × features × Gaussians that a thread takes at once, or more
constexpr int64_t kMostParts = 32;           // of the rows, each with sums of its own
constexpr int64_t kMostPartCells = 1 << 22;  // numbers in all these sums

int64_t in_groups(int64_t count, int64_t group) { return (count + group - 1) / group * group; }

template <class Real>
const Real* as(const void* data) {
  return static_cast<const Real*>(data);
}

int64_t job_rows(int64_t dims, int64_t gaussians) {
  const int64_t rows = kJobCells / std::max<int64_t>(1, dims * gaussians);
  return std::max<int64_t>(kDensityRows, in_groups(rows, kDensityRows));
}

template <class Real>
Buffer<Real> origin_of(const FrameRows& frames) {
  Buffer<Real> origin(frames.dims, Real(0));
  if (frames.origin != nullptr) std::copy_n(as<Real>(frames.origin), frames.dims, origin.data());
  return origin;
}

// (rows, padded) from (rows, columns), with zeros behind them.
template <class Real>
Buffer<Real> padded_rows(const void* matrix, int64_t rows, int64_t columns, int64_t padded) {
  Buffer<Real> result(rows * padded);
  for (int64_t i = 0; i < rows; ++i) {
    Real* row = result.data() + i * padded;
    std::copy_n(as<Real>(matrix) + i * columns, columns, row);
    std::fill(row + columns, row + padded, Real(0));
  }
  return result;
}

template <class Real>
void densities_of(const FrameRows& frames, const DiagonalGaussians& model, Real* out) {
  const int64_t dims = frames.dims, count = model.gaussians, padded = in_groups(count, kGaussianGroup);
  const Buffer<Real> origin = origin_of<Real>(frames), constant = padded_rows<Real>(model.constant, 1, count, padded),
                     linear = padded_rows<Real>(model.linear, dims, count, padded),
                     square = padded_rows<Real>(model.square, dims, count, padded);
  const int64_t step = job_rows(dims, count);
  parallel_for((frames.count + step - 1) / step, frames.threads, [&](int64_t job) {
    const int64_t first = job * step, rows = std::min(step, frames.count - first);
    Buffer<Real> centred(kDensityRows * dims);
    kernels_of<Real>().diagonal_densities({as<Real>(frames.frames) + first * frames.stride, rows, dims, frames.stride,
                                           origin.data(), count, padded, constant.data(), linear.data(), square.data(),
                                           centred.data(), out + first * count});
  });
}

// The sums of some of the rows: mass (padded), total and squares (padded_dims, padded) behind each other.
template <class Real>
class MomentParts {
 public:
  MomentParts(const FrameRows& frames, const WeightedSums& sums)
      : frames_(frames),
        sums_(sums),
        padded_(in_groups(sums.gaussians, kGaussianGroup)),
        padded_dims_(in_groups(frames.dims, kFeatureGroup)),
        cells_(padded_ * (1 + 2 * padded_dims_)),
        step_(rows_a_part()),
        parts_((frames.count + step_ - 1) / step_),
        origin_(origin_of<Real>(frames)),
        partial_(parts_ * cells_) {}

  void run() {
    parallel_for(parts_, frames_.threads, [&](int64_t part) { sum(part); });
    std::fill_n(sums_.mass, sums_.gaussians, 0.0);
    std::fill_n(sums_.total, sums_.gaussians * frames_.dims, 0.0);
    std::fill_n(sums_.squares, sums_.gaussians * frames_.dims, 0.0);
    for (int64_t part = 0; part < parts_; ++part) add(partial_.data() + part * cells_);
  }

 private:
  // Of the sizes alone, so that the sums do not depend on the threads.
  int64_t rows_a_part() const {
    const int64_t most = std::clamp<int64_t>(kMostPartCells / std::max<int64_t>(1, cells_), 1, kMostParts);
    const int64_t rows = std::max((frames_.count + most - 1) / most, job_rows(frames_.dims, sums_.gaussians));
    return in_groups(rows, kMomentRows);
  }

  void sum(int64_t part) {
    const int64_t first = part * step_, rows = std::min(step_, frames_.count - first);
    double *mass = partial_.data() + part * cells_, *total = mass + padded_, *squares = total + padded_dims_ * padded_;
    std::fill_n(mass, cells_, 0.0);
    Buffer<double> features(kMomentRows * 2 * padded_dims_), spread(kMomentRows * padded_);
    kernels_of<Real>().diagonal_moments({as<Real>(frames_.frames) + first * frames_.stride, rows, frames_.dims,
                                         padded_dims_, frames_.stride, origin_.data(),
                                         as<Real>(sums_.weights) + first * sums_.stride, sums_.stride, sums_.gaussians,
                                         padded_, features.data(), spread.data(), mass, total, squares});
  }

  void add(const double* mass) {
    const double *total = mass + padded_, *squares = total + padded_dims_ * padded_;
    for (int64_t k = 0; k < sums_.gaussians; ++k) {
      sums_.mass[k] += mass[k];
      for (int64_t d = 0; d < frames_.dims; ++d) {
        sums_.total[k * frames_.dims + d] += total[d * padded_ + k];
        sums_.squares[k * frames_.dims + d] += squares[d * padded_ + k];
      }
    }
  }

  const FrameRows& frames_;
  const WeightedSums& sums_;
  int64_t padded_, padded_dims_, cells_, step_, parts_;
  Buffer<Real> origin_;
  Buffer<double> partial_;
};

}  // namespace

void diagonal_densities(const FrameRows& frames, const DiagonalGaussians& model, void* out) {
  if (frames.is_double) {
    densities_of<double>(frames, model, static_cast<double*>(out));
  } else {
    densities_of<float>(frames, model, static_cast<float*>(out));
  }
}

void diagonal_moments(const FrameRows& frames, const WeightedSums& sums) {
  if (frames.is_double) {
    MomentParts<double>(frames, sums).run();
  } else {
    MomentParts<float>(frames, sums).run();
  }
}

}  // namespace streamhmm
