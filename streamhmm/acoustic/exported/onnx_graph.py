"""The network as an ONNX graph."""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from pathlib import Path

import torch

from streamhmm.acoustic.backends.runtime import require
from streamhmm.acoustic.cache import cache_folder
from streamhmm.acoustic.checkpoint import Checkpoint
from streamhmm.acoustic.exported.model import ExportedModel
from streamhmm.acoustic.features import N_MELS
from streamhmm.acoustic.network import FUTURE_FRAMES, PAST_FRAMES, AcousticNetwork

INPUTS, OUTPUTS = ("frames", "states"), ("log_posteriors", "states_after")


def onnx_file(model: Checkpoint | ExportedModel) -> Path:
    """The network's step as an ONNX file: an exported model's own, or one in this machine's cache, made if need be.

    Raises:
        BackendUnavailable: the exporter is not installed.
    """
    if isinstance(model, ExportedModel):
        return model.path
    path = cache_folder() / f"{model.fingerprint}-torch{torch.__version__}.onnx"
    if not path.exists():
        handle, temporary = tempfile.mkstemp(suffix=".onnx", dir=path.parent)
        os.close(handle)
        export_onnx(model.network, temporary)
        Path(temporary).replace(path)
    return path


def export_onnx(network: AcousticNetwork, path: str | os.PathLike[str]) -> None:
    """Write the network's step with any batch size and any even number of frames."""
    require("onnxscript", "onnx", "onnx")
    batch, pairs = torch.export.Dim("batch", min=1, max=4096), torch.export.Dim("pairs", min=4, max=1 << 20)
    shapes = {"frames": {0: batch, 1: 2 * pairs}, "states": {0: batch}}
    with warnings.catch_warnings(), _quiet("torch.onnx"):
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.trunk.eval(),
            example(network),
            os.fspath(path),
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            dynamic_shapes=shapes,
            dynamo=True,
            external_data=False,
            verbose=False,
        )


def example(network: AcousticNetwork, batch: int = 2, steps: int = 30) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs of a step: silence after silence."""
    config = network.config
    frames = torch.zeros(batch, 2 * steps + PAST_FRAMES + FUTURE_FRAMES, N_MELS)
    return frames, torch.zeros(batch, sum(config.pasts), config.width)


class _quiet:
    """Keeps a logger's warnings off the terminal for a while."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def __enter__(self) -> None:
        self._level = self._logger.level
        self._logger.setLevel(logging.ERROR)

    def __exit__(self, *_: object) -> None:
        self._logger.setLevel(self._level)
