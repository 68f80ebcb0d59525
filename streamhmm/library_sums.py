"""Further sums over paths as torch sees them: expected counts, filtering, smoothing, sampling. See ``library.py``."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from streamhmm import _C
from streamhmm.library import (
    OPERANDS,
    batch_of,
    budget_bytes,
    check_lag,
    check_rows,
    check_uniforms,
    log_likelihood_fake,
    parts,
    posteriors_fake,
    sizes,
    weighted_sum,
    zeros,
)


def _expected_counts_cpu(scores: Tensor, *rest: Any) -> Tensor:
    """(rows, weights) counts in packed order. A row a sequence, or one: the sum over the batch if the graph is shared,
    else each sequence's counts at the places of its own graph's weights."""
    return _counts(None, None, scores, *rest)


def _forward_backward_cpu(scores: Tensor, *rest: Any) -> tuple[Tensor, Tensor, Tensor]:
    """What log_likelihood, posteriors by pdf and expected_counts give, from one pass there and back."""
    log_likelihood = torch.empty(scores.shape[:-2], dtype=torch.float64)
    by_pdf = torch.empty(scores.shape, dtype=scores.dtype)
    counts = _counts(log_likelihood, by_pdf, scores, *rest)
    return log_likelihood, by_pdf, counts


def _counts(
    log_likelihood: Tensor | None,
    by_pdf: Tensor | None,
    scores: Tensor,
    lengths: Tensor | None,
    structure: Tensor,
    weights: Tensor,
    memory_budget: int,
    rows: int,
) -> Tensor:
    """Counts, and on the way what has room given."""
    batch, size = sizes(scores)[0], weights.numel()
    check_rows(rows, batch, int(structure[0]) == 1)
    result = zeros(rows, size)
    whole = (scores, lengths, structure, weights, memory_budget)
    if int(structure[0]) > 1 or rows == batch:
        _sum(result, size if int(structure[0]) == 1 else 0, log_likelihood, by_pdf, *whole)
        return result
    for part in parts(batch, size, budget_bytes(memory_budget)):
        counts = zeros(part.stop - part.start, size)
        of_part, likelihoods, rows_of_part = (
            None if each is None else each[part] for each in (lengths, log_likelihood, by_pdf)
        )
        _sum(counts, size, likelihoods, rows_of_part, scores[part], of_part, structure, weights, memory_budget)
        result += weighted_sum(torch.ones(len(counts), dtype=torch.float64), counts)
    return result


def _sum(counts: Tensor, stride: int, log_likelihood: Tensor | None, by_pdf: Tensor | None, *operands: Any) -> None:
    likelihoods, slopes = (0 if each is None else each.data_ptr() for each in (log_likelihood, by_pdf))
    _C.forward_backward(batch_of(*operands), likelihoods, 0, 0, slopes, 0, counts.data_ptr(), stride)


def _smooth_cpu(scores: Tensor, *rest: Any) -> Tensor:
    *operands, lag, end_counts, states = rest
    check_lag(lag)
    result = scores.new_zeros((*scores.shape[:-1], states or scores.shape[-1]))
    by_state, by_pdf = (result.data_ptr(), 0) if states else (0, result.data_ptr())
    _C.filter(batch_of(scores, *operands), lag, end_counts, by_state, states, by_pdf)
    return result


def _sample_cpu(scores: Tensor, *rest: Any) -> Tensor:
    *operands, uniforms = rest
    check_uniforms(scores, uniforms)
    states = torch.empty(uniforms.shape, dtype=torch.int64)
    _C.sample(batch_of(scores, *operands), states.data_ptr(), uniforms.data_ptr(), uniforms.shape[-2])
    return states


_LIBRARY = torch.library.Library("streamhmm", "FRAGMENT")
_LIBRARY.define(f"expected_counts({OPERANDS}, SymInt rows) -> Tensor")
_LIBRARY.define(f"forward_backward({OPERANDS}, SymInt rows) -> (Tensor, Tensor, Tensor)")
_LIBRARY.define(f"smooth({OPERANDS}, SymInt lag, bool end_counts, int states) -> Tensor")
_LIBRARY.define(f"sample({OPERANDS}, Tensor uniforms) -> Tensor")
_LIBRARY.impl("expected_counts", _expected_counts_cpu, "CPU")
_LIBRARY.impl("forward_backward", _forward_backward_cpu, "CPU")
_LIBRARY.impl("smooth", _smooth_cpu, "CPU")
_LIBRARY.impl("sample", _sample_cpu, "CPU")

EXPECTED_COUNTS = torch.ops.streamhmm.expected_counts.default
FORWARD_BACKWARD = torch.ops.streamhmm.forward_backward.default
SMOOTH = torch.ops.streamhmm.smooth.default
SAMPLE = torch.ops.streamhmm.sample.default


torch.library.register_fake("streamhmm::smooth", posteriors_fake, lib=_LIBRARY)


@torch.library.register_fake("streamhmm::expected_counts", lib=_LIBRARY)
def _expected_counts_fake(scores: Tensor, *rest: Any) -> Tensor:
    weights, rows = rest[2], rest[-1]
    return scores.new_empty((rows, weights.numel()), dtype=torch.float64)


@torch.library.register_fake("streamhmm::forward_backward", lib=_LIBRARY)
def _forward_backward_fake(scores: Tensor, *rest: Any) -> tuple[Tensor, Tensor, Tensor]:
    return log_likelihood_fake(scores), posteriors_fake(scores, 0), _expected_counts_fake(scores, *rest)


@torch.library.register_fake("streamhmm::sample", lib=_LIBRARY)
def _sample_fake(scores: Tensor, *rest: Any) -> Tensor:
    uniforms: Tensor = rest[-1]
    return uniforms.new_empty(uniforms.shape, dtype=torch.int64)
