"""The operations on CUDA devices: what ``library.py`` has for the CPU. Nothing here waits for the device.

``structure`` stays in the CPU's memory, where the drivers read it; the copy that the kernels read is kept with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from streamhmm import _C
from streamhmm.errors import BackendUnavailable
from streamhmm.kept import Kept, may_keep
from streamhmm.library import (
    DEFAULT_BUDGET,
    HALF_PRECISION,
    check_lag,
    check_layout,
    check_rows,
    check_uniforms,
    constraint_addresses,
    core_batch,
    parts,
    sizes,
    weights_dtype,
    with_batch,
)
from streamhmm.memory import default_memory_budget

Operands = tuple[Tensor, Tensor | None, Tensor, Tensor, int]

_COPIES: WeakTensorKeyDictionary = WeakTensorKeyDictionary()  # of structures: {device: Kept}


def core() -> Any:
    """The compiled operations."""
    compiled = getattr(_C, "cuda", None)
    if compiled is None:
        raise BackendUnavailable(
            "this build of streamhmm has no CUDA kernels: install it where nvcc is found, or move the scores to the CPU"
        )
    return compiled


def run(operation: Callable[..., int], device: torch.device, *arguments: Any) -> None:
    """Calls a compiled operation with the memory that it asks for to work in."""
    size = operation(*arguments, 0)
    workspace = torch.empty(max(size, 1), dtype=torch.uint8, device=device)
    operation(*arguments, workspace.data_ptr())


def device_batch(scores: Tensor, lengths: Tensor | None, structure: Tensor, weights: Tensor, memory_budget: int) -> Any:
    check_layout(scores, lengths, structure, weights, (torch.float32, torch.float64, *HALF_PRECISION))
    check_beside(scores, lengths, weights)
    if not structure.is_cpu:  # where the drivers read it
        raise ValueError(f"structure must be on the CPU, got {structure.device}")
    compiled, device = core(), scores.device
    host = core_batch(scores, lengths, structure, weights, budget_on(device, memory_budget), 1)
    kind = getattr(compiled.NumberType, str(scores.dtype).removeprefix("torch."))
    copy = copy_on(device, structure).data_ptr()
    return compiled.DeviceBatch(host, kind, copy, device.index or 0, stream_on(device))


def stream_on(device: torch.device) -> int:
    """The current stream's handle."""
    return torch.cuda.current_stream(device).cuda_stream if device.type == "cuda" else 0


def budget_on(device: torch.device, memory_budget: int) -> int:
    """Bytes that an operation may take: an eighth of the card's memory where the caller has not said."""
    if memory_budget != DEFAULT_BUDGET:
        return memory_budget
    if device.type != "cuda":
        return default_memory_budget()
    return int(torch.cuda.get_device_properties(device).total_memory) // 8


def copy_on(device: torch.device, structure: Tensor) -> Tensor:
    """The copy that the kernels read, kept with the structure."""
    if device.type == "cpu":
        return structure
    copies: dict[torch.device, Kept] = _COPIES.setdefault(structure, {})
    if device in copies:
        return copies[device].here()
    copy = structure.to(device, non_blocking=True)
    if may_keep(copy):
        copies[device] = Kept(copy)
    return copy


def check_beside(scores: Tensor, *operands: Tensor | None) -> None:
    """Whether the operands stand where the kernels read them."""
    for operand in operands:
        if operand is not None and operand.device != scores.device:
            raise ValueError(f"operands must be on the scores' device, {scores.device}, got one on {operand.device}")


