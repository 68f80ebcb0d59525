"""Whether a runtime opens at once, or has to export, convert or compile the network first."""

from __future__ import annotations

import torch

from streamhmm.acoustic.backends.devices import devices
from streamhmm.acoustic.backends.runtime import AUTO, RuntimeSettings
from streamhmm.acoustic.cache import is_kept
from streamhmm.acoustic.checkpoint import Checkpoint
from streamhmm.acoustic.shipped import shipped_int8
from streamhmm.errors import BackendUnavailable


def is_ready(checkpoint: Checkpoint, settings: RuntimeSettings) -> bool:
    """Whether the file is there that the backend runs, made by what is installed here; some backends need none."""
    try:
        if _is_shipped(checkpoint, settings):
            return True
        name = _kept_name(checkpoint, settings)
    except BackendUnavailable:
        return False
    return name is None or is_kept(name)


def _kept_name(checkpoint: Checkpoint, settings: RuntimeSettings) -> str | None:
    """What the cache calls the file; None if the backend keeps none."""
    # Each of these modules takes a while to import, and only some are needed.
    precision = "fp32" if settings.precision == AUTO else settings.precision
    if settings.backend == "tensorrt":
        from streamhmm.acoustic.backends.tensorrt_engine import Sizes, engine_name
        from streamhmm.acoustic.backends.tensorrt_runtime import usable_device

        return engine_name(checkpoint, precision, Sizes.of(settings), usable_device(settings))
    if settings.backend == "torch-compile":
        from streamhmm.acoustic.backends.inductor import compiled_name

        device = devices()[0] if settings.device == AUTO else settings.device
        return compiled_name(checkpoint, precision, torch.device(device))
    if settings.backend == "openvino" or (settings.backend == "onnx" and precision == "fp32"):
        from streamhmm.acoustic.exported.onnx_graph import onnx_name

        return onnx_name(checkpoint)
    if settings.backend == "onnx":
        from streamhmm.acoustic.exported.onnx_conversions import converted_name

        return converted_name(checkpoint, precision)
    return None


def _is_shipped(checkpoint: Checkpoint, settings: RuntimeSettings) -> bool:
    return (settings.backend, settings.precision) == ("onnx", "int8") and shipped_int8(checkpoint) is not None
