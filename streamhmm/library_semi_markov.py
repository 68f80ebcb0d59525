"""The operations with explicit durations as torch sees them; ``library.py`` has those without.

``durations`` (S, D) float64 is shared by the batch; the other arguments and the results are as in ``library.py``.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from streamhmm import _C
from streamhmm.library import (
    batch_of,
    check_operand,
    keep_operands,
    log_likelihood_fake,
    new_path,
    path_fake,
    posteriors_fake,
    refuse_second_derivatives,
    sizes,
    weight_gradient,
    weighted_sum,
    zeros,
)


def _durations(durations: Tensor) -> _C.Durations:
    check_operand(durations, torch.float64, [tuple(durations.shape[-2:])])
    return _C.Durations(durations.data_ptr(), *durations.shape)


def _viterbi_cpu(scores: Tensor, durations: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    states, score = new_path(scores.shape)
    _C.semi_markov_viterbi(batch_of(scores, *rest), _durations(durations), states.data_ptr(), score.data_ptr())
    return states, score


def _log_likelihood_cpu(scores: Tensor, durations: Tensor, *rest: Any) -> Tensor:
    result = torch.empty(scores.shape[:-2], dtype=torch.float64)
    _C.semi_markov_sums(batch_of(scores, *rest), _durations(durations), result.data_ptr(), 0, 0, 0, 0, 0, 0)
    return result


def _posteriors_cpu(scores: Tensor, durations: Tensor, *rest: Any) -> Tensor:
    *graph, states = rest
    result = scores.new_zeros((*scores.shape[:-1], states or scores.shape[-1]))
    by_state, by_pdf = (result.data_ptr(), 0) if states else (0, result.data_ptr())
    call = batch_of(scores, *graph)
    _C.semi_markov_sums(call, _durations(durations), 0, by_state, states, by_pdf, 0, 0, 0)
    return result


def _gradients_cpu(
    grad: Tensor,
    scores: Tensor,
    durations: Tensor,
    lengths: Tensor | None,
    structure: Tensor,
    weights: Tensor,
    memory_budget: int,
    wants_weights: bool,
    wants_durations: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    batch, size = sizes(scores)[0], weights.numel()
    by_pdf = torch.zeros(scores.shape, dtype=scores.dtype)
    shared = int(structure[0]) == 1
    counts = zeros(batch if shared else 1, size if wants_weights else 0)
    segments = zeros(batch, *durations.shape) if wants_durations else zeros(0)
    total = torch.empty(scores.shape[:-2], dtype=torch.float64)
    _C.semi_markov_sums(
        batch_of(scores, lengths, structure, weights, memory_budget),
        _durations(durations),
        total.data_ptr(),
        0,
        0,
        by_pdf.data_ptr(),
        counts.data_ptr() if wants_weights else 0,
        size if shared else 0,
        segments.data_ptr() if wants_durations else 0,
    )
    grad = grad.masked_fill(total == float("-inf"), 0.0)  # where no path fits, whatever comes from above
    by_pdf.mul_(grad.to(scores.dtype)[..., None, None])
    by_weight = weight_gradient(grad.reshape(batch), counts, structure, size) if wants_weights else counts[0]
    by_duration = weighted_sum(grad.reshape(batch), segments) if wants_durations else segments
    return by_pdf, by_weight.to(scores.dtype), by_duration


_OPERANDS = "Tensor scores, Tensor durations, Tensor? lengths, Tensor structure, Tensor weights, int memory_budget"
_LIBRARY = torch.library.Library("streamhmm", "FRAGMENT")
_LIBRARY.define(f"semi_markov_viterbi({_OPERANDS}) -> (Tensor, Tensor)")
_LIBRARY.define(f"semi_markov_log_likelihood({_OPERANDS}) -> Tensor")
_LIBRARY.define(f"semi_markov_posteriors({_OPERANDS}, int states) -> Tensor")
_LIBRARY.define(
    f"semi_markov_gradients(Tensor grad, {_OPERANDS}, bool wants_weights, bool wants_durations)"
    " -> (Tensor, Tensor, Tensor)"
)
_LIBRARY.impl("semi_markov_viterbi", _viterbi_cpu, "CPU")
_LIBRARY.impl("semi_markov_log_likelihood", _log_likelihood_cpu, "CPU")
_LIBRARY.impl("semi_markov_posteriors", _posteriors_cpu, "CPU")
_LIBRARY.impl("semi_markov_gradients", _gradients_cpu, "CPU")

SEMI_MARKOV_VITERBI = torch.ops.streamhmm.semi_markov_viterbi.default
SEMI_MARKOV_LOG_LIKELIHOOD = torch.ops.streamhmm.semi_markov_log_likelihood.default
SEMI_MARKOV_POSTERIORS = torch.ops.streamhmm.semi_markov_posteriors.default
_GRADIENTS = torch.ops.streamhmm.semi_markov_gradients.default


torch.library.register_fake("streamhmm::semi_markov_viterbi", path_fake, lib=_LIBRARY)
torch.library.register_fake("streamhmm::semi_markov_log_likelihood", log_likelihood_fake, lib=_LIBRARY)
torch.library.register_fake("streamhmm::semi_markov_posteriors", posteriors_fake, lib=_LIBRARY)


@torch.library.register_fake("streamhmm::semi_markov_gradients", lib=_LIBRARY)
def _gradients_fake(grad: Tensor, scores: Tensor, durations: Tensor, *rest: Any) -> tuple[Tensor, Tensor, Tensor]:
    *_, weights, _, wants_weights, wants_durations = rest
    by_weight = weights.new_empty(weights.numel() if wants_weights else 0)
    return scores.new_empty(scores.shape), by_weight, durations.new_empty(durations.shape if wants_durations else (0,))


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    wants_scores, wants_durations, _, _, wants_weights, _ = ctx.needs_input_grad
    by_pdf, by_weight, by_duration = _GRADIENTS(
        grad, *ctx.saved_tensors, ctx.memory_budget, wants_weights, wants_durations
    )
    return (
        by_pdf if wants_scores else None,
        by_duration if wants_durations else None,
        None,
        None,
        by_weight if wants_weights else None,
        None,
    )


torch.library.register_autograd(
    "streamhmm::semi_markov_log_likelihood", _backward, setup_context=keep_operands, lib=_LIBRARY
)
torch.library.register_autograd("streamhmm::semi_markov_gradients", refuse_second_derivatives, lib=_LIBRARY)
