"""Times, real-time factors and memory of backends in scenarios, measured in turn."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from streamhmm.errors import StreamHMMError
from streamhmm.measure.machine import gpu_utilisation, peak_bytes, reset_peak, resident_bytes
from streamhmm.measure.scenarios import Scenario
from streamhmm.measure.subjects import Subject
from streamhmm.measure.timing import Sample, Stopwatch, Summary, summarise
from streamhmm.memory import memory_limit

FEWEST_ROUNDS = 2
BUSY_S = 1.0
"""A GPU tells how busy it was over about so long."""
REST_S = 0.02
"""In which the threads of whoever had the turn before fall asleep; some libraries' burn time while they wait."""


@dataclass(frozen=True)
class Usage:
    """What a pass takes beside time; NaN for what is not known here.

    Attributes:
        host_peak_bytes, host_growth_bytes: the most the process held during it, and how much more it held afterwards.
        device_peak_bytes: the most of torch's tensors on the GPU; other libraries' are not in it.
        gpu_utilisation: share of the time.
    """

    host_peak_bytes: float = math.nan
    host_growth_bytes: float = math.nan
    device_peak_bytes: float = math.nan
    gpu_utilisation: float = math.nan


@dataclass(frozen=True)
class Measured:
    """A backend in a scenario.

    Attributes:
        audio_s: length of the audio in a round, ``calls`` in each of ``rounds``; ``chunk_s`` their usual length.
        first_s: the first round, which is in nothing else.
        call: of single calls, which are chunks, batches or files.
        rtf: wall time ÷ audio, median of the rounds; ``stages`` by stage. 1 / rtf is hours of audio an hour.
        processor_s: of a round, all threads added up, median; other processes disturb it less than the wall's time.
        speed_up: the baseline's time ÷ this one's, medians; NaN without a baseline.
        processor_utilisation: processor time ÷ wall time; 2 where two cores work all the time.
        usage: memory and GPU.
    """

    scenario: str
    subject: str
    audio_s: float
    calls: int
    rounds: int
    chunk_s: float
    first_s: float
    call: Summary
    rtf: float
    stages: Mapping[str, float]
    processor_s: float
    speed_up: float
    processor_utilisation: float
    usage: Usage
    batch_size: int | None = None

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Measured:
        """What a report's JSON holds; null is not known."""
        known = {name: math.nan if value is None else value for name, value in values.items()}
        call = Summary(**values["call"])
        usage = Usage(**{name: math.nan if value is None else value for name, value in values["usage"].items()})
        return cls(**{**known, "call": call, "usage": usage, "batch_size": values["batch_size"]})


@dataclass(frozen=True)
class Failure:
    """A backend that could not do it, and why."""

    scenario: str
    subject: str
    reason: str


@dataclass
class _Runner:
    """One subject in one scenario."""

    scenario: Scenario
    subject: Subject
    watch: Stopwatch
    first: list[Sample] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    rounds: list[list[Sample]] = field(default_factory=list)

    def once(self) -> list[Sample]:
        with self.watch.hooked(self.scenario.hooks(self.subject.model)):
            return self.scenario.once(self.subject, self.watch)

    def begin(self) -> None:
        """The first round, and one for what it takes beside time."""
        is_gpu = self.subject.device.type == "cuda"
        if is_gpu:
            torch.cuda.reset_peak_memory_stats(self.subject.device)
        self.first = self.once()
        reset_peak()
        before = resident_bytes()
        done_s = _wall(self.once())
        while is_gpu and done_s < BUSY_S:
            done_s += _wall(self.once())
        self.usage = Usage(
            peak_bytes(),
            resident_bytes() - before,
            torch.cuda.max_memory_allocated(self.subject.device) if is_gpu else math.nan,
            gpu_utilisation(self.subject.device),
        )

    def turn(self) -> None:
        """A round; a short scenario goes through once more before it, so that its weights are at hand again."""
        if torch.get_num_threads() > 1:
            time.sleep(REST_S)
        if self.scenario.share == 1.0:
            self.once()
        self.rounds.append(self.once())

    def median_s(self) -> float:
        return statistics.median(_wall(samples) for samples in self.rounds)


