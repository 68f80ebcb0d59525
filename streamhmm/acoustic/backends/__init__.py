"""Runtimes of the acoustic network, one file each, imported when asked for."""

from __future__ import annotations

import importlib
import warnings
from typing import Any, Protocol

from torch import Tensor

from streamhmm.acoustic.checkpoint import Checkpoint
from streamhmm.errors import BackendUnavailable

NAMES = ("torch", "torch-compile", "torchscript", "onnx", "tensorrt", "openvino")
PRECISIONS = ("fp32", "fp16", "bf16", "int8", "int4")
_MODULES = {"torch": "streamhmm.acoustic.backends.torch_eager"}
_AUTO = ("torch",)


class Backend(Protocol):
    """The network on one runtime. Caches are the runtime's own; None stands for "before any frame"."""

    name: str
    precision: str
    device: str

    def log_posteriors(self, features: Tensor, cache: Any | None) -> tuple[Tensor, Any]:
        """(B, T', V) log-posteriors of the frames that (B, T, 80) features complete, float32 on the CPU; the cache."""
        ...

    def finish(self, cache: Any | None) -> Tensor:
        """Log-posteriors of the frames still owed, (B, T', V)."""
        ...


def open_backend(
    checkpoint: Checkpoint, backend: str = "auto", precision: str = "auto", device: str = "auto"
) -> Backend:
    """The named runtime, or the first of a comma-separated list that works; "auto" takes the best one here.

    Raises:
        BackendUnavailable: no runtime of that name, precision or device is available here; the message lists them.

    Warns:
        RuntimeWarning: for each name of a list that had to be passed over.
    """
    names = _AUTO if backend == "auto" else tuple(name.strip() for name in backend.split(","))
    for name in names[:-1]:
        try:
            return _open(checkpoint, name, precision, device)
        except BackendUnavailable as error:
            warnings.warn(f"passed over backend {name}: {error}", RuntimeWarning, stacklevel=2)
    return _open(checkpoint, names[-1], precision, device)


def _open(checkpoint: Checkpoint, name: str, precision: str, device: str) -> Backend:
    if name not in _MODULES:
        state = "is not built into this release" if name in NAMES else "is unknown"
        raise BackendUnavailable(f"backend {name} {state}; choose one of: auto, {', '.join(_MODULES)}")
    module = importlib.import_module(_MODULES[name])
    opened: Backend = module.open_backend(checkpoint, precision, device)
    return opened
