"""Model files of every form, by their suffix."""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path

from streamhmm.acoustic.checkpoint import Checkpoint, load_checkpoint
from streamhmm.acoustic.exported.model import FORMS, HEADER, ExportedModel, model_from
from streamhmm.acoustic.exported.onnx_header import read_onnx_header
from streamhmm.errors import ModelError

HEADER_FILE = f"{HEADER}.json"
"""What the header is called in PyTorch's archives."""


def load_model(path: str | os.PathLike[str]) -> Checkpoint | ExportedModel:
    """A model file: .onnx, .ts, .pt2 and .engine as ``streamhmm export`` wrote them, else a checkpoint.

    Files .ts, .pt2 and .engine are programs: take them only from people you trust.

    Raises:
        ModelError: missing, damaged, no model, or of a newer format.
        BackendUnavailable: the library that reads such a file is not installed.
    """
    path = Path(path)
    form = FORMS.get(path.suffix.lower())
    if form is None:
        return load_checkpoint(path)
    if not path.is_file():
        raise ModelError(f"{path}: no such model file; name a file or a shipped model (en)")
    readers = {"onnx": read_onnx_header, "tensorrt": _read_beside}
    return model_from(path, form, readers.get(form, _read_archive)(path))


def header_beside(path: Path) -> Path:
    """Where the header of a TensorRT engine lies."""
    return path.with_name(path.name + ".json")


def _read_beside(path: Path) -> str:
    try:
        return header_beside(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(
            f"{path}: its header {header_beside(path).name} is missing or unreadable; keep both files together, "
            "or export the model again"
        ) from error


def _read_archive(path: Path) -> bytes | None:
    """PyTorch's archives are ZIP files; nothing in them is run to read the header."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = [name for name in archive.namelist() if name.endswith(f"extra/{HEADER_FILE}")]
            return archive.read(found[0]) if found else None
    except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError) as error:
        raise ModelError(f"{path}: not a file of PyTorch, or damaged ({error}); export the model again") from error
