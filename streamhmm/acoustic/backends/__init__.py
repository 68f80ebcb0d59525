"""Runtimes of the acoustic network, one file each, imported when asked for."""

from __future__ import annotations

import importlib
import warnings
from dataclasses import replace

from streamhmm.acoustic.automatic import VARIABLE, named_backend
from streamhmm.acoustic.backends.auto import Opener, choose
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
__all__ = ["MODULES", "Backend", "open_backend"]


def open_backend(checkpoint: Checkpoint | ExportedModel, settings: RuntimeSettings | None = None) -> Backend:
    """The network of a checkpoint, or of an exported file, on the runtime that the settings name; of "auto" on the one
    that is best here (auto.py), of an exported file the first that is made for such files.

    Raises:
        BackendUnavailable: no runtime of that name, precision or device works here; the message says what to do.
        ValueError: an option that the backend does not have.

    Warns:
        RuntimeWarning: for each name of a list that had to be passed over.
    """
    settings, reason = settings or RuntimeSettings(), "it was named"
    if settings.backend == AUTO:
        named = named_backend()
        if isinstance(checkpoint, ExportedModel):
            named, reason = RUNS[checkpoint.form][0], "it is the first for such a file"
        elif named is None:
            runtime, reason = choose(checkpoint, settings, Opener(tuple(MODULES), _open))
            return Backend(runtime, checkpoint.config, reason=reason)
        else:
            reason = f"{VARIABLE} names it"
        settings = replace(settings, backend=named)
    return Backend(_open_first(checkpoint, settings), checkpoint.config, reason=reason)


def _open_first(checkpoint: Checkpoint | ExportedModel, settings: RuntimeSettings) -> Runtime:
    """The first of several names that works."""
    names = tuple(name.strip() for name in settings.backend.split(","))
    for name in names[:-1]:
        try:
            return _open(checkpoint, replace(settings, backend=name))
        except BackendUnavailable as error:
            warnings.warn(f"passed over backend {name}: {error}", RuntimeWarning, stacklevel=3)
    return _open(checkpoint, replace(settings, backend=names[-1]))


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