def measure(
    subjects: Sequence[Subject],
    scenarios: Iterable[Scenario],
    rounds: int,
    make_watch: Callable[[Subject], Stopwatch] = lambda subject: Stopwatch(wait=subject.wait),
) -> Iterator[Measured | Failure]:
    """Every scenario on every subject; within a scenario the subjects take turns, round after round.

    Who runs out of memory at some batch size, or would, is not asked for a larger one.
    """
    dropped: set[str] = set()
    for scenario in scenarios:
        runners: list[_Runner] = []
        for subject in subjects:
            if scenario.batch_size is not None and subject.name in dropped:
                continue
            runner = _Runner(scenario, subject, make_watch(subject))
            reason = _failed(runner.begin)
            if reason is None:
                runners.append(runner)
            else:
                yield Failure(scenario.name, subject.name, reason)
            if scenario.batch_size is not None and (reason is not None or _is_near_limit(runner.usage)):
                dropped.add(subject.name)
        yield from _in_turn(runners, max(FEWEST_ROUNDS, round(rounds * scenario.share)))


def _in_turn(runners: list[_Runner], rounds: int) -> Iterator[Measured | Failure]:
    failed: dict[str, str] = {}
    for _ in range(rounds):
        for runner in runners:
            if runner.subject.name in failed:
                continue
            reason = _failed(runner.turn)
            if reason is not None:
                failed[runner.subject.name] = reason
    baseline = next((r for r in runners if r.subject.is_baseline and r.subject.name not in failed), None)
    for runner in runners:
        if runner.subject.name in failed:
            yield Failure(runner.scenario.name, runner.subject.name, failed[runner.subject.name])
        else:
            yield _measured(runner, baseline)


def _failed(work: Callable[[], object]) -> str | None:
    """Why it did not work; what ran out of memory gives back what it holds."""
    try:
        work()
    except (MemoryError, RuntimeError, StreamHMMError) as error:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason given'}"
    return None


def _is_near_limit(usage: Usage) -> bool:
    """Whether a batch twice as large could take more memory than this process may have."""
    return 2 * usage.host_peak_bytes > memory_limit()


def _wall(samples: Sequence[Sample]) -> float:
    return sum(sample.wall_s for sample in samples)


def _ratio(one: float, other: float) -> float:
    return one / other if other > 0 else math.nan  # a clock may not have moved


def _measured(runner: _Runner, baseline: _Runner | None) -> Measured:
    rounds = runner.rounds
    samples = [sample for each in rounds for sample in each]
    audio_s = sum(sample.audio_s for sample in rounds[0])
    names = dict.fromkeys(name for sample in samples for name in sample.stages)
    stages = {
        name: statistics.median(sum(sample.stages.get(name, 0.0) for sample in each) for each in rounds) / audio_s
        for name in names
    }
    return Measured(
        scenario=runner.scenario.name,
        subject=runner.subject.name,
        audio_s=audio_s,
        calls=len(rounds[0]),
        rounds=len(rounds),
        chunk_s=statistics.median(sample.audio_s for sample in samples),
        first_s=_wall(runner.first),
        call=summarise([sample.wall_s for sample in samples]),
        rtf=runner.median_s() / audio_s,
        stages=stages,
        processor_s=statistics.median(sum(sample.processor_s for sample in each) for each in rounds),
        speed_up=_ratio(baseline.median_s(), runner.median_s()) if baseline else math.nan,
        processor_utilisation=_ratio(sum(sample.processor_s for sample in samples), _wall(samples)),
        usage=runner.usage,
        batch_size=runner.scenario.batch_size,
    )
