// Dynamic time warping forward over the strips. Recursion and tie rule: ../dtw.h.
#pragma once

#include "dtw_strips.h"

namespace streamhmm::cuda {

// Where the row above a slab comes from and where D of its last row goes, each (batch, columns); null: from where the
// strips before have left it, and nowhere else.
struct SavedRows {
  const double* from;
  double* to;
};

void cross_strips(const DtwPlan& plan, const Slab& slab, const SavedRows& saved, int device, void* stream);

}  // namespace streamhmm::cuda
