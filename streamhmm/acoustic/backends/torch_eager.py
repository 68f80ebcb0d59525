"""The network as plain torch modules."""

from __future__ import annotations

import torch
from torch import Tensor

from streamhmm.acoustic.backends.cuda_graphs import GraphedStep
from streamhmm.acoustic.backends.devices import devices, precisions, products_in
from streamhmm.acoustic.backends.rewrites import rewritten
from streamhmm.acoustic.backends.runtime import RuntimeSettings, pick
from streamhmm.acoustic.checkpoint import Checkpoint
from streamhmm.acoustic.network import Trunk
from streamhmm.errors import BackendUnavailable


class TorchRuntime:
    """Runs the trunk as it is."""

    name = "torch"

    def __init__(self, trunk: Trunk, precision: str, device: torch.device, cuda_graphs: bool = False) -> None:
        self.precision, self.device = precision, device
        self._trunk = rewritten(trunk, precision).to(self.device)
        self._step = GraphedStep(self._plain) if cuda_graphs else self._plain

    def step(self, frames: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
        if self.device.type == "cpu":
            return self._step(frames, states)
        with torch.cuda.device(self.device), products_in(self.precision):
            return self._step(frames, states)

    def _plain(self, frames: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
        posteriors, after = self._trunk(frames, states)
        return posteriors, after


def open_runtime(checkpoint: Checkpoint, settings: RuntimeSettings) -> TorchRuntime:
    """Precisions: fp32, bf16; on CUDA tf32 and fp16, too. The hint has no effect.

    Option: ``cuda_graphs`` (False), see :class:`GraphedStep`.

    What runs on CUDA is not yet run on hardware.

    Raises:
        BackendUnavailable: a precision or a device that it does not have, or CUDA graphs on a CPU.
        ValueError: an unknown option.
    """
    settings.check_options("cuda_graphs")
    device = torch.device(pick("device", "torch", settings.device, devices()))
    precision = pick("precision", "torch", settings.precision, precisions(device))
    cuda_graphs = bool(settings.options.get("cuda_graphs", False))
    if cuda_graphs and device.type == "cpu":
        raise BackendUnavailable("option cuda_graphs of backend torch needs a CUDA device, not cpu; leave it out")
    return TorchRuntime(checkpoint.network.trunk, precision, device, cuda_graphs)
