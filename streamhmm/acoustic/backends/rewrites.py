"""The trunk in forms that some runtimes compute faster: the same numbers up to the precision."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from streamhmm.acoustic.network import Trunk

NARROW = {"fp16": torch.float16, "bf16": torch.bfloat16}
"""Precisions with 16 bits, and their types."""


def rewritten(trunk: Trunk, precision: str, taps: bool = False) -> Trunk:
    """A copy of the trunk whose linear layers multiply in ``precision``; with ``taps``, which is for what
    gets traced or exported, a :class:`TapSum` takes each convolution's place.

    What runs between the blocks, the states and the log-posteriors stay in float32.
    """
    trunk = copy.deepcopy(trunk).eval().requires_grad_(False)
    for parent in list(trunk.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, nn.Linear) and precision in NARROW:
                dtype = NARROW[precision]
                gives = dtype if name == "expand" else torch.float32  # what follows it is narrow again
                setattr(parent, name, NarrowLinear(layer, dtype, gives))
            elif isinstance(layer, nn.Conv2d) and taps:
                setattr(parent, name, TapSum(layer))
    return trunk


class NarrowLinear(nn.Module):
    """A linear layer whose weights and products have 16 bits; its result is of the type that it ``gives``."""

    def __init__(self, layer: nn.Linear, dtype: torch.dtype, gives: torch.dtype) -> None:
        super().__init__()
        self.gives = gives
        self.register_buffer("weight", layer.weight.detach().to(dtype))
        self.register_buffer("bias", layer.bias.detach().to(dtype))

    def forward(self, x: Tensor) -> Tensor:
        weight = self.get_buffer("weight")
        return nn.functional.linear(x.to(weight.dtype), weight, self.get_buffer("bias")).to(self.gives)


class TapSum(nn.Module):
    """A depthwise convolution as the sum of its shifted inputs, which compilers fuse with what stands around it.

    Takes and gives (B, width, 1, length), as the convolution does.
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.dilation, self.taps = convolution.dilation[1], convolution.kernel_size[1]
        weight = convolution.weight.detach().reshape(-1, self.taps).t()
        self.register_buffer("weight", weight.contiguous())
        self.register_buffer("bias", convolution.get_parameter("bias").detach())

    def forward(self, image: Tensor) -> Tensor:
        x = image.squeeze(2).transpose(1, 2)
        steps = x.shape[1] - self.dilation * (self.taps - 1)
        weight, mixed = self.get_buffer("weight"), self.get_buffer("bias")
        for tap in range(self.taps):
            first = tap * self.dilation
            mixed = torch.addcmul(mixed, x[:, first : first + steps], weight[tap])
        return mixed.transpose(1, 2).unsqueeze(2)
