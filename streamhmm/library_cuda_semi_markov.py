"""The operations with explicit durations on CUDA devices: what ``library_semi_markov.py`` has for the CPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from streamhmm import _C, library_cuda
from streamhmm.library import check_operand, sizes, weights_dtype
from streamhmm.library_cuda import check_beside, device_batch, register, run, weight_gradient


def _durations(scores: Tensor, durations: Tensor) -> _C.Durations:
    check_beside(scores, durations)
    check_operand(durations, torch.float64, [tuple(durations.shape[-2:])])
    return _C.Durations(durations.data_ptr(), *durations.shape)


def _viterbi(scores: Tensor, durations: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    states = scores.new_empty(scores.shape[:-1], dtype=torch.int64)
    score = scores.new_empty(scores.shape[:-2], dtype=torch.float64)
    call = device_batch(scores, *rest)
    operation = library_cuda.core().semi_markov_viterbi
    run(operation, scores.device, call, _durations(scores, durations), states.data_ptr(), score.data_ptr())
    return states, score


def _log_likelihood(scores: Tensor, durations: Tensor, *rest: Any) -> Tensor:
    result = scores.new_empty(scores.shape[:-2], dtype=torch.float64)
    _sums(scores, durations, rest, log_likelihood=result)
    return result


def _posteriors(scores: Tensor, durations: Tensor, *rest: Any) -> Tensor:
    *operands, states = rest
    result = scores.new_empty((*scores.shape[:-1], states or scores.shape[-1]), dtype=weights_dtype(scores.dtype))
    _sums(scores, durations, operands, by_state=result if states else None, by_pdf=None if states else result)
    return result


def _gradients(grad: Tensor, scores: Tensor, durations: Tensor, *rest: Any) -> tuple[Tensor, Tensor, Tensor]:
    *operands, wants_weights, wants_durations = rest
    _, structure, weights, _ = operands
    batch, size, shared = sizes(scores)[0], weights.numel(), int(structure[0]) == 1
    by_pdf = scores.new_empty(scores.shape, dtype=weights_dtype(scores.dtype))
    counts = scores.new_zeros((batch if shared else 1, size if wants_weights else 0), dtype=torch.float64)
    states, longest = durations.shape
    segments = scores.new_zeros((batch, longest, states) if wants_durations else (0,), dtype=torch.float64)
    total = scores.new_empty(batch, dtype=torch.float64)
    grad = grad.to(torch.float64).expand(scores.shape[:-2]).reshape(-1).contiguous()
    _sums(
        scores,
        durations,
        operands,
        log_likelihood=total,
        by_pdf=by_pdf,
        by_pdf_scale=grad,
        counts=counts if wants_weights else None,
        counts_stride=size if shared else 0,
        segments=segments if wants_durations else None,
    )
    share = grad.masked_fill(total == float("-inf"), 0.0)  # where no path fits, whatever comes from above
    share = torch.where(total.isnan(), total, share)
    by_weight = weight_gradient(share, counts, structure) if wants_weights else counts.new_zeros(0)
    by_duration = (share @ segments.flatten(1)).reshape(longest, states).T if wants_durations else segments
    return by_pdf.to(scores.dtype), by_weight.to(weights.dtype), by_duration.contiguous()


def _sums(
    scores: Tensor,
    durations: Tensor,
    operands: Any,
    *,
    log_likelihood: Tensor | None = None,
    by_state: Tensor | None = None,
    by_pdf: Tensor | None = None,
    by_pdf_scale: Tensor | None = None,
    counts: Tensor | None = None,
    counts_stride: int = 0,
    segments: Tensor | None = None,
) -> None:
    """Sums over paths, see csrc/semi_markov.h; ``counts`` and ``segments`` (B, D, S) come zeroed."""

    def address(tensor: Tensor | None) -> int:
        return 0 if tensor is None else tensor.data_ptr()

    wide = 0 if by_state is None else by_state.shape[-1]
    targets = (address(log_likelihood), address(by_state), wide, address(by_pdf), address(by_pdf_scale))
    more = (address(counts), counts_stride, address(segments))
    operation = library_cuda.core().semi_markov_sums
    run(operation, scores.device, device_batch(scores, *operands), _durations(scores, durations), *targets, *more)


register(
    {
        "semi_markov_viterbi": _viterbi,
        "semi_markov_log_likelihood": _log_likelihood,
        "semi_markov_posteriors": _posteriors,
        "semi_markov_gradients": _gradients,
    }
)
