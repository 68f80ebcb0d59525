"""Runtimes of the acoustic network, one file each, imported when asked for."""

from __future__ import annotations

import importlib
import warnings
from dataclasses import replace

from streamhmm.acoustic.backends.backend import Backend
from streamhmm.acoustic.backends.runtime import AUTO, Runtime, RuntimeSettings
from streamhmm.acoustic.checkpoint import Checkpoint
from streamhmm.acoustic.exported.model import RUNS, ExportedModel
from streamhmm.errors import BackendUnavailable

MODULES = {
    "torch": "torch_eager",
    "torch-compile": "torch_compile",
    "torchscript": "torchscript",
    "onnx": "onnx_runtime",
    "openvino": "openvino_runtime",
    "tensorrt": "tensorrt_runtime",
}
"""Names of backends, and the modules here whose ``open_runtime`` opens them."""
_BY_ITSELF = ("torch",)
__all__ = ["MODULES", "Backend", "open_backend"]


def open_backend(checkpoint: Checkpoint | ExportedModel, settings: RuntimeSettings | None = None) -> Backend:
    """The network of a checkpoint, or of an exported file, on the runtime that the settings name.

    Raises:
        BackendUnavailable: no runtime of that name, precision or device works here; the message says what to do.
        ValueError: an option that the backend does not have.

    Warns:
        RuntimeWarning: for each name of a list that had to be passed over.
    """
    settings = settings or RuntimeSettings()
    by_itself = RUNS[checkpoint.form][:1] if isinstance(checkpoint, ExportedModel) else _BY_ITSELF
    names = by_itself if settings.backend == AUTO else tuple(name.strip() for name in settings.backend.split(","))
    for name in names[:-1]:
        try:
            return Backend(_open(checkpoint, replace(settings, backend=name)), checkpoint.config)
        except BackendUnavailable as error:
            warnings.warn(f"passed over backend {name}: {error}", RuntimeWarning, stacklevel=2)
    return Backend(_open(checkpoint, replace(settings, backend=names[-1])), checkpoint.config)


def _open(checkpoint: Checkpoint | ExportedModel, settings: RuntimeSettings) -> Runtime:
    if settings.backend not in MODULES:
        raise BackendUnavailable(f"backend {settings.backend} is unknown; choose one of: {AUTO}, {', '.join(MODULES)}")
    if isinstance(checkpoint, ExportedModel) and settings.backend not in RUNS[checkpoint.form]:
        raise BackendUnavailable(
            f"backend {settings.backend} can't run {checkpoint.path.name}; "
            f"choose one of: {AUTO}, {', '.join(RUNS[checkpoint.form])}; or give the safetensors file it was made from"
        )
    module = importlib.import_module(f"{__name__}.{MODULES[settings.backend]}")
    opened: Runtime = module.open_runtime(checkpoint, settings)
    return opened
