"""What can be said about ``backend="auto"`` without PyTorch: what the user prefers, and whether there is a choice."""

from __future__ import annotations

import os
from importlib.util import find_spec

VARIABLE = "STREAMHMM_BACKEND"
"""Names what "auto" stands for: a backend, or several with commas between; unset, empty or "auto": the fastest."""
PACKAGES = {"onnx": "onnxruntime", "openvino": "openvino", "tensorrt": "tensorrt"}
"""Backends that bring a library of their own, and the module to look for."""


def named_backend() -> str | None:
    """What ``VARIABLE`` says, None where it leaves the choice open."""
    named = os.environ.get(VARIABLE, "").strip()
    return named if named not in ("", "auto") else None


def installed_backends() -> tuple[str, ...]:
    """Backends of ``PACKAGES`` whose library is there; with none of them there is nothing to choose."""
    return tuple(name for name, module in PACKAGES.items() if _is_there(module))


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # in sys.modules as None, or half imported
        return False
