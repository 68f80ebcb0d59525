"""The operations as torch sees them: registered with ``torch.library``, for the CPU, for tracing, with gradients.

Arguments come checked from ``ops.py``; who calls an operation by itself gets a ValueError for tensors that the core
can't read, and the core checks what is in them. Results have a batch axis where the scores have one. ``structure`` and
``weights`` are the packed graphs of csrc/graph.h.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from streamhmm import _C


def sizes(scores: Tensor) -> tuple[int, int, int]:
    """(B, T, V); B is 1 without a batch axis."""
    shape = scores.shape
    return (1, shape[0], shape[1]) if len(shape) == 2 else (shape[0], shape[1], shape[2])


def check_layout(scores: Tensor, lengths: Tensor | None, structure: Tensor, weights: Tensor) -> None:
    """Whether the tensors, all of them on the CPU if this is called, are laid out as the core reads them."""
    dtype = scores.dtype
    if (
        (dtype is not torch.float32 and dtype is not torch.float64)
        or not 2 <= scores.dim() <= 3
        or (scores.stride(-1) != 1 and scores.shape[-1] > 1 and scores.numel() > 0)
    ):
        raise ValueError(
            "scores must be (B, T, V) or (T, V), float32 or float64, with the last axis contiguous, "
            f"got {_layout(scores)}"
        )
    if weights.dtype is not dtype or not weights.is_contiguous():
        raise ValueError(f"weights must be contiguous and {dtype}, got {_layout(weights)}")
    if structure.dtype is not torch.int32 or not structure.is_contiguous():
        raise ValueError(f"structure must be contiguous and torch.int32, got {_layout(structure)}")
    if lengths is None:
        return
    batch = sizes(scores)[0]
    if lengths.dtype is not torch.int64 or lengths.numel() != batch or not lengths.is_contiguous():
        raise ValueError(f"lengths must be ({batch},), contiguous and torch.int64, got {_layout(lengths)}")


def _layout(tensor: Tensor) -> str:
    return f"{tensor.dtype} of shape {tuple(tensor.shape)} and strides {tensor.stride()}"


def batch_of(
    scores: Tensor, lengths: Tensor | None, structure: Tensor, weights: Tensor, memory_budget: int
) -> _C.Batch:
    check_layout(scores, lengths, structure, weights)
    batch, frames, columns = sizes(scores)
    *batch_stride, frame_stride, _ = scores.stride()
    return _C.Batch(
        scores.data_ptr(),
        scores.dtype == torch.float64,
        batch,
        frames,
        columns,
        batch_stride[0] if batch_stride else 0,
        frame_stride,
        0 if lengths is None else lengths.data_ptr(),
        structure.data_ptr(),
        structure.numel(),
        weights.data_ptr(),
        weights.numel(),
        memory_budget,
        torch.get_num_threads(),
    )


def _viterbi_cpu(
    scores: Tensor, lengths: Tensor | None, structure: Tensor, weights: Tensor, memory_budget: int, beam: float
) -> tuple[Tensor, Tensor]:
    shape = scores.shape
    states = torch.empty(shape[:-1], dtype=torch.int64)
    score = torch.empty(shape[:-2], dtype=torch.float64)
    call = batch_of(scores, lengths, structure, weights, memory_budget)
    _C.viterbi(call, beam, states.data_ptr(), score.data_ptr())
    return states, score


def _log_likelihood_cpu(scores: Tensor, *rest: Any) -> Tensor:
    result = torch.empty(scores.shape[:-2], dtype=torch.float64)
    _C.forward_backward(batch_of(scores, *rest), result.data_ptr(), 0, 0, 0, 0, 0, 0)
    return result


def _posteriors_cpu(
    scores: Tensor, lengths: Tensor | None, structure: Tensor, weights: Tensor, memory_budget: int, states: int
) -> Tensor:
    make = scores.new_zeros if states else scores.new_empty
    result = make((*scores.shape[:-1], states or scores.shape[-1]))
    by_state, by_pdf = (result.data_ptr(), 0) if states else (0, result.data_ptr())
    call = batch_of(scores, lengths, structure, weights, memory_budget)
    _C.forward_backward(call, 0, by_state, states, by_pdf, 0, 0, 0)
    return result


def _gradients_cpu(
    grad: Tensor,
    scores: Tensor,
    lengths: Tensor | None,
    structure: Tensor,
    weights: Tensor,
    memory_budget: int,
    wants_weights: bool,
) -> tuple[Tensor, Tensor]:
    batch, size = sizes(scores)[0], weights.numel()
    by_pdf = torch.empty(scores.shape, dtype=scores.dtype)
    shared = int(structure[0]) == 1
    counts = torch.zeros((batch if shared else 1, size if wants_weights else 0), dtype=torch.float64)
    call = batch_of(scores, lengths, structure, weights, memory_budget)
    total = torch.empty(scores.shape[:-2], dtype=torch.float64)
    stride = size if shared else 0
    to_counts = counts.data_ptr() if wants_weights else 0
    grad = grad.to(torch.float64).expand_as(total).contiguous()
    _C.forward_backward(call, total.data_ptr(), 0, 0, by_pdf.data_ptr(), grad.data_ptr(), to_counts, stride)
    grad = grad.masked_fill(total == float("-inf"), 0.0)  # where no path fits, whatever comes from above
    if not wants_weights:
        return by_pdf, scores.new_zeros(0)
    return by_pdf, weight_gradient(grad.reshape(batch), counts, structure, size).to(scores.dtype)


def weight_gradient(grad: Tensor, counts: Tensor, structure: Tensor, size: int) -> Tensor:
    """(size,) from each sequence's gradient (B,) and the counts (B, size), or (1, size) where each has a graph."""
    return grad @ counts if int(structure[0]) == 1 else _spread(grad, structure, size) * counts[0]


