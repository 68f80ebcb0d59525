"""The network compiled by Inductor, ahead of time."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from streamhmm.acoustic.backends.devices import devices, precisions, products_in
from streamhmm.acoustic.backends.inductor import compiled_file
from streamhmm.acoustic.backends.runtime import RuntimeSettings, pick
from streamhmm.acoustic.checkpoint import Checkpoint
from streamhmm.acoustic.exported import ExportedModel
from streamhmm.errors import BackendUnavailable


class CompiledRuntime:
    """Runs the compiled trunk."""

    name = "torch-compile"

    def __init__(self, package: Path, precision: str, device: torch.device) -> None:
        from torch._inductor import aoti_load_package  # takes a second

        self.precision, self.device = precision, device
        try:
            self._trunk = aoti_load_package(str(package), device_index=_index(self.device))
        except RuntimeError as error:
            message = f"backend torch-compile can't load {package}: {error}; delete the file and try again"
            raise BackendUnavailable(message) from error

    def step(self, frames: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
        # Compiled code takes strides for granted.
        frames, states = frames.contiguous(), states.contiguous()
        if self.device.type == "cpu":
            posteriors, after = self._trunk(frames, states)
            return posteriors, after
        with torch.cuda.device(self.device), products_in(self.precision):
            posteriors, after = self._trunk(frames, states)
            return posteriors, after


def _index(device: torch.device) -> int:
    return -1 if device.index is None else device.index


def open_runtime(model: Checkpoint | ExportedModel, settings: RuntimeSettings) -> CompiledRuntime:
    """Precisions: fp32, bf16; on a CPU int8; on CUDA tf32 and fp16; of an exported file, its own.

    The first start compiles for half a minute, and keeps the result in the cache folder; later ones load it. The hint
    has no effect. What runs on CUDA is not yet run on hardware.

    int8: weights and inputs of the linear layers, by torchao. Inputs have one scale for each row, so that results
    depend neither on the rest of the batch nor on how the audio is cut.

    Raises:
        BackendUnavailable: a precision or a device that it does not have, no C++ compiler, or no torchao for int8.
        ValueError: an unknown option.
        ModelError: an exported file can't be read.
    """
    settings.check_options()
    device = torch.device(pick("device", "torch-compile", settings.device, devices()))
    precision = pick("precision", "torch-compile", settings.precision, _precisions(model, device))
    return CompiledRuntime(compiled_file(model, precision, device), precision, device)


def _precisions(model: Checkpoint | ExportedModel, device: torch.device) -> tuple[str, ...]:
    if isinstance(model, ExportedModel):
        return (model.precision,)
    return (*precisions(device), "int8") if device.type == "cpu" else precisions(device)
