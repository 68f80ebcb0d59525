"""The operations as torch sees them: registered with ``torch.library``, for the CPU, for tracing, with gradients.

Arguments come checked from ``arguments.py``; who calls an operation by itself gets a ValueError for tensors that the
core can't read, and the core checks what is in them. Results have a batch axis where the scores have one. ``structure``
and ``weights`` are the packed graphs of csrc/graph.h.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from streamhmm import _C
from streamhmm.memory import default_memory_budget

DEFAULT_BUDGET = -1  # stands for the machine's own, found when an operation runs: a traced one may run elsewhere
FEWEST_IN_PART = 8  # sequences whose counts are held at once, whatever the budget: work for threads
MOST_IN_PART = 64


HALF_PRECISION = (torch.float16, torch.bfloat16)


def weights_dtype(scores: torch.dtype) -> torch.dtype:
    """The dtype of weights, and of posteriors, for scores of a dtype: at least single precision."""
    return torch.float32 if scores in HALF_PRECISION else scores


def sizes(scores: Tensor) -> tuple[int, int, int]:
    """(B, T, V); B is 1 without a batch axis."""
    shape = scores.shape
    return (1, shape[0], shape[1]) if len(shape) == 2 else (shape[0], shape[1], shape[2])


def check_layout(
    scores: Tensor,
    lengths: Tensor | None,
    structure: Tensor,
    weights: Tensor,
    dtypes: Sequence[torch.dtype] = (torch.float32, torch.float64),
) -> None:
    """Whether the tensors are laid out as the core reads them."""
    dtype = scores.dtype
    if (
        dtype not in dtypes
        or not 2 <= scores.dim() <= 3
        or (scores.stride(-1) != 1 and scores.shape[-1] > 1 and scores.numel() > 0)
    ):
        raise ValueError(
            f"scores must be (B, T, V) or (T, V), {' or '.join(_name(each) for each in dtypes)}, "
            f"with the last axis contiguous, got {_layout(scores)}"
        )
    wanted = weights_dtype(dtype)
    if weights.dtype is not wanted or not weights.is_contiguous():
        raise ValueError(f"weights must be contiguous and {wanted}, got {_layout(weights)}")
    if structure.dtype is not torch.int32 or not structure.is_contiguous():
        raise ValueError(f"structure must be contiguous and torch.int32, got {_layout(structure)}")
    if lengths is None:
        return
    batch = sizes(scores)[0]
    if lengths.dtype is not torch.int64 or lengths.numel() != batch or not lengths.is_contiguous():
        raise ValueError(f"lengths must be ({batch},), contiguous and torch.int64, got {_layout(lengths)}")


def check_operand(tensor: Tensor, dtype: torch.dtype, shapes: Sequence[tuple[int, ...]]) -> None:
    """Whether a tensor beside the usual ones is laid out as the core reads it."""
    if tensor.dtype is not dtype or tuple(tensor.shape) not in shapes or not tensor.is_contiguous():
        wanted = " or ".join(str(shape) for shape in shapes)
        raise ValueError(f"an operand must be contiguous and {dtype} of shape {wanted}, got {_layout(tensor)}")


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _layout(tensor: Tensor) -> str:
    return f"{tensor.dtype} of shape {tuple(tensor.shape)} and strides {tensor.stride()}"


def batch_of(
    scores: Tensor, lengths: Tensor | None, structure: Tensor, weights: Tensor, memory_budget: int
) -> _C.Batch:
    check_layout(scores, lengths, structure, weights)
    return core_batch(scores, lengths, structure, weights, budget_bytes(memory_budget), torch.get_num_threads())


def core_batch(
    scores: Tensor, lengths: Tensor | None, structure: Tensor, weights: Tensor, budget: int, threads: int
) -> _C.Batch:
    """The tensors, which have been checked, as the core takes them; ``budget`` in bytes."""
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
        budget,
        threads,
    )


def budget_bytes(memory_budget: int) -> int:
    return default_memory_budget() if memory_budget == DEFAULT_BUDGET else memory_budget


def new_path(shape: torch.Size) -> tuple[Tensor, Tensor]:
    """Room for states and scores. By numpy, which takes a third of the time: as much as a short sequence."""
    return torch.from_numpy(np.empty(shape[:-1], np.int64)), torch.from_numpy(np.empty(shape[:-2]))


def _viterbi_cpu(
    scores: Tensor, lengths: Tensor | None, structure: Tensor, weights: Tensor, memory_budget: int, beam: float
) -> tuple[Tensor, Tensor]:
    shape = scores.shape
    states, score = new_path(shape)
    call = batch_of(scores, lengths, structure, weights, memory_budget)
    _C.viterbi(call, beam, states.data_ptr(), score.data_ptr())
    return states, score


def _constrained_viterbi_cpu(scores: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    *operands, allowed, fixed = rest
    states, score = new_path(scores.shape)
    masks = constraint_addresses(scores.shape, allowed, fixed)
    _C.constrained_viterbi(batch_of(scores, *operands), *masks, states.data_ptr(), score.data_ptr())
    return states, score


def constraint_addresses(
    shape: torch.Size, allowed: Tensor | None, fixed: Tensor | None
) -> tuple[int, int, int, int, int]:
    """The members of csrc/constrained_viterbi.h's Constraints, once they are known to be laid out as they should."""
    wide = 0 if allowed is None else allowed.shape[-1]
    for constraint, dtype, tail in ((allowed, torch.bool, (wide,)), (fixed, torch.int64, ())):
        if constraint is not None:
            check_operand(constraint, dtype, ((*shape[:-1], *tail), (*shape[-2:-1], *tail)))
    return (*_address(allowed, 3), wide, *_address(fixed, 2))


