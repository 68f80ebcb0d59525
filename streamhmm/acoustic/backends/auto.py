"""``backend="auto"``: the fastest runtime that is installed, works, and is known to give the same alignments."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import NamedTuple

import torch
from torch import Tensor

from streamhmm.acoustic.automatic import PACKAGES, installed_backends
from streamhmm.acoustic.backends.proven import FULL_PRECISION, Combination, Verdict, is_proven, verdicts
from streamhmm.acoustic.backends.ready import is_ready
from streamhmm.acoustic.backends.remembered import circumstances, recall, remember
from streamhmm.acoustic.backends.runtime import AUTO, PRECISIONS, Runtime, RuntimeSettings
from streamhmm.acoustic.backends.trial import Speed, log_posteriors, made_up_features, ms_a_second, what_is_wrong
from streamhmm.acoustic.checkpoint import Checkpoint
from streamhmm.errors import BackendUnavailable

BASELINE = "torch"
BUDGET_S = 2.0
"""After so many seconds of trials no other runtime is tried."""
NO_TIME = "no time was left to try it, which the next start does"
LONGEST_LOAD_S = {"latency": 2.0, "throughput": 5.0}
"""A runtime that takes longer to open, every time, is not taken unasked."""
WORTH = 0.9
"""Another runtime than torch has to bring its time below this share of torch's."""


class Opener(NamedTuple):
    """The table of backends as a choice needs it.

    Attributes:
        names: of all backends.
        open: opens the runtime of settings that name one.
    """

    names: Sequence[str]
    open: Callable[[Checkpoint, RuntimeSettings], Runtime]


class Chosen(NamedTuple):
    """An open runtime, and why it was taken."""

    runtime: Runtime
    reason: str


class _Trial(NamedTuple):
    combination: Combination
    runtime: Runtime | None = None
    speed: Speed | None = None
    problem: str = ""


def choose(checkpoint: Checkpoint, asked: RuntimeSettings, opener: Opener) -> Chosen:
    """Open the fastest runtime that may be taken unasked.

    Raises:
        BackendUnavailable: none has the precision on the device that were asked for.
        ValueError: options, which only a backend that is named can have.
    """
    if asked.options:
        raise ValueError(f"options {', '.join(asked.options)} are those of one backend; name it instead of {AUTO}")
    if not installed_backends():
        reason = f"no other runtime is installed; there are {', '.join(PACKAGES)}: pip install 'streamhmm[onnx]'"
        return Chosen(opener.open(checkpoint, replace(asked, backend=BASELINE)), reason)
    known = verdicts(checkpoint.fingerprint)
    possible = _possible(asked, known, opener.names)
    ready = [one for one in possible if is_ready(checkpoint, _settings(one, asked))]
    key = circumstances(checkpoint.fingerprint, asked, ready)
    return _recalled(checkpoint, key, opener) or _measured(checkpoint, asked, key, ready, known, possible, opener)


def _possible(asked: RuntimeSettings, known: Mapping[Combination, Verdict], names: Sequence[str]) -> list[Combination]:
    """Torch at full precision, then all others, those first that were the fastest when their parity was measured."""
    libraries = installed_backends()
    backends = [name for name in names if name not in PACKAGES or name in libraries]
    cards = ["cuda"] if torch.cuda.is_available() else []
    devices = [*cards, "cpu"] if asked.device == AUTO else [asked.device.partition(":")[0]]
    precisions = PRECISIONS if asked.precision == AUTO else (asked.precision,)
    every = [Combination(*one) for one in _product(backends, precisions, devices)]
    named = [one for one in every if asked.precision != AUTO and (one not in known or known[one].passed)]
    chosen = named or [one for one in every if is_proven(one, known)]

    def place(one: Combination) -> tuple[bool, float]:
        is_other = (one.backend, one.precision) != (BASELINE, FULL_PRECISION)
        return is_other, known[one].ms.get(asked.hint, float("inf")) if one in known else float("inf")

    return sorted(chosen, key=place)


def _product(backends: Sequence[str], precisions: Sequence[str], devices: Sequence[str]) -> list[tuple[str, str, str]]:
    return [(name, precision, device) for device in devices for name in backends for precision in precisions]


def _settings(one: Combination, asked: RuntimeSettings) -> RuntimeSettings:
    device = one.device if asked.device == AUTO else asked.device
    return replace(asked, backend=one.backend, precision=one.precision, device=device)


def _recalled(checkpoint: Checkpoint, key: dict[str, object], opener: Opener) -> Chosen | None:
    """What was chosen before, if it still opens."""
    choice = recall(key)
    if choice is None:
        return None
    try:
        return Chosen(opener.open(checkpoint, choice.settings), choice.reason)
    except Exception:
        return None


