"""The operations on CUDA devices: what ``library.py`` has for the CPU. Nothing here waits for the device.

``structure`` stays in the CPU's memory, where the drivers read it; the copy that the kernels read is kept with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from streamhmm import _C
from streamhmm.errors import BackendUnavailable
from streamhmm.library import DEFAULT_BUDGET, check_layout, sizes
from streamhmm.memory import default_memory_budget

Operands = tuple[Tensor, Tensor | None, Tensor, Tensor, int]

_COPIES: WeakTensorKeyDictionary = WeakTensorKeyDictionary()  # of structures: {device: tensor}


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
    check_layout(scores, lengths, structure, weights)
    compiled, device = core(), scores.device
    batch, frames, columns = sizes(scores)
    *batch_stride, frame_stride, _ = scores.stride()
    host = _C.Batch(
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
        device_budget(device) if memory_budget == DEFAULT_BUDGET else memory_budget,
        1,
    )
    kind = getattr(compiled.NumberType, str(scores.dtype).removeprefix("torch."))
    stream = torch.cuda.current_stream(device).cuda_stream if device.type == "cuda" else 0
    copy = copy_on(device, structure).data_ptr()
    return compiled.DeviceBatch(host, kind, copy, device.index or 0, stream)


def device_budget(device: torch.device) -> int:
    """Bytes that an operation may take by itself: a quarter of the card's memory."""
    if device.type != "cuda":
        return default_memory_budget()
    return int(torch.cuda.get_device_properties(device).total_memory) // 4


def copy_on(device: torch.device, structure: Tensor) -> Tensor:
    if structure.device == device:
        return structure
    copies: dict[torch.device, Tensor] = _COPIES.setdefault(structure, {})
    if device not in copies:
        copies[device] = structure.to(device, non_blocking=True)
    return copies[device]


def _viterbi(scores: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    *operands, beam = rest
    shape = scores.shape
    states = scores.new_empty(shape[:-1], dtype=torch.int64)
    score = scores.new_empty(shape[:-2], dtype=torch.float64)
    call = device_batch(scores, *operands)
    run(core().viterbi, scores.device, call, beam, states.data_ptr(), score.data_ptr())
    return states, score


OPERATIONS: dict[str, Callable[..., Any]] = {"viterbi": _viterbi}

_LIBRARY = torch.library.Library("streamhmm", "FRAGMENT")
for _name, _operation in OPERATIONS.items():
    _LIBRARY.impl(_name, _operation, "CUDA")
