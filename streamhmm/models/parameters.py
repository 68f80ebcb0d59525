"""Parameters as users see and set them."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn


def as_numpy(values: Tensor) -> NDArray[Any]:
    """A copy-free view where the tensor lies on the CPU."""
    return values.detach().cpu().numpy()


@torch.no_grad()
def assign(parameter: nn.Parameter, value: Tensor, name: str) -> None:
    """Set a parameter. Raises ValueError for another shape, or numbers that are not finite."""
    if value.shape != parameter.shape:
        raise ValueError(f"{name} must have shape {tuple(parameter.shape)}, got {tuple(value.shape)}")
    if not bool(value.isfinite().all()):
        raise ValueError(f"{name} must be finite, got {value.tolist()}")
    parameter.copy_(value)
