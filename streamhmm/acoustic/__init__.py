"""The acoustic front end: audio samples to per-frame scores of phones. Training stands apart, in ``training``.

Names are imported when they are first used: who only asks where a model lies need not wait for PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamhmm.acoustic.backends.runtime import RuntimeSettings
    from streamhmm.acoustic.model import AcousticModel, ScoreStream

_HOMES = {"AcousticModel": "model", "ScoreStream": "model", "RuntimeSettings": "backends.runtime"}
__all__ = ["AcousticModel", "RuntimeSettings", "ScoreStream"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