def _measured(
    checkpoint: Checkpoint,
    asked: RuntimeSettings,
    key: dict[str, object],
    ready: Sequence[Combination],
    known: Mapping[Combination, Verdict],
    possible: Sequence[Combination],
    opener: Opener,
) -> Chosen:
    unready = [one for one in possible if one not in ready]
    trials = _trials(checkpoint, asked, ready, unready, opener)
    works = [trial for trial in trials if trial.speed is not None]
    if not works:
        wanted = f"precision {asked.precision}, device {asked.device}"
        found = "; ".join(f"{trial.combination}: {trial.problem}" for trial in trials) or "none has it"
        raise BackendUnavailable(f"no backend works here with {wanted} ({found}); choose others")
    best = _fastest(works, asked.hint)
    tried = {trial.combination for trial in trials}
    reason = _reason(best, trials, asked, [one for one in unready if one not in tried], known)
    if best.runtime is None:
        raise AssertionError("a trial with a speed has a runtime")
    if all(trial.problem != NO_TIME for trial in trials):  # on a less busy day another may be faster
        remember(key, _settings(best.combination, asked), reason)
    return Chosen(best.runtime, reason)


def _trials(
    checkpoint: Checkpoint,
    asked: RuntimeSettings,
    ready: Sequence[Combination],
    unready: Sequence[Combination],
    opener: Opener,
) -> list[_Trial]:
    """All that are ready, while there is time. A named precision may be had from the others only: the first that works
    is taken, however long it takes to make."""
    with torch.inference_mode():
        posteriors, cache = checkpoint.network(made_up_features())
        expected = torch.cat((posteriors, checkpoint.network.finish(cache)), dim=1)
    begin = time.perf_counter()
    trials: list[_Trial] = []
    for one in ready:
        if trials and time.perf_counter() - begin > BUDGET_S:
            trials.append(_Trial(one, problem=NO_TIME))
        else:
            longest_s = LONGEST_LOAD_S[asked.hint] if asked.precision == AUTO else math.inf
            trials.append(_try(checkpoint, one, _settings(one, asked), expected, opener, longest_s))
    for one in unready if asked.precision != AUTO else ():
        if any(trial.speed for trial in trials):
            break
        trials.append(_try(checkpoint, one, _settings(one, asked), expected, opener, math.inf))
    return trials


def _try(
    checkpoint: Checkpoint,
    one: Combination,
    settings: RuntimeSettings,
    expected: Tensor,
    opener: Opener,
    longest_s: float,
) -> _Trial:
    """Whatever goes wrong with a runtime, it is only not taken."""
    begin = time.perf_counter()
    try:
        runtime = opener.open(checkpoint, settings)
        log_posteriors(runtime, checkpoint.config, made_up_features())
        load_s = time.perf_counter() - begin
        problem = what_is_wrong(runtime, checkpoint.config, expected)
        if problem is not None:
            return _Trial(one, problem=problem)
        if load_s > longest_s and one.backend != BASELINE:
            return _Trial(one, problem=f"it takes {load_s:.1f} s to open")
        return _Trial(one, runtime, Speed(load_s, ms_a_second(runtime, checkpoint.config, settings.hint)))
    except Exception as error:
        return _Trial(one, problem=str(error) or repr(error))


def _fastest(works: Sequence[_Trial], hint: str) -> _Trial:
    best = min(works, key=_ms)
    plain = works[0]
    is_plain = (plain.combination.backend, plain.combination.precision) == (BASELINE, FULL_PRECISION)
    return plain if is_plain and _ms(best) > WORTH * _ms(plain) else best


def _ms(trial: _Trial) -> float:
    return float("inf") if trial.speed is None else trial.speed.ms


def _reason(
    best: _Trial,
    trials: Sequence[_Trial],
    asked: RuntimeSettings,
    unready: Sequence[Combination],
    known: Mapping[Combination, Verdict],
) -> str:
    """What was measured, and what was not and why."""
    others = [f"{t.combination} {_ms(t):.2f}" for t in sorted(trials, key=_ms) if t.speed and t is not best]
    threads = torch.get_num_threads()
    told = [
        f"{best.combination}: {_ms(best):.2f} ms for a second of audio ({asked.hint})",
        *(others and [f"others: {', '.join(others)}"]),
        f"measured {date.today().isoformat()} on {threads} thread{'' if threads == 1 else 's'}",
        *(f"{trial.combination} was not taken: {_short(trial.problem)}" for trial in trials if not trial.speed),
        *(f"{one} was not tried: its file is not made yet, which naming it once does" for one in unready),
    ]
    if asked.precision == AUTO and all(one.precision == FULL_PRECISION for one in known):
        told.append("reduced precision was not tried: streamhmm parity has not proven any for this model")
    return "; ".join(told)


def _short(problem: str) -> str:
    line = problem.splitlines()[0]
    return line if len(line) <= 160 else line[:159] + "…"