def _address(constraint: Tensor | None, axes: int) -> tuple[int, int]:
    """Where a constraint stands and how far its sequences are apart: 0 where the batch shares it."""
    if constraint is None:
        return 0, 0
    return constraint.data_ptr(), constraint.stride(0) if constraint.dim() == axes else 0


def _log_likelihood_cpu(scores: Tensor, *rest: Any) -> Tensor:
    result = torch.empty(scores.shape[:-2], dtype=torch.float64)
    _C.forward_backward(batch_of(scores, *rest), result.data_ptr(), 0, 0, 0, 0, 0, 0)
    return result


def _posteriors_cpu(
    scores: Tensor, lengths: Tensor | None, structure: Tensor, weights: Tensor, memory_budget: int, states: int
) -> Tensor:
    result = scores.new_empty((*scores.shape[:-1], states or scores.shape[-1]))
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
    check_layout(scores, lengths, structure, weights)  # before parts are taken of them
    size = weights.numel() if wants_weights else 0
    shared = int(structure[0]) == 1
    by_pdf = torch.empty(scores.shape, dtype=scores.dtype)
    by_weight = zeros(size)
    grad = grad.to(torch.float64).expand(scores.shape[:-2]).reshape(-1).contiguous()
    rows, slopes = with_batch(scores), with_batch(by_pdf)
    for part in parts(len(rows), size if shared else 0, budget_bytes(memory_budget)):
        count = part.stop - part.start
        counts = zeros(count if shared else 1, size)
        total = torch.empty(count, dtype=torch.float64)
        call = batch_of(rows[part], None if lengths is None else lengths[part], structure, weights, memory_budget)
        to_slopes = slopes[part].data_ptr(), grad[part].data_ptr()
        to_counts = (counts.data_ptr() if wants_weights else 0), (size if shared else 0)
        _C.forward_backward(call, total.data_ptr(), 0, 0, *to_slopes, *to_counts)
        if wants_weights:
            share = grad[part].masked_fill(total == float("-inf"), 0.0)  # no path: whatever comes from above
            by_weight += weight_gradient(share, counts, structure, size)
    return by_pdf, by_weight.to(scores.dtype)


def with_batch(tensor: Tensor) -> Tensor:
    return tensor if tensor.dim() == 3 else tensor.unsqueeze(0)


