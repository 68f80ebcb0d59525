"""Wrong and extreme values, drawn at random: what tests/fuzz_operations.py puts in the place of good ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

Change = Callable[[np.random.Generator, Tensor], Any]

ODD_VALUES: tuple[Any, ...] = (
    *(None, "x", b"", object(), True, 1.5, float("nan"), float("inf"), -1, 0, 1, 2, 7, (), [], [[]], [0], [0.5], ["x"]),
    *(2**31 - 1, 2**31, -(2**31), 2**63 - 1, -(2**63), 2**70, -1e30, 3e38, 1e308, [None], {0: 0}, range(3)),
    *(np.zeros(3), np.zeros((2, 2, 2), np.float16), np.array("x"), torch.zeros(()), torch.zeros(2, 3), torch.zeros(0)),
)
ODD_REALS = (float("nan"), float("inf"), -float("inf"), -float("inf"), 0.0, -0.0, 1e-40, 200.0, -200.0, 999.0, -1001.0)
ODD_REALS += (1e5, -1e5, 3e38, -3e38, 1e300, -1e308)
ODD_WHOLES = (0, 1, 2, 3, 5, 6, 63, 64, 65, -1, -2, 255, 2**15, 2**31 - 1, -(2**31), 2**40, -(2**63), 2**63 - 1)
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int8, torch.int32, torch.int64)
DTYPES += (torch.uint8, torch.bool, torch.complex64)


def chance(rng: np.random.Generator, share: float) -> bool:
    return bool(rng.random() < share)


def pick(rng: np.random.Generator, choices: Any) -> Any:
    return choices[int(rng.integers(len(choices)))]


def _cells(rng: np.random.Generator, tensor: Tensor) -> Tensor:
    """A copy with some odd cells."""
    if tensor.numel() == 0 or tensor.is_complex() or tensor.dtype == torch.bool:
        return tensor
    other = tensor.detach().clone(memory_format=torch.contiguous_format).flatten()
    for place in rng.integers(0, other.numel(), rng.integers(1, 4)):
        if tensor.is_floating_point():
            other[place] = torch.tensor(pick(rng, ODD_REALS), dtype=torch.float64).to(other.dtype)
        else:
            kept = torch.iinfo(tensor.dtype)
            wanted = pick(rng, ODD_WHOLES) if chance(rng, 0.5) else int(other[place]) + int(rng.integers(-3, 4))
            other[place] = min(max(wanted, kept.min), kept.max)
    return other.reshape(tensor.shape)


def _spread(rng: np.random.Generator, tensor: Tensor) -> Tensor:
    """The same values with gaps of NaN, or of the largest index, between them."""
    if tensor.dim() == 0 or tensor.is_complex() or tensor.dtype == torch.bool:
        return tensor
    gap = float("nan") if tensor.is_floating_point() else torch.iinfo(tensor.dtype).max
    wide = torch.full([2 * size for size in tensor.shape], gap, dtype=tensor.dtype)
    view = wide[tuple(slice(int(rng.integers(2)), None, 2) for _ in tensor.shape)]
    return view.copy_(tensor.detach())


def _cut(rng: np.random.Generator, tensor: Tensor) -> Tensor:
    if tensor.dim() == 0:
        return tensor
    axis = int(rng.integers(tensor.dim()))
    return tensor.narrow(axis, 0, int(rng.integers(0, tensor.shape[axis] + 1)))


def _repeat(rng: np.random.Generator, tensor: Tensor) -> Tensor:
    """One axis made long without memory of its own."""
    if tensor.dim() == 0 or 0 in tensor.shape:
        return tensor
    axis, size = int(rng.integers(tensor.dim())), list(tensor.shape)
    huge = (2**33, 2**45) if tensor.dim() == 3 and axis == 0 else ()  # many frames take long, rightly
    size[axis] = pick(rng, (1, 2, 3, 17, 2**13, *huge))
    return tensor.narrow(axis, 0, 1).expand(size)


CHANGES: tuple[Change, ...] = (
    *((_cells,) * 5),
    *(_spread, _spread, _cut, _cut, _repeat),
    lambda rng, tensor: tensor.detach().to(pick(rng, DTYPES)),
    lambda rng, tensor: tensor.unsqueeze(0),
    lambda rng, tensor: tensor[0] if tensor.dim() > 0 and len(tensor) > 0 else tensor,
    lambda rng, tensor: tensor.transpose(0, -1) if tensor.dim() > 0 else tensor,
    lambda rng, tensor: tensor.flip(-1) if tensor.dim() > 0 else tensor,
    lambda rng, tensor: torch.cat([tensor, tensor], -1) if tensor.dim() > 0 else tensor,
    lambda rng, tensor: tensor.detach().clone().requires_grad_() if tensor.is_floating_point() else tensor,
    lambda rng, tensor: tensor.to("meta") if chance(rng, 0.2) else tensor,
    lambda rng, tensor: tensor.detach().to_sparse() if chance(rng, 0.2) and tensor.dim() > 0 else tensor,
    lambda rng, tensor: tensor.detach().tolist() if tensor.numel() < 1000 else tensor,
    lambda rng, tensor: tensor.detach().numpy() if tensor.dtype != torch.bfloat16 else tensor,
)


def changed(rng: np.random.Generator, value: Any) -> Any:
    """Something else in place of ``value``, as a rule of the same kind."""
    if chance(rng, 0.06):
        return pick(rng, ODD_VALUES)
    if isinstance(value, Tensor):
        return pick(rng, CHANGES)(rng, value)
    if isinstance(value, list) and value:
        other = list(value)
        if chance(rng, 0.3):
            return other[: int(rng.integers(len(other)))] if chance(rng, 0.5) else other + other[:1]
        place = int(rng.integers(len(other)))
        other[place] = pick(rng, ODD_WHOLES) if chance(rng, 0.7) else pick(rng, ODD_VALUES)
        return other
    if isinstance(value, int):
        return pick(rng, ODD_WHOLES)
    return pick(rng, ODD_VALUES)


def with_changes(rng: np.random.Generator, arguments: dict[str, Any], share: float) -> tuple[dict[str, Any], int]:
    """``arguments`` with each value changed by that chance, and how many were."""
    changes = {name: changed(rng, value) for name, value in arguments.items() if chance(rng, share)}
    return arguments | changes, len(changes)
