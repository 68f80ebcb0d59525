"""The models that come with the package."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from streamhmm.errors import ModelError

if TYPE_CHECKING:
    from streamhmm.acoustic.checkpoint import Checkpoint


def find_model(name_or_path: str | os.PathLike[str]) -> Path:
    """The file of a shipped model by its name, or the path that was given. Raises ModelError: no such name."""
    name = os.fspath(name_or_path)
    shipped = _folder()
    if name.isidentifier() and not Path(name).exists():
        path = shipped / name / "model.safetensors"
        if not path.is_file():
            available = ", ".join(sorted(found.parent.name for found in shipped.glob("*/model.safetensors"))) or "none"
            raise ModelError(
                f"no shipped model is called {name!r}; shipped are: {available}; or give a model file's path"
            )
        return path
    return Path(name)


def shipped_int8(checkpoint: Checkpoint) -> Path | None:
    """The static INT8 form of a shipped network, an ONNX file; None if there is none, or the weights are others.

    Raises:
        BackendUnavailable: onnx is not installed.
    """
    from streamhmm.acoustic.exported import ExportedModel, load_model

    for path in _folder().glob("*/int8.onnx"):
        model = load_model(path)
        if isinstance(model, ExportedModel) and model.source == checkpoint.fingerprint:
            return path
    return None


def _folder() -> Path:
    return Path(str(resources.files("streamhmm.acoustic"))) / "models"