def parts(batch: int, counts: int, memory_budget: int) -> Iterator[slice]:
    """A batch in parts, so that so many float64 counts a sequence fit the budget. Threads share a part's sequences."""
    size = batch
    if counts > 0:
        size = min(max(memory_budget // (8 * counts), FEWEST_IN_PART), MOST_IN_PART)
    for first in range(0, batch, max(size, 1)):
        yield slice(first, min(first + size, batch))


def check_rows(rows: int, batch: int, shared: bool) -> None:
    """Whether expected counts can have so many rows."""
    if rows not in (1, batch) or (rows != 1 and not shared):
        raise ValueError(f"rows must be 1, or {batch} where the batch shares a graph, got {rows}")


def check_lag(lag: int) -> None:
    if lag < 0:
        raise ValueError(f"lag must be at least 0 frames, got {lag}")


def check_uniforms(scores: Tensor, uniforms: Tensor) -> None:
    """Whether there is a number for each frame of each sample."""
    *batch, frames, _ = scores.shape
    check_operand(uniforms, torch.float64, [(*batch, uniforms.shape[-2] if uniforms.dim() > 1 else 0, frames)])


def weight_gradient(grad: Tensor, counts: Tensor, structure: Tensor, size: int) -> Tensor:
    """(size,) from each sequence's gradient (B,) and the counts (B, size), or (1, size) where each has a graph."""
    return weighted_sum(grad, counts) if int(structure[0]) == 1 else _spread(grad, structure, size) * counts[0]


# By numpy: torch's threads, once woken for so little, would keep a core from ours for a while.
def zeros(*shape: int) -> Tensor:
    return torch.from_numpy(np.zeros(shape))


def weighted_sum(weights: Tensor, values: Tensor) -> Tensor:
    """Σ_b weights[b] · values[b], for (B,) and (B, …)."""
    return torch.from_numpy(np.einsum("b,b...->...", weights.numpy(), values.numpy()))


def _spread(grad: Tensor, structure: Tensor, size: int) -> Tensor:
    """Each sequence's gradient at the places of its graph's packed weights."""
    starts = structure[1 : 1 + 6 * len(grad)].view(-1, 6)[:, 5].to(torch.int64)
    ends = torch.cat([starts[1:], torch.tensor([size])])
    return torch.repeat_interleave(grad, ends - starts)


OPERANDS = "Tensor scores, Tensor? lengths, Tensor structure, Tensor weights, int memory_budget"
_LIBRARY = torch.library.Library("streamhmm", "DEF")
_LIBRARY.define(f"viterbi({OPERANDS}, float beam) -> (Tensor, Tensor)")
_LIBRARY.define(f"constrained_viterbi({OPERANDS}, Tensor? allowed, Tensor? fixed) -> (Tensor, Tensor)")
_LIBRARY.define(f"log_likelihood({OPERANDS}) -> Tensor")
_LIBRARY.define(f"posteriors({OPERANDS}, int states) -> Tensor")
_LIBRARY.define(f"gradients(Tensor grad, {OPERANDS}, bool wants_weights) -> (Tensor, Tensor)")
_LIBRARY.impl("viterbi", _viterbi_cpu, "CPU")
_LIBRARY.impl("constrained_viterbi", _constrained_viterbi_cpu, "CPU")
_LIBRARY.impl("log_likelihood", _log_likelihood_cpu, "CPU")
_LIBRARY.impl("posteriors", _posteriors_cpu, "CPU")
_LIBRARY.impl("gradients", _gradients_cpu, "CPU")

# Looking an operation up by name costs as much as dispatching it.
VITERBI = torch.ops.streamhmm.viterbi.default
CONSTRAINED_VITERBI = torch.ops.streamhmm.constrained_viterbi.default
LOG_LIKELIHOOD = torch.ops.streamhmm.log_likelihood.default
POSTERIORS = torch.ops.streamhmm.posteriors.default
GRADIENTS = torch.ops.streamhmm.gradients.default


def _shortcut(operation: Callable[..., Any], kernel: Callable[..., Any]) -> Callable[..., Any]:
    """``operation``; where the dispatcher would lead to the CPU's ``kernel`` anyway, without it: it takes as long as a
    short sequence. For operations that no gradient passes."""

    def call(scores: Tensor, *rest: Any) -> Any:
        direct = type(scores) is Tensor and scores.is_cpu and not torch.compiler.is_compiling()
        return (kernel if direct else operation)(scores, *rest)

    return call


call_viterbi = _shortcut(VITERBI, _viterbi_cpu)
call_posteriors = _shortcut(POSTERIORS, _posteriors_cpu)


@torch.library.register_fake("streamhmm::viterbi", lib=_LIBRARY)
@torch.library.register_fake("streamhmm::constrained_viterbi", lib=_LIBRARY)
def path_fake(scores: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    shape = scores.shape
    return scores.new_empty(shape[:-1], dtype=torch.int64), scores.new_empty(shape[:-2], dtype=torch.float64)


@torch.library.register_fake("streamhmm::log_likelihood", lib=_LIBRARY)
def log_likelihood_fake(scores: Tensor, *rest: Any) -> Tensor:
    return scores.new_empty(scores.shape[:-2], dtype=torch.float64)


@torch.library.register_fake("streamhmm::posteriors", lib=_LIBRARY)
def posteriors_fake(scores: Tensor, *rest: Any) -> Tensor:
    width = rest[-1] or scores.shape[-1]
    return scores.new_empty((*scores.shape[:-1], width), dtype=weights_dtype(scores.dtype))


@torch.library.register_fake("streamhmm::gradients", lib=_LIBRARY)
def _gradients_fake(grad: Tensor, scores: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    weights = rest[2]
    return scores.new_empty(scores.shape), weights.new_empty(weights.numel() if rest[-1] else 0)


def keep_operands(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    *tensors, ctx.memory_budget = inputs
    ctx.save_for_backward(*tensors)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    wants_scores, _, _, wants_weights, _ = ctx.needs_input_grad
    by_pdf, by_weight = GRADIENTS(grad, *ctx.saved_tensors, ctx.memory_budget, wants_weights)
    return by_pdf if wants_scores else None, None, None, by_weight if wants_weights else None, None


def refuse_second_derivatives(ctx: Any, *grads: Tensor) -> None:
    raise NotImplementedError("log_likelihood has first derivatives only")


torch.library.register_autograd("streamhmm::log_likelihood", _backward, setup_context=keep_operands, lib=_LIBRARY)
torch.library.register_autograd("streamhmm::gradients", refuse_second_derivatives, lib=_LIBRARY)