def _spread(grad: Tensor, structure: Tensor, size: int) -> Tensor:
    """Each sequence's gradient at the places of its graph's packed weights."""
    starts = structure[1 : 1 + 6 * len(grad)].view(-1, 6)[:, 5].to(torch.int64)
    ends = torch.cat([starts[1:], torch.tensor([size])])
    return torch.repeat_interleave(grad, ends - starts)


_OPERANDS = "Tensor scores, Tensor? lengths, Tensor structure, Tensor weights, int memory_budget"
_LIBRARY = torch.library.Library("streamhmm", "DEF")
_LIBRARY.define(f"viterbi({_OPERANDS}, float beam) -> (Tensor, Tensor)")
_LIBRARY.define(f"log_likelihood({_OPERANDS}) -> Tensor")
_LIBRARY.define(f"posteriors({_OPERANDS}, int states) -> Tensor")
_LIBRARY.define(f"gradients(Tensor grad, {_OPERANDS}, bool wants_weights) -> (Tensor, Tensor)")
_LIBRARY.impl("viterbi", _viterbi_cpu, "CPU")
_LIBRARY.impl("log_likelihood", _log_likelihood_cpu, "CPU")
_LIBRARY.impl("posteriors", _posteriors_cpu, "CPU")
_LIBRARY.impl("gradients", _gradients_cpu, "CPU")

# Looking an operation up by name costs as much as dispatching it.
VITERBI = torch.ops.streamhmm.viterbi.default
LOG_LIKELIHOOD = torch.ops.streamhmm.log_likelihood.default
POSTERIORS = torch.ops.streamhmm.posteriors.default
GRADIENTS = torch.ops.streamhmm.gradients.default


@torch.library.register_fake("streamhmm::viterbi", lib=_LIBRARY)
def _viterbi_fake(scores: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    shape = scores.shape
    return scores.new_empty(shape[:-1], dtype=torch.int64), scores.new_empty(shape[:-2], dtype=torch.float64)


@torch.library.register_fake("streamhmm::log_likelihood", lib=_LIBRARY)
def _log_likelihood_fake(scores: Tensor, *rest: Any) -> Tensor:
    return scores.new_empty(scores.shape[:-2], dtype=torch.float64)


@torch.library.register_fake("streamhmm::posteriors", lib=_LIBRARY)
def _posteriors_fake(scores: Tensor, *rest: Any) -> Tensor:
    return scores.new_empty((*scores.shape[:-1], rest[-1] or scores.shape[-1]))


@torch.library.register_fake("streamhmm::gradients", lib=_LIBRARY)
def _gradients_fake(grad: Tensor, scores: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    weights = rest[2]
    return scores.new_empty(scores.shape), weights.new_empty(weights.numel() if rest[-1] else 0)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    *tensors, ctx.memory_budget = inputs
    ctx.save_for_backward(*tensors)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    wants_scores, _, _, wants_weights, _ = ctx.needs_input_grad
    by_pdf, by_weight = GRADIENTS(grad, *ctx.saved_tensors, ctx.memory_budget, wants_weights)
    return by_pdf if wants_scores else None, None, None, by_weight if wants_weights else None, None


def _backward_of_backward(ctx: Any, *grads: Tensor) -> None:
    raise NotImplementedError("log_likelihood has first derivatives only")


torch.library.register_autograd("streamhmm::log_likelihood", _backward, setup_context=_setup_context, lib=_LIBRARY)
torch.library.register_autograd("streamhmm::gradients", _backward_of_backward, lib=_LIBRARY)
