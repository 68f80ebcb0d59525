"""The models that come with the package."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

from streamhmm.errors import ModelError


def find_model(name_or_path: str | os.PathLike[str]) -> Path:
    """The file of a shipped model by its name, or the path that was given. Raises ModelError: no such name."""
    name = os.fspath(name_or_path)
    shipped = Path(str(resources.files("streamhmm.acoustic"))) / "models"
    if name.isidentifier() and not Path(name).exists():
        path = shipped / name / "model.safetensors"
        if not path.is_file():
            available = ", ".join(sorted(found.parent.name for found in shipped.glob("*/model.safetensors"))) or "none"
            raise ModelError(
                f"no shipped model is called {name!r}; shipped are: {available}; or give a model file's path"
            )
        return path
    return Path(name)
