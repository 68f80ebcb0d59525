"""The network in OpenVINO."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from streamhmm.acoustic.backends.runtime import RuntimeSettings, pick, require
from streamhmm.acoustic.cache import writable_folder
from streamhmm.acoustic.checkpoint import Checkpoint
from streamhmm.acoustic.exported import ExportedModel
from streamhmm.acoustic.exported.onnx_conversions import with_onnx_file

EXTRA = "openvino"
TYPES = {"fp32": "f32", "bf16": "bf16"}
"""OpenVINO's names of what it computes in; a graph with integers in it stays as it is."""


class OpenVinoRuntime:
    """Runs the trunk's ONNX graph."""

    name = "openvino"

    def __init__(self, core: Any, path: Path, precision: str, hint: str) -> None:
        settings = {
            "INFERENCE_PRECISION_HINT": TYPES.get(precision, "f32"),
            "PERFORMANCE_HINT": hint.upper(),
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "CACHE_DIR": str(writable_folder() / "openvino"),
        }
        self._model = core.compile_model(str(path), "CPU", settings)
        self.precision, self.device = precision, torch.device("cpu")

    def step(self, frames: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
        # A request serves one thread at a time, and a new one costs 12 µs.
        request = self._model.create_infer_request()
        inputs = {"frames": frames.numpy(), "states": states.numpy()}
        outputs = request.infer(inputs, share_inputs=True, share_outputs=False)
        return torch.from_numpy(outputs["log_posteriors"]), torch.from_numpy(outputs["states_after"])


def open_runtime(model: Checkpoint | ExportedModel, settings: RuntimeSettings) -> OpenVinoRuntime:
    """Precisions: fp32; bf16 where the processor multiplies in it; of an exported file that has another one, that.

    The hint becomes OpenVINO's PERFORMANCE_HINT. Compiled graphs are kept in the cache folder.

    Raises:
        BackendUnavailable: no openvino, or a precision or a device that it does not have.
        ValueError: an unknown option.
        ModelError: an exported file of another form.
    """
    settings.check_options()
    core = require("openvino", "openvino", EXTRA).Core()
    precision = pick("precision", "openvino", settings.precision, _precisions(model, core))
    pick("device", "openvino", settings.device, ("cpu",))
    own = model.precision if isinstance(model, ExportedModel) else "fp32"
    return with_onnx_file(model, own, lambda path: OpenVinoRuntime(core, path, precision, settings.hint))


def _precisions(model: Checkpoint | ExportedModel, core: Any) -> tuple[str, ...]:
    if isinstance(model, ExportedModel) and model.precision != "fp32":
        return (model.precision,)
    return ("fp32", "bf16") if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES") else ("fp32",)
