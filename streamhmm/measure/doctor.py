"""What works on this machine, what is missing, and what is broken."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import torch

from streamhmm import _C, __version__
from streamhmm.acoustic import AcousticModel, RuntimeSettings
from streamhmm.acoustic.automatic import PACKAGES
from streamhmm.acoustic.backends.proven import Combination, verdicts
from streamhmm.acoustic.backends.remembered import installed_version, processor
from streamhmm.acoustic.backends.runtime import HINTS
from streamhmm.acoustic.backends.trial import log_posteriors, made_up_features, ms_a_second, what_is_wrong
from streamhmm.acoustic.cache import cache_folder
from streamhmm.align.aligner import Aligner
from streamhmm.audio.devices import input_devices
from streamhmm.errors import AudioError, BackendUnavailable
from streamhmm.measure.combinations import open_combination, own_model, wanted_combinations
from streamhmm.measure.growth import growth_of, usual_work

LIBRARIES = ("torch", "torchao", "numpy", *PACKAGES.values(), "onnx", "onnxscript", "transformers", "sounddevice")
WORKS, MISSING, FAILS = "works", "missing", "fails"


@dataclass(frozen=True)
class BackendState:
    """A backend at a precision: "works", "missing" or "fails", and what is to be said of it.

    Attributes:
        ms: for a second of audio by hint, where it works.
        parity: "same", "flagged" or "unproven".
        growth: bytes by which memory grew a round; None where it was not looked at.
    """

    backend: str
    precision: str
    state: str
    note: str = ""
    device: str = ""
    ms: dict[str, float] = field(default_factory=dict)
    parity: str = ""
    growth: float | None = None


class AutoState(NamedTuple):
    """What "auto" takes for a hint, and why."""

    settings: RuntimeSettings
    reason: str


@dataclass
class Diagnosis:
    """Everything that was found; ``problems`` are what should work and does not.

    ``auto`` lacks a hint for which nothing runs.
    """

    versions: dict[str, str]
    machine: dict[str, Any]
    core: dict[str, Any]
    cuda: dict[str, Any]
    audio: list[str]
    cache: dict[str, Any]
    backends: list[BackendState] = field(default_factory=list)
    auto: dict[str, AutoState] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        auto = {hint: {**asdict(state.settings), "reason": state.reason} for hint, state in self.auto.items()}
        return {**{name: value for name, value in asdict(self).items() if name != "auto"}, "auto": auto}


def examine(
    model: str | os.PathLike[str] = "en",
    *,
    device: str = "auto",
    rounds: int = 0,
    backends: Sequence[str] = (),
    on_progress: Callable[[str], None] = lambda what: None,
) -> Diagnosis:
    """Look at everything.

    Args:
        model: what the backends run.
        device: where.
        rounds: so often work is repeated with each backend to see whether memory grows; 0: it is not looked at.
        backends: only these, compiled first where they have to be.
        on_progress: called with what is looked at next.

    Raises:
        ModelError: the model can't be used.
    """
    found = Diagnosis(_versions(), _machine(), _core(), _cuda(), _audio(), {})
    if "problem" in found.core:
        found.problems.append(found.core["problem"])
    expected = _expected(model)
    for backend, precision in wanted_combinations(backends, ()):
        on_progress(f"{backend} {precision}")
        state = _state(model, backend, precision, device, expected, rounds, compile=bool(backends))
        found.backends.append(state)
        if state.state == FAILS:
            found.problems.append(f"{backend} {precision}: {state.note}")
    for hint in HINTS:
        on_progress(f"auto for {hint}")
        try:
            chosen = AcousticModel.load(model, RuntimeSettings(device=device, hint=hint))
        except BackendUnavailable as error:
            found.problems.append(f"auto for {hint}: {error}")
        else:
            found.auto[hint] = AutoState(chosen.running, chosen.backend.reason)
    found.cache = _cache(found.problems)
    return found


def _expected(model: str | os.PathLike[str]) -> torch.Tensor | None:
    """What every runtime has to give; None of an exported model, which torch does not run."""
    opened = open_combination(model, "torch", "fp32", "cpu")
    if opened.aligner is None:
        return None
    backend = own_model(opened.aligner).backend
    return log_posteriors(backend.runtime, backend.config, made_up_features())


def _state(
    model: str | os.PathLike[str],
    backend: str,
    precision: str,
    device: str,
    expected: torch.Tensor | None,
    rounds: int,
    compile: bool,
) -> BackendState:
    opened = open_combination(model, backend, precision, device, compile=compile)
    if opened.aligner is None:
        return BackendState(backend, precision, MISSING if opened.is_missing else FAILS, opened.problem)
    try:
        return _working(opened.aligner, expected, rounds)
    except Exception as error:  # what a broken library raises is told, not passed on
        return BackendState(backend, precision, FAILS, (str(error) or repr(error)).splitlines()[0])


def _working(aligner: Aligner, expected: torch.Tensor | None, rounds: int) -> BackendState:
    model = own_model(aligner)
    running = model.backend
    runtime, config = running.runtime, running.config
    wrong = None if expected is None else what_is_wrong(runtime, config, expected)
    if wrong is not None:
        return BackendState(running.name, running.precision, FAILS, wrong)
    verdict = verdicts(model.fingerprint).get(Combination(running.name, running.precision, running.device.type))
    growth = growth_of(usual_work(aligner), rounds) if rounds else None
    too_much = growth is not None and growth.is_too_much
    return BackendState(
        backend=running.name,
        precision=running.precision,
        state=FAILS if too_much else WORKS,
        note=f"memory grows by {growth.a_round / 1024:.0f} KiB a round" if growth is not None and too_much else "",
        device=str(running.device),
        ms={hint: round(ms_a_second(runtime, config, hint), 3) for hint in HINTS},
        parity="unproven" if verdict is None else "same" if verdict.passed else "flagged",
        growth=None if growth is None else growth.a_round,
    )


def _versions() -> dict[str, str]:
    found = {name: installed_version(name) for name in LIBRARIES}
    known = {name: version for name, version in found.items() if version is not None}
    return {"streamhmm": __version__, "python": platform.python_version(), **known}


def _machine() -> dict[str, Any]:
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }


def _core() -> dict[str, Any]:
    """Instruction sets of the compiled engine, best first, and the one it uses."""
    names = _C.available_isas()
    try:
        used = _C.select_isa(names[0])
    except ValueError as error:  # of what STREAMHMM_ISA names
        return {"available": names, "used": None, "problem": f"STREAMHMM_ISA: {error}"}
    _C.select_isa(used)
    return {"available": names, "used": used}


def _cuda() -> dict[str, Any]:
    cards = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    return {
        "engine": hasattr(_C, "cuda"),
        "torch": torch.version.cuda,
        "cards": [torch.cuda.get_device_name(card) for card in cards],
    }


def _audio() -> list[str]:
    """The microphones, or why there are none."""
    try:
        return [f"{device.number}: {device.name} ({device.host})" for device in input_devices()]
    except AudioError as error:
        return [str(error)]


def _cache(problems: list[str]) -> dict[str, Any]:
    try:
        folder = cache_folder()
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        problems.append(f"the cache folder can't be written to ({error}); name another with STREAMHMM_CACHE")
        return {"folder": None, "files": 0, "bytes": 0}
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return {"folder": str(folder), "files": len(sizes), "bytes": sum(sizes)}
