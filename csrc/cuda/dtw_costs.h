// Costs for dynamic time warping, laid out as the strips read them.
#pragma once

#include "dtw_strips.h"

namespace streamhmm::cuda {

// What has to be known before: 1 / |frame| for the cosine, pairs that no path passes; `invalid` becomes −1.
void prepare_costs(const DtwPlan& plan, int64_t* invalid, void* stream);

// The tiles of a slab. Given costs that are NaN or −inf are noted in `invalid`: the first of each pair.
void fill_costs(const DtwPlan& plan, const Slab& slab, int64_t* invalid, void* stream);

}  // namespace streamhmm::cuda
