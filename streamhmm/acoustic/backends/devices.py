"""What torch offers on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def devices() -> tuple[str, ...]:
    """Names of the devices that torch can use here, the one for "auto" first."""
    if not torch.cuda.is_available():
        return ("cpu",)
    return ("cuda", *(f"cuda:{index}" for index in range(torch.cuda.device_count())), "cpu")


def precisions(device: torch.device) -> tuple[str, ...]:
    """What torch computes in on a device, the most accurate first.

    A CPU has no TF32, and FP16 on it is not faster than FP32.
    """
    return ("fp32", "bf16") if device.type == "cpu" else ("fp32", "tf32", "fp16", "bf16")


@contextmanager
def products_in(precision: str) -> Iterator[None]:
    """Within it, CUDA multiplies float32 matrices in TF32 if that is the ``precision``, and in full otherwise.

    torch keeps this in global settings; they are as before afterwards. Elsewhere than on CUDA it has no effect.
    """
    # The older of torch's two ways: its compiler asks by it, and fails where the newer one was used.
    matrices, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matrices.allow_tf32, convolutions.allow_tf32
    matrices.allow_tf32 = convolutions.allow_tf32 = precision == "tf32"
    try:
        yield
    finally:
        matrices.allow_tf32, convolutions.allow_tf32 = before
