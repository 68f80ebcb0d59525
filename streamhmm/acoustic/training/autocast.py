"""What mixed precision leaves out."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from streamhmm.acoustic.network import AcousticNetwork


def keep_convolutions_in_float32(network: AcousticNetwork) -> None:
    """Depthwise convolutions, whose bfloat16 gradient is three times slower than the float32 one, leave autocast."""

    def wrapped(convolution: nn.Module) -> Callable[[Tensor], Tensor]:
        forward: Callable[[Tensor], Tensor] = convolution.forward

        def in_float32(x: Tensor) -> Tensor:
            with torch.autocast("cpu", enabled=False):
                return forward(x.float())

        return in_float32

    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            setattr(module, "forward", wrapped(module))  # noqa: B010 (mypy forbids assigning a method)
