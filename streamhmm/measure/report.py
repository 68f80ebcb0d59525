"""One run of all scenarios on all backends, and what came of it."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import torch

from streamhmm.acoustic import RuntimeSettings
from streamhmm.align.aligner import Aligner
from streamhmm.errors import AudioError, BackendUnavailable, StreamHMMError
from streamhmm.measure.inputs import Inputs, Recording, read_inputs
from streamhmm.measure.machine import machine
from streamhmm.measure.rtf import Failure, Measured, measure
from streamhmm.measure.scenarios import (
    BATCH_SIZES,
    Scenario,
    alignment_scenario,
    corpus_scenarios,
    network_scenarios,
    stream_scenarios,
)
from streamhmm.measure.subjects import Missing, Subject, open_subjects
from streamhmm.measure.tutor import tutor_rows

SCHEMA = 1


@dataclass(frozen=True, eq=False)
class Report:
    """What was measured, with what, and what could not be.

    Attributes:
        inputs: the recordings; without a text of theirs, streams and files are measured as far as the network.
        subjects, missing: the runtimes that opened, and those that did not.
        failures: runtimes that failed at some scenario.
    """

    model: str
    threads: int
    inputs: Inputs
    subjects: list[Subject]
    missing: list[Missing]
    results: list[Measured]
    failures: list[Failure]

    @property
    def has_text(self) -> bool:
        """Whether whole alignments could be measured."""
        return any(recording.text is not None for recording in self.inputs.recordings)

    def lacking(self) -> Iterator[str]:
        """Backends of which nothing runs, with the reason, and the precisions that the others lack; a line each."""
        running = {subject.name.split()[0] for subject in self.subjects}
        for backend, group in groupby(self.missing, key=lambda each: each.name.split()[0]):
            own = list(group)
            if backend in running:
                yield f"{backend}: not in {', '.join(each.name.split()[-1] for each in own)}"
            else:
                yield f"{backend}: not here: {own[0].reason}"

    def warm_up_s(self, subject: str) -> float:
        """By how much the first rounds took longer than later ones, all scenarios together."""
        own = (each for each in self.results if each.subject == subject)
        return sum(max(0.0, each.first_s - each.rtf * each.audio_s) for each in own)

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON; what is not known is None."""
        found = {
            "streamhmm_rtf": SCHEMA,
            "machine": machine(),
            "threads": self.threads,
            "model": self.model,
            "audio": [
                {"path": str(each.path), "seconds": each.duration_s, "has_text": each.text is not None}
                for each in self.inputs.recordings
            ],
            "audio_left_out": self.inputs.left_out,
            "audio_failed": [each._asdict() for each in self.inputs.failed],
            "runtimes": [self._runtime(subject) for subject in self.subjects],
            "missing": [each._asdict() for each in self.missing],
            "lacking": list(self.lacking()),
            "results": [{**asdict(each), "call": each.call._asdict()} for each in self.results],
            "failures": [asdict(each) for each in self.failures],
            "tutor": [row._asdict() for row in tutor_rows(self.results)],
        }
        return {name: _known(value) for name, value in found.items()}

    def _runtime(self, subject: Subject) -> dict[str, Any]:
        return {
            "name": subject.name,
            "settings": asdict(subject.settings),
            "device": str(subject.device),
            "prepare_s": subject.prepare_s,
            "load_s": subject.load_s,
            "load_bytes": subject.load_bytes,
            "warm_up_s": self.warm_up_s(subject.name),
        }


Progress = Callable[[Iterable[Scenario], int], Iterable[Scenario]]


def run(
    audio: Sequence[Path],
    wanted: Iterable[RuntimeSettings],
    *,
    model: str | os.PathLike[str] = "en",
    rounds: int = 50,
    seconds: float = 60.0,
    sizes: Sequence[int] = BATCH_SIZES,
    progress: Progress = lambda scenarios, total: scenarios,
    before: Callable[[Subject, Sequence[Scenario]], object] = lambda subject, scenarios: None,
) -> Report:
    """Measures with so many seconds of the audio.

    Args:
        rounds: of the short scenarios; longer ones have fewer.
        sizes: of batches, rising.
        progress: is given the scenarios and their number, and gives them back one by one.
        before: is called for each subject before anything is measured, such as a profiler.

    Raises:
        AudioError: none of the audio can be used. BackendUnavailable: none of the runtimes works.
        ModelError: there is no such model.
    """
    inputs = read_inputs(audio, seconds)
    if not inputs.recordings:
        raise AudioError("no recording could be read: " + "; ".join(each.reason for each in inputs.failed))
    opened = open_subjects(model, wanted)
    if not opened.subjects:
        raise BackendUnavailable("no backend works: " + "; ".join(each.reason for each in opened.missing))
    with tempfile.TemporaryDirectory() as folder:
        scenarios = list(_scenarios(inputs, model, opened.subjects[0], sizes, Path(folder)))
        for subject in opened.subjects:
            before(subject, scenarios)
        found = list(measure(opened.subjects, progress(scenarios, len(scenarios)), rounds))
    results = [each for each in found if isinstance(each, Measured)]
    failures = [each for each in found if isinstance(each, Failure)]
    threads = torch.get_num_threads()
    return Report(os.fspath(model), threads, inputs, opened.subjects, opened.missing, results, failures)


def _scenarios(
    inputs: Inputs, model: str | os.PathLike[str], first: Subject, sizes: Sequence[int], folder: Path
) -> Iterator[Scenario]:
    """All of them; a text that does not fit its recording is among the inputs' failures then."""
    aligner, spoken = None, [recording for recording in inputs.recordings if recording.text is not None]
    if spoken:
        aligner = Aligner(model, first.settings)
        spoken = list(_alignable(spoken, aligner, inputs.failed))
    yield from network_scenarios(inputs.recordings)
    yield from stream_scenarios((spoken or inputs.recordings)[0], aligner if spoken else None)
    yield from corpus_scenarios(inputs.recordings, sizes)
    if aligner is not None and spoken:
        yield alignment_scenario(spoken, aligner, folder)


def _alignable(recordings: Iterable[Recording], aligner: Aligner, failed: list[Missing]) -> Iterator[Recording]:
    for recording in recordings:
        try:
            aligner.align(recording.path, recording.text or "")
        except StreamHMMError as error:
            failed.append(Missing(str(recording.path), str(error)))
        else:
            yield recording


def _known(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _known(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_known(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
