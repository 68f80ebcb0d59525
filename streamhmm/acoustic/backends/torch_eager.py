"""The network as plain torch modules."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from streamhmm.acoustic.backends.runtime import RuntimeSettings, pick
from streamhmm.acoustic.checkpoint import Checkpoint


class TorchRuntime:
    """Runs the trunk as it is."""

    name = "torch"

    def __init__(self, trunk: nn.Module, precision: str, device: str) -> None:
        self._trunk = trunk.eval().to(device)
        self.precision, self.device = precision, torch.device(device)

    def step(self, frames: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
        posteriors, after = self._trunk(frames, states)
        return posteriors, after


def open_runtime(checkpoint: Checkpoint, settings: RuntimeSettings) -> TorchRuntime:
    """Raises BackendUnavailable for a precision or a device that it does not have."""
    settings.check_options()
    precision = pick("precision", "torch", settings.precision, ("fp32",))
    device = pick("device", "torch", settings.device, ("cpu",))
    return TorchRuntime(checkpoint.network.trunk, precision, device)