def _viterbi(scores: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    *operands, beam = rest
    return _best_paths(scores, operands, beam, core().Constraints())


def _constrained_viterbi(scores: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    *operands, allowed, fixed = rest
    check_beside(scores, allowed, fixed)
    masks = constraint_addresses(scores.shape, allowed, fixed)
    return _best_paths(scores, operands, float("inf"), core().Constraints(*masks))


def _best_paths(scores: Tensor, operands: Sequence[Any], beam: float, constraints: Any) -> tuple[Tensor, Tensor]:
    shape = scores.shape
    states = scores.new_empty(shape[:-1], dtype=torch.int64)
    score = scores.new_empty(shape[:-2], dtype=torch.float64)
    call = device_batch(scores, *operands)
    run(core().viterbi, scores.device, call, beam, constraints, states.data_ptr(), score.data_ptr())
    return states, score


def _log_likelihood(scores: Tensor, *rest: Any) -> Tensor:
    result = scores.new_empty(scores.shape[:-2], dtype=torch.float64)
    _sums(device_batch(scores, *rest), scores.device, log_likelihood=result)
    return result


def _posteriors(scores: Tensor, *rest: Any) -> Tensor:
    *operands, states = rest
    result = scores.new_empty((*scores.shape[:-1], states or scores.shape[-1]), dtype=weights_dtype(scores.dtype))
    call = device_batch(scores, *operands)
    if states:
        _sums(call, scores.device, by_state=result)
    else:
        _sums(call, scores.device, by_pdf=result)
    return result


def _gradients(grad: Tensor, scores: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    lengths, structure, weights, memory_budget, wants_weights = rest
    check_beside(scores, grad)
    size = weights.numel() if wants_weights else 0
    shared = int(structure[0]) == 1
    by_pdf = torch.empty(scores.shape, dtype=weights_dtype(scores.dtype), device=scores.device)
    by_weight = scores.new_zeros(size, dtype=torch.float64)
    grad = grad.to(torch.float64).expand(scores.shape[:-2]).reshape(-1).contiguous()
    rows, slopes = with_batch(scores), with_batch(by_pdf)
    for part in parts(len(rows), size if shared else 0, budget_on(scores.device, memory_budget)):
        count = part.stop - part.start
        counts = scores.new_zeros((count if shared else 1, size), dtype=torch.float64)
        total = scores.new_empty(count, dtype=torch.float64)
        of_part = None if lengths is None else lengths[part]
        call = device_batch(rows[part], of_part, structure, weights, memory_budget)
        scale, wanted = grad[part], counts if wants_weights else None
        _sums(
            call,
            scores.device,
            log_likelihood=total,
            by_pdf=slopes[part],
            by_pdf_scale=scale,
            counts=wanted,
            counts_stride=size if shared else 0,
        )
        if wants_weights:
            share = scale.masked_fill(total == float("-inf"), 0.0)  # no path: whatever comes from above
            by_weight += weight_gradient(share, counts, structure)
    return by_pdf.to(scores.dtype), by_weight.to(weights.dtype)


def weight_gradient(grad: Tensor, counts: Tensor, structure: Tensor) -> Tensor:
    """(W,) from each sequence's gradient (B,) and the counts (B, W), or (1, W) where each has a graph."""
    if int(structure[0]) == 1:
        return grad @ counts
    size, records = counts.shape[1], copy_on(grad.device, structure)[1 : 1 + 6 * len(grad)].view(-1, 6)
    starts = records[:, 5].to(torch.int64)
    ends = torch.cat([starts[1:], starts.new_full((1,), size)])
    return torch.repeat_interleave(grad, ends - starts, output_size=size) * counts[0]


def _expected_counts(scores: Tensor, *rest: Any) -> Tensor:
    return _counts(None, None, scores, *rest)


def _forward_backward(scores: Tensor, *rest: Any) -> tuple[Tensor, Tensor, Tensor]:
    log_likelihood = scores.new_empty(scores.shape[:-2], dtype=torch.float64)
    by_pdf = torch.empty(scores.shape, dtype=weights_dtype(scores.dtype), device=scores.device)
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
    batch, size, shared = sizes(scores)[0], weights.numel(), int(structure[0]) == 1
    check_rows(rows, batch, shared)
    result = scores.new_zeros((rows, size), dtype=torch.float64)
    if not shared or rows == batch:
        call = device_batch(scores, lengths, structure, weights, memory_budget)
        _sums(
            call,
            scores.device,
            log_likelihood=log_likelihood,
            by_pdf=by_pdf,
            counts=result,
            counts_stride=size if shared else 0,
        )
        return result
    for part in parts(batch, size, budget_on(scores.device, memory_budget)):
        counts = scores.new_zeros((part.stop - part.start, size), dtype=torch.float64)
        of_part, likelihoods, slopes = (
            None if each is None else each[part] for each in (lengths, log_likelihood, by_pdf)
        )
        call = device_batch(scores[part], of_part, structure, weights, memory_budget)
        _sums(call, scores.device, log_likelihood=likelihoods, by_pdf=slopes, counts=counts, counts_stride=size)
        result += counts.sum(0)
    return result


def _smooth(scores: Tensor, *rest: Any) -> Tensor:
    *operands, lag, end_counts, states = rest
    check_lag(lag)
    shape = (*scores.shape[:-1], states or scores.shape[-1])
    result = scores.new_empty(shape, dtype=weights_dtype(scores.dtype))
    by_state, by_pdf = (result.data_ptr(), 0) if states else (0, result.data_ptr())
    call = device_batch(scores, *operands)
    run(core().filter, scores.device, call, lag, end_counts, by_state, states, by_pdf)
    return result


def _sample(scores: Tensor, *rest: Any) -> Tensor:
    *operands, uniforms = rest
    check_beside(scores, uniforms)
    check_uniforms(scores, uniforms)
    states: Tensor = uniforms.new_empty(uniforms.shape, dtype=torch.int64)
    call = device_batch(scores, *operands)
    run(core().sample, scores.device, call, states.data_ptr(), uniforms.data_ptr(), uniforms.shape[-2])
    return states


def _sums(
    call: Any,
    device: torch.device,
    *,
    log_likelihood: Tensor | None = None,
    by_state: Tensor | None = None,
    by_pdf: Tensor | None = None,
    by_pdf_scale: Tensor | None = None,
    counts: Tensor | None = None,
    counts_stride: int = 0,
) -> None:
    """Sums over paths, see csrc/forward_backward.h; ``counts`` come zeroed."""

    def address(tensor: Tensor | None) -> int:
        return 0 if tensor is None else tensor.data_ptr()

    wide = 0 if by_state is None else by_state.shape[-1]
    targets = (address(log_likelihood), address(by_state), wide, address(by_pdf), address(by_pdf_scale))
    run(core().forward_backward, device, call, *targets, address(counts), counts_stride)


OPERATIONS: dict[str, Callable[..., Any]] = {}  # by name: those with kernels for CUDA

_LIBRARY = torch.library.Library("streamhmm", "FRAGMENT")


def register(operations: dict[str, Callable[..., Any]]) -> None:
    OPERATIONS.update(operations)
    for name, operation in operations.items():
        _LIBRARY.impl(name, operation, "CUDA")


register(
    {
        "viterbi": _viterbi,
        "constrained_viterbi": _constrained_viterbi,
        "log_likelihood": _log_likelihood,
        "posteriors": _posteriors,
        "gradients": _gradients,
        "expected_counts": _expected_counts,
        "forward_backward": _forward_backward,
        "smooth": _smooth,
        "sample": _sample,
    }
)
