"""A network in another program's file, and the header that makes it a model."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from streamhmm.acoustic.checkpoint import Checkpoint
from streamhmm.acoustic.features import N_MELS
from streamhmm.acoustic.labels import LABELS
from streamhmm.acoustic.network import NetworkConfig
from streamhmm.errors import ModelError

KIND = "streamhmm-exported"
FORMAT_VERSION = 1
HEADER = "streamhmm"
"""Name of the header in the file's metadata."""
FORMS = {
    ".onnx": "onnx",
    ".ts": "torchscript",
    ".pt": "torchscript",
    ".pt2": "program",
    ".engine": "tensorrt",
    ".plan": "tensorrt",
}
"""Suffixes of files, and what is in them."""
RUNS = {
    "onnx": ("onnx", "openvino", "tensorrt"),
    "torchscript": ("torchscript",),
    "program": ("torch-compile",),
    "tensorrt": ("tensorrt",),
}
"""Forms, and the backends that run them, the one that "auto" takes first."""


@dataclass(frozen=True)
class ExportedModel:
    """A network in an ONNX, TorchScript, ``torch.export`` or TensorRT file, with all else that a checkpoint has.

    Attributes:
        path: the file.
        form: "onnx", "torchscript", "program" or "tensorrt".
        precision: of the weights in it, as :class:`RuntimeSettings` names it.
        source: fingerprint of the network it was made from.
        provenance: how it was made.
        config, log_prior, labels, training, calibration, label_means: as in :class:`Checkpoint`.
    """

    path: Path
    form: str
    precision: str
    config: NetworkConfig
    source: str
    log_prior: Tensor
    labels: tuple[str, ...] = LABELS
    training: dict[str, Any] = field(default_factory=dict)
    calibration: dict[str, Any] | None = None
    label_means: Tensor | None = None
    provenance: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def fingerprint(self) -> str:
        """Short and the same for files that are equal. It is not that of the network it was made from."""
        return hashlib.blake2b(self.path.read_bytes(), digest_size=10).hexdigest()


def header_of(
    model: Checkpoint | ExportedModel, precision: str, provenance: dict[str, Any] | None = None
) -> dict[str, Any]:
    """What an exported file has to carry, as JSON takes it."""
    earlier = model.provenance if isinstance(model, ExportedModel) else {}
    return {
        "kind": KIND,
        "format_version": FORMAT_VERSION,
        "precision": precision,
        "source": model.source if isinstance(model, ExportedModel) else model.fingerprint,
        "architecture": dataclasses.asdict(model.config),
        "labels": model.labels,
        "log_prior": _packed(model.log_prior),
        "label_means": None if model.label_means is None else _packed(model.label_means),
        "training": model.training,
        "calibration": model.calibration,
        "provenance": {**earlier, **(provenance or {})},
    }


def model_from(path: Path, form: str, header: str | bytes | None) -> ExportedModel:
    """The model of a file whose header was found.

    Raises:
        ModelError: there is no header, it is damaged, or of a newer format.
    """
    if not header:
        raise ModelError(f"{path}: no model that streamhmm exported; give a file that `streamhmm export` wrote")
    try:
        values = json.loads(header)
        if values["kind"] != KIND:
            raise ValueError(f"kind {values['kind']}")
        version = values["format_version"]
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path, error) from error
    if version != FORMAT_VERSION:
        raise ModelError(
            f"{path}: format version {version}, this streamhmm reads {FORMAT_VERSION}; install another release"
        )
    try:
        return _checked(_model(path, form, values))
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path, error) from error


def _model(path: Path, form: str, values: dict[str, Any]) -> ExportedModel:
    means = values["label_means"]
    return ExportedModel(
        path=path,
        form=form,
        precision=values["precision"],
        config=NetworkConfig.from_json(values["architecture"]),
        source=values["source"],
        log_prior=_unpacked(values["log_prior"]),
        labels=tuple(values["labels"]),
        training=values["training"],
        calibration=values["calibration"],
        label_means=None if means is None else _unpacked(means),
        provenance=values["provenance"],
    )


def _checked(model: ExportedModel) -> ExportedModel:
    if model.labels != LABELS or len(LABELS) != model.config.n_labels:
        raise ValueError(f"its labels are not {' '.join(LABELS)}")
    wanted = {"log_prior": (len(LABELS),), "label_means": (len(LABELS), N_MELS)}
    for name, tensor in (("log_prior", model.log_prior), ("label_means", model.label_means)):
        if tensor is not None and (tuple(tensor.shape) != wanted[name] or not bool(tensor.isfinite().all())):
            raise ValueError(f"{name} has shape {tuple(tensor.shape)} or is not finite")
    return model


def _damaged(path: Path, error: Exception) -> ModelError:
    return ModelError(f"{path}: its header is damaged ({error}); export the model again")


def _packed(tensor: Tensor) -> dict[str, Any]:
    values = tensor.detach().cpu().float().numpy().astype("<f4")
    return {"shape": list(values.shape), "float32": base64.b64encode(values.tobytes()).decode("ascii")}


def _unpacked(packed: dict[str, Any]) -> Tensor:
    values = np.frombuffer(base64.b64decode(packed["float32"], validate=True), "<f4").astype(np.float32)
    return torch.from_numpy(values.reshape(packed["shape"]))
