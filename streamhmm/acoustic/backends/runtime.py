"""What a runtime of the network has to offer, and how one is asked for."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import torch
from torch import Tensor

from streamhmm.errors import BackendUnavailable

PRECISIONS = ("fp32", "tf32", "fp16", "bf16", "int8", "int4")
HINTS = ("latency", "throughput")
AUTO = "auto"


class Runtime(Protocol):
    """The network's step on one runtime.

    Attributes:
        name, precision: as in :class:`RuntimeSettings`, with no "auto" left.
        device: where its tensors are.
    """

    name: str
    precision: str
    device: torch.device

    def step(self, frames: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 2K + 6, 80) frames and (B, S, width) states to (B, 2K, V) log-posteriors and the states after, K from 1.

        All are float32 on ``device``. What comes back belongs to the caller.
        """
        ...


@dataclass(frozen=True)
class RuntimeSettings:
    """What is to run the network.

    Attributes:
        backend: a name, several in the order of preference with commas between, or "auto".
        precision: one of ``PRECISIONS``, or "auto": the backend's most accurate one.
        device: "cpu", "cuda", "cuda:N", or "auto".
        hint: "latency" (single streams, small chunks) or "throughput" (large batches).
        options: more, by the backend's own names.
    """

    backend: str = AUTO
    precision: str = AUTO
    device: str = AUTO
    hint: str = "latency"
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.precision not in (AUTO, *PRECISIONS):
            names = ", ".join((AUTO, *PRECISIONS))
            raise BackendUnavailable(f"precision {self.precision} is unknown; choose one of: {names}")
        if self.hint not in HINTS:
            raise ValueError(f"hint must be one of {', '.join(HINTS)}, got {self.hint!r}")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it as a small JSON file, which ``Aligner(backend=PATH)`` and ``--backend PATH`` take."""
        Path(path).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> RuntimeSettings:
        """Read such a file.

        Raises:
            BackendUnavailable: it can't be read, or is no such file.
        """
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
            if not isinstance(values, dict):
                raise ValueError("not a JSON object")
            unknown = set(values) - {each.name for each in fields(cls)}
            if unknown:
                raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
            wrong = [
                name for name, value in values.items() if not isinstance(value, dict if name == "options" else str)
            ]
            if wrong:
                raise ValueError(f"of the wrong type: {', '.join(wrong)}")
            return cls(**values)
        except (OSError, ValueError, TypeError) as error:
            raise BackendUnavailable(f"{os.fspath(path)}: no runtime settings ({error})") from error

    def check_options(self, *known: str) -> None:
        """Raises ValueError for options that are not among the ``known`` ones."""
        unknown = sorted(set(self.options) - set(known))
        if unknown:
            names = ", ".join(known) or "none"
            raise ValueError(f"backend {self.backend} has no option {', '.join(unknown)}; it has: {names}")


def pick(what: str, backend: str, wanted: str, available: tuple[str, ...]) -> str:
    """``wanted`` if it is ``available``, the first of them for "auto". Raises BackendUnavailable."""
    if wanted == AUTO:
        return available[0]
    if wanted not in available:
        names = ", ".join((AUTO, *available))
        verb = "can't run on" if what == "device" else "has no"
        raise BackendUnavailable(f"backend {backend} {verb} {what} {wanted}; choose one of: {names}")
    return wanted


def require(module: str, backend: str, extra: str) -> ModuleType:
    """An optional library. Raises BackendUnavailable with the command that installs it."""
    try:
        return import_module(module)
    except ImportError as error:
        install = f"pip install 'streamhmm[{extra}]'"
        raise BackendUnavailable(f"backend {backend} needs {module}, which is not installed: {install}") from error
