"""Quantisation-aware training: the forward pass rounds as the integer kernels will (Jacob et al. 2018)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from streamhmm.acoustic.network import AcousticNetwork

LARGEST_WEIGHT, LARGEST_VALUE = 127, 255
"""Of 8 bit weights, which lie on both sides of zero, and of 8 bit activations, which have a zero point."""


class FakeQuantisation(nn.Module):
    """Rounds the inputs and the weights of every matrix of the networks that it is attached to.

    Ranges of the inputs follow a moving average of their minima and maxima while ``training`` is on; gradients pass
    through the rounding. Weights have a scale for each output.
    """

    def __init__(self, network: AcousticNetwork) -> None:
        super().__init__()
        from torch.ao import quantization

        observer, limits = quantization.MovingAverageMinMaxObserver, {"quant_min": 0, "quant_max": LARGEST_VALUE}
        self.inputs = nn.ModuleList(
            quantization.FakeQuantize(observer, **limits, dtype=torch.quint8) for _ in _matrices(network)
        )

    def attach(self, network: AcousticNetwork) -> None:
        """Make a network round."""
        for matrix, rounded in zip(_matrices(network), self.inputs, strict=True):
            setattr(matrix, "forward", _rounding(matrix, rounded))  # noqa: B010 (mypy forbids assigning a method)

    def train(self, mode: bool = True) -> FakeQuantisation:
        """Whether ranges go on being learnt."""
        super().train(mode)
        for rounded in self._quantisers():
            rounded.enable_observer(mode)
        return self

    def ranges(self) -> list[list[float]]:
        """Least and largest value of the inputs of each matrix, in the order in which the network computes them."""
        observers = [rounded.activation_post_process for rounded in self._quantisers()]
        return [[float(observer.min_val), float(observer.max_val)] for observer in observers]

    def _quantisers(self) -> list[Any]:
        return list(self.inputs)


def _matrices(network: AcousticNetwork) -> list[nn.Linear]:
    return [module for module in network.trunk.modules() if isinstance(module, nn.Linear)]


def _rounding(matrix: nn.Linear, rounded: nn.Module) -> Callable[[Tensor], Tensor]:
    def forward(x: Tensor) -> Tensor:
        scale = matrix.weight.detach().abs().amax(1).clamp(min=1e-8) / LARGEST_WEIGHT
        zero = torch.zeros_like(scale, dtype=torch.int32)
        limits = (-LARGEST_WEIGHT, LARGEST_WEIGHT)
        weight = torch.fake_quantize_per_channel_affine(matrix.weight, scale, zero, 0, *limits)
        return nn.functional.linear(rounded(x), weight, matrix.bias)

    return forward
