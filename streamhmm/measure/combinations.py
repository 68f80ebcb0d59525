"""Which backends run at which precision here."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from streamhmm.acoustic import AcousticModel
from streamhmm.acoustic.automatic import PACKAGES, installed_backends
from streamhmm.acoustic.backends import MODULES
from streamhmm.acoustic.backends.ready import is_ready
from streamhmm.acoustic.backends.runtime import PRECISIONS, RuntimeSettings
from streamhmm.acoustic.checkpoint import Checkpoint
from streamhmm.acoustic.exported import load_model
from streamhmm.acoustic.shipped import find_model
from streamhmm.align.aligner import Aligner
from streamhmm.errors import BackendUnavailable, ModelError

COMPILERS = ("torch-compile", "tensorrt")
"""Backends that take minutes to open the first time."""


class Opened(NamedTuple):
    """A backend at a precision; without an ``aligner`` it is not available, or has failed, as ``problem`` says.

    ``is_missing``: something has to be installed, or it has no such precision or device; nothing is broken.
    """

    backend: str
    precision: str
    aligner: Aligner | None = None
    problem: str = ""
    is_missing: bool = False


def open_combination(
    model: str | os.PathLike[str], backend: str, precision: str, device: str = "auto", *, compile: bool = True
) -> Opened:
    """An aligner that runs so, or what stands against it.

    ``compile`` False: what would have to be compiled for minutes first counts as missing.

    Raises:
        ModelError: the model can't be used, or is of others.
    """
    settings = RuntimeSettings(backend, precision, device)
    try:
        installed = backend not in PACKAGES or backend in installed_backends()
        if not compile and installed and backend in COMPILERS and not _is_ready(model, settings):
            raise BackendUnavailable("it has to compile for a while first; name it with --backend to do so")
        aligner = Aligner(model, settings)
        own_model(aligner)
        return Opened(backend, precision, aligner)
    except ModelError:
        raise
    except BackendUnavailable as error:
        return Opened(backend, precision, problem=str(error), is_missing=True)
    except Exception as error:  # what a broken library raises is told, not passed on
        return Opened(backend, precision, problem=(str(error) or repr(error)).splitlines()[0])


def own_model(aligner: Aligner) -> AcousticModel:
    """The model of an aligner with its runtime. Raises ModelError for those of others, which have no runtimes."""
    if not isinstance(aligner.model, AcousticModel):
        raise ModelError("Hugging Face models run on PyTorch only; name a model of streamhmm")
    return aligner.model


def _is_ready(model: str | os.PathLike[str], settings: RuntimeSettings) -> bool:
    found = load_model(find_model(model))
    return not isinstance(found, Checkpoint) or is_ready(found, settings)


def wanted_combinations(backends: Sequence[str], precisions: Sequence[str]) -> list[tuple[str, str]]:
    """Every backend, or those named, at every precision, or those named."""
    return [(backend, precision) for backend in backends or MODULES for precision in precisions or PRECISIONS]
