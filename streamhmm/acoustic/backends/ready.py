"""Whether a runtime opens at once, or has to export, convert or compile the network first."""

from __future__ import annotations

from streamhmm.acoustic.backends.runtime import AUTO, RuntimeSettings
from streamhmm.acoustic.cache import cache_folder
from streamhmm.acoustic.checkpoint import Checkpoint
from streamhmm.acoustic.shipped import shipped_int8
from streamhmm.errors import BackendUnavailable

KEPT = {
    "onnx": "-{precision}-ort*.onnx",
    "openvino": "-torch*.onnx",
    "tensorrt": "-{precision}-*.engine",
    "torch-compile": "-{precision}-*.pt2",
}
"""How names of the files that backends make, and keep in the cache folder, go on after the fingerprint."""
EXPORTED = "-torch*.onnx"
"""The plain export, which is also ONNX Runtime's single precision."""


def is_ready(checkpoint: Checkpoint, settings: RuntimeSettings) -> bool:
    """Whether the file is there that the backend runs; backends that are not in ``KEPT`` need none."""
    if settings.backend not in KEPT or _is_shipped(checkpoint, settings):
        return True
    precision = "fp32" if settings.precision == AUTO else settings.precision
    is_plain = settings.backend == "onnx" and precision == "fp32"
    pattern = EXPORTED if is_plain else KEPT[settings.backend].format(precision=precision)
    try:
        return any(cache_folder().glob(checkpoint.fingerprint + pattern))
    except OSError:
        return False


def _is_shipped(checkpoint: Checkpoint, settings: RuntimeSettings) -> bool:
    if (settings.backend, settings.precision) != ("onnx", "int8"):
        return False
    try:
        return shipped_int8(checkpoint) is not None
    except BackendUnavailable:
        return False
