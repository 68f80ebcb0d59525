// What is the same for all ways of summing: results where there is no path, and of sequences that are invalid.
#pragma once

#include "summer.h"

namespace streamhmm::cuda {

// Posteriors 0, log-likelihoods −inf.
void clear_sums(const DeviceBatch& batch, const SumTargets& to);

// Hands over the log-likelihoods; all results of invalid sequences become NaN.
void finish_sums(const DeviceBatch& batch, const Inspection& inspection, const SumTargets& to);

}  // namespace streamhmm::cuda
