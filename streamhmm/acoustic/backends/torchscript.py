"""The network in TorchScript."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from streamhmm.acoustic.backends.devices import devices, precisions, products_in
from streamhmm.acoustic.backends.rewrites import rewritten
from streamhmm.acoustic.backends.runtime import RuntimeSettings, pick
from streamhmm.acoustic.checkpoint import Checkpoint
from streamhmm.acoustic.exported import ExportedModel, example
from streamhmm.acoustic.exported.quiet import quiet
from streamhmm.acoustic.exported.torch_files import load_torchscript
from streamhmm.acoustic.network import AcousticNetwork


class TorchScriptRuntime:
    """Runs a script of the trunk."""

    name = "torchscript"

    def __init__(self, script: Any, precision: str, device: torch.device) -> None:
        self._trunk, self.precision, self.device = script, precision, device

    def step(self, frames: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
        if self.device.type == "cpu":
            posteriors, after = self._trunk(frames, states)
            return posteriors, after
        with torch.cuda.device(self.device), products_in(self.precision):
            posteriors, after = self._trunk(frames, states)
            return posteriors, after


def open_runtime(model: Checkpoint | ExportedModel, settings: RuntimeSettings) -> TorchScriptRuntime:
    """Precisions: fp32, bf16; on CUDA tf32 and fp16, too; of an exported file, its own. The hint has no effect.

    The first calls with a new shape take longer: TorchScript optimises what it has seen. What runs on CUDA is not yet
    run on hardware.

    Raises:
        BackendUnavailable: a precision or a device that it does not have.
        ValueError: an unknown option.
        ModelError: an exported file can't be read.
    """
    settings.check_options()
    device = torch.device(pick("device", "torchscript", settings.device, devices()))
    if isinstance(model, ExportedModel):
        precision = pick("precision", "torchscript", settings.precision, (model.precision,))
        script = load_torchscript(model.path, device)
    else:
        precision = pick("precision", "torchscript", settings.precision, precisions(device))
        script = traced(model.network, precision, device)
    return TorchScriptRuntime(optimised(script, precision, device), precision, device)


@torch.no_grad()
def traced(network: AcousticNetwork, precision: str, device: torch.device) -> Any:
    """The step, traced and frozen, for any batch size and number of steps."""
    trunk = rewritten(network.trunk, precision, taps=True).to(device)
    inputs = tuple(tensor.to(device) for tensor in example(network))
    with quiet():
        return torch.jit.freeze(torch.jit.trace(trunk, inputs, check_trace=False))


def optimised(script: Any, precision: str, device: torch.device) -> Any:
    """What the library's optimisation makes of it, where that is faster: in single precision on a CPU."""
    if precision != "fp32" or device.type != "cpu":
        return script
    with quiet():
        return torch.jit.optimize_for_inference(script)
