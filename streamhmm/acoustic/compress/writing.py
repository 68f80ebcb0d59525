"""Quantised networks as model files, with what was measured on them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from streamhmm import __version__
from streamhmm.acoustic.backends import open_backend
from streamhmm.acoustic.backends.runtime import RuntimeSettings, require
from streamhmm.acoustic.checkpoint import Checkpoint
from streamhmm.acoustic.compress.agreement import Agreement, agreement
from streamhmm.acoustic.exported import load_model, write_onnx_header
from streamhmm.acoustic.exported.onnx_header import save_onnx
from streamhmm.errors import OutputError, why_not_written


class Written(NamedTuple):
    """Size of a written file, bytes, of the float32 weights that it stands for, and its agreement with the source."""

    size: int
    float_size: int
    agreement: Agreement


def write_quantised(
    model: Any,
    checkpoint: Checkpoint,
    precision: str,
    notes: Mapping[str, Any],
    held_out: Sequence[Tensor],
    output: str | os.PathLike[str],
    reference: Checkpoint | None = None,
) -> Written:
    """Write an ``onnx.ModelProto`` as a model file, with notes, versions, and its agreement with the float network.

    Args:
        held_out: (T, 80) features of the utterances to measure on.
        reference: what to compare with, if it is not the checkpoint.

    Raises:
        OutputError: the file can't be written.
    """
    path = Path(output)
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / "trial.onnx"
        write_onnx_header(model, checkpoint, precision)
        save_onnx(model, trial)
        found = agreement(
            open_backend(reference or checkpoint, RuntimeSettings("torch", "fp32")),
            open_backend(load_model(trial), RuntimeSettings("onnx")),
            held_out,
        )
    write_onnx_header(model, checkpoint, precision, {**notes, **_versions(), "agreement": found._asdict()})
    try:
        save_onnx(model, path)
    except OSError as error:
        raise OutputError(f"{path}: {why_not_written(error, os.fspath(path))}") from error
    float_size = sum(weight.numel() * weight.element_size() for weight in checkpoint.network.state_dict().values())
    return Written(path.stat().st_size, float_size, found)


def _versions() -> dict[str, str]:
    names = ("onnx", "onnxruntime")
    return {
        "streamhmm": __version__,
        "torch": torch.__version__,
        **{name: require(name, "onnx", "onnx").__version__ for name in names},
    }
