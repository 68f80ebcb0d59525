"""The header of a model in an ONNX file: its metadata."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from streamhmm.acoustic.backends.runtime import require
from streamhmm.acoustic.checkpoint import Checkpoint
from streamhmm.acoustic.exported.model import HEADER, ExportedModel, header_of
from streamhmm.errors import ModelError


def write_onnx_header(
    path_or_model: Any,
    checkpoint: Checkpoint | ExportedModel,
    precision: str,
    provenance: dict[str, Any] | None = None,
) -> None:
    """Make an ONNX file, or an ``onnx.ModelProto``, a model: with all of the checkpoint but its network.

    A file is checked, written under a temporary name, then renamed.

    Raises:
        BackendUnavailable: onnx is not installed.
    """
    onnx = require("onnx", "onnx", "onnx")
    graph = onnx.load(path_or_model) if isinstance(path_or_model, (str, os.PathLike)) else path_or_model
    kept = {entry.key: entry.value for entry in graph.metadata_props}
    onnx.helper.set_model_props(graph, {**kept, HEADER: json.dumps(header_of(checkpoint, precision, provenance))})
    if graph is not path_or_model:
        save_onnx(graph, Path(path_or_model))


def save_onnx(graph: Any, path: Path) -> None:
    """Check a graph, write it under a temporary name, then rename it."""
    onnx = require("onnx", "onnx", "onnx")
    onnx.checker.check_model(graph, full_check=True)
    temporary = path.with_name(path.name + ".part")
    try:
        temporary.write_bytes(graph.SerializeToString())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_onnx_header(path: Path) -> str | None:
    """The header, or None if the file has none.

    Raises:
        ModelError: this is no ONNX file.
    """
    onnx = require("onnx", "onnx", "onnx")
    try:
        graph = onnx.load_model_from_string(path.read_bytes())
    except Exception as error:  # a class of protobuf's own, of no documented name
        raise ModelError(f"{path}: not an ONNX file, or damaged; export the model again") from error
    return {entry.key: str(entry.value) for entry in graph.metadata_props}.get(HEADER)
