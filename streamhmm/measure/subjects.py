"""What is measured: the same model on every backend and precision that works here."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import torch

from streamhmm.acoustic import AcousticModel, RuntimeSettings
from streamhmm.acoustic.backends import MODULES
from streamhmm.acoustic.backends.runtime import PRECISIONS
from streamhmm.errors import BackendUnavailable
from streamhmm.measure.machine import resident_bytes

BASELINE = ("torch", "fp32")
"""Backend and precision that everything is held against: torch's eager mode."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A model on one runtime.

    Attributes:
        name: such as "onnx int8".
        prepare_s: seconds of opening it for the first time: libraries, and what is exported or built and then kept.
        load_s: seconds of opening it again.
        load_bytes: memory that this took; NaN where the system does not tell.
    """

    name: str
    settings: RuntimeSettings
    model: AcousticModel
    prepare_s: float
    load_s: float
    load_bytes: float

    @property
    def is_baseline(self) -> bool:
        """Whether the others are held against it."""
        return (self.model.backend.name, self.model.backend.precision) == BASELINE and not self.settings.options

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.model.backend.device

    def wait(self) -> None:
        """Returns when its device has done all that it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


class Missing(NamedTuple):
    """A runtime that does not work here, and why."""

    name: str
    reason: str


class Opened(NamedTuple):
    """The baseline first, if it works."""

    subjects: list[Subject]
    missing: list[Missing]


def wanted_settings(
    backends: Sequence[str] = (), precisions: Sequence[str] = (), device: str = "auto"
) -> list[RuntimeSettings]:
    """The baseline, then every backend with every precision; of each all that there are where none is named.

    A backend that ends in ".json" is a file of settings, which say it all.

    Raises:
        BackendUnavailable: a file that is no settings, or an unknown precision.
    """
    named = [name for name in backends if not name.endswith(".json")]
    files = [RuntimeSettings.load(name) for name in backends if name.endswith(".json")]
    pairs = product(named if backends else MODULES, precisions or PRECISIONS)
    wanted = [RuntimeSettings(*pair, device) for pair in [BASELINE, *(pair for pair in pairs if pair != BASELINE)]]
    return [*wanted, *files]


def open_subjects(
    model: str | os.PathLike[str],
    wanted: Iterable[RuntimeSettings],
    clock: Callable[[], float] = time.perf_counter,
) -> Opened:
    """Opens what works, and tells what does not.

    Raises:
        ModelError: there is no such model.
    """
    opened = Opened([], [])
    for settings in wanted:
        try:
            subject = _open(model, settings, clock)
        except (
            BackendUnavailable,
            OSError,
            RuntimeError,
            ValueError,
        ) as error:  # libraries refuse machines and options
            opened.missing.append(Missing(f"{settings.backend} {settings.precision}", str(error)))
            continue
        if subject.settings.options or subject.name not in {other.name for other in opened.subjects}:
            opened.subjects.append(subject)
    return opened


def _open(model: str | os.PathLike[str], settings: RuntimeSettings, clock: Callable[[], float]) -> Subject:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # what of a list was passed over
        begin = clock()
        AcousticModel.load(model, settings)
        prepared, before = clock(), resident_bytes()
        loaded = AcousticModel.load(model, settings)
        load_s, load_bytes = clock() - prepared, resident_bytes() - before
    options = "".join(f" {name}={value}" for name, value in settings.options.items())
    name = f"{loaded.backend.name} {loaded.backend.precision}{options}"
    return Subject(name, settings, loaded, prepared - begin, load_s, load_bytes)
