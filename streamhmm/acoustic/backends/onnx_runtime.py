"""The network in ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from streamhmm.acoustic.backends.runtime import RuntimeSettings, pick, require
from streamhmm.acoustic.checkpoint import Checkpoint
from streamhmm.acoustic.exported import ExportedModel, onnx_file

EXTRA = "onnx"


class OnnxRuntime:
    """Runs the trunk's ONNX graph."""

    name = "onnx"

    def __init__(self, path: Path, precision: str) -> None:
        ort = require("onnxruntime", self.name, EXTRA)
        options = ort.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3
        self._session: Any = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.precision, self.device = precision, torch.device("cpu")

    def step(self, frames: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
        inputs = {"frames": frames.numpy(), "states": states.numpy()}
        posteriors, after = self._session.run(["log_posteriors", "states_after"], inputs)
        return torch.from_numpy(posteriors), torch.from_numpy(after)


def open_runtime(checkpoint: Checkpoint | ExportedModel, settings: RuntimeSettings) -> OnnxRuntime:
    """Raises BackendUnavailable without onnxruntime, or for a precision or a device that it does not have."""
    settings.check_options()
    require("onnxruntime", "onnx", EXTRA)
    available = (checkpoint.precision,) if isinstance(checkpoint, ExportedModel) else ("fp32",)
    precision = pick("precision", "onnx", settings.precision, available)
    pick("device", "onnx", settings.device, ("cpu",))
    return OnnxRuntime(onnx_file(checkpoint), precision)
