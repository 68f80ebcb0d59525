"""The network as an ONNX graph."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from streamhmm.acoustic.backends.runtime import require
from streamhmm.acoustic.cache import kept_file
from streamhmm.acoustic.checkpoint import Checkpoint
from streamhmm.acoustic.exported.model import ExportedModel
from streamhmm.acoustic.exported.onnx_header import save_onnx
from streamhmm.acoustic.exported.quiet import quiet
from streamhmm.acoustic.features import N_MELS
from streamhmm.acoustic.network import FUTURE_FRAMES, PAST_FRAMES, AcousticNetwork, code_version
from streamhmm.errors import ModelError

INPUTS, OUTPUTS = ("frames", "states"), ("log_posteriors", "states_after")


def onnx_file(model: Checkpoint | ExportedModel) -> Path:
    """The network's step as an ONNX file: an exported model's own, or one in this machine's cache, made if need be.

    Raises:
        BackendUnavailable: the exporter is not installed.
        ModelError: it is a file of another form.
    """
    if isinstance(model, ExportedModel):
        if model.form != "onnx":
            raise ModelError(f"{model.path}: no ONNX graph can be made of it; give the file it was made from")
        return model.path
    return kept_file(onnx_name(model), lambda path: export_onnx(model.network, path))


def onnx_name(model: Checkpoint | ExportedModel) -> str:
    """What the cache calls that file."""
    return f"{model.fingerprint}-{code_version()}-torch{torch.__version__}.onnx"


def export_onnx(network: AcousticNetwork, path: str | os.PathLike[str]) -> None:
    """Write the network's step with any batch size and any even number of frames, simplified and checked."""
    save_onnx(onnx_graph(network), Path(path))


def onnx_graph(network: AcousticNetwork) -> Any:
    """The same as an ``onnx.ModelProto``. The exporter has folded constants and dropped what is not used."""
    require("onnxscript", "onnx", "onnx")
    passes: Any = require("onnx_ir.passes.common", "onnx", "onnx")
    with quiet():
        program = torch.onnx.export(
            network.trunk.eval(),
            example(network),
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            dynamic_shapes=dynamic_shapes(),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    passes.ClearMetadataAndDocStringPass()(program.model)  # what the exporter notes on every node, 3 % of the file
    return program.model_proto


def example(network: AcousticNetwork, batch: int = 2, steps: int = 30) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs of a step: silence after silence."""
    config = network.config
    frames = torch.zeros(batch, 2 * steps + PAST_FRAMES + FUTURE_FRAMES, N_MELS)
    return frames, torch.zeros(batch, sum(config.pasts), config.width)


def dynamic_shapes() -> dict[str, Any]:
    """Sizes of a step that may vary: the batch, and the number of frames, which is even."""
    batch, pairs = torch.export.Dim("batch", min=1, max=4096), torch.export.Dim("pairs", min=4, max=1 << 20)
    return {"frames": {0: batch, 1: 2 * pairs}, "states": {0: batch}}
