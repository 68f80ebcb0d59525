"""Stopwatches on made-up clocks, and the statistics of what they say."""

from __future__ import annotations

import statistics

import pytest
from made_up_clock import Clock

from streamhmm.measure.timing import OTHER, Sample, Stopwatch, summarise


class Worker:
    """Something with functions that take time."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def think(self, seconds: float) -> float:
        self.clock.work(seconds)
        return seconds

    def write(self, seconds: float) -> None:
        self.clock.work(seconds)
        raise ValueError("no paper")


def test_a_call_is_split_into_its_stages() -> None:
    clock = Clock()
    watch, worker = Stopwatch(clock.wall, clock.processor), Worker(clock)

    def call() -> None:
        worker.think(2.0)
        clock.work(1.0, processor_s=0.5)
        worker.think(4.0)

    with watch.hooked([(worker, "think", "thought")]):
        sample = watch.time(call, audio_s=70.0)
    assert sample == Sample(70.0, 7.0, 6.5, {"thought": 6.0, OTHER: 1.0})


def test_a_second_call_starts_from_nothing() -> None:
    clock = Clock()
    watch = Stopwatch(clock.wall, clock.processor)
    watch.time(lambda: watch.staged("a", clock.work)(3.0))
    assert watch.time(lambda: clock.work(1.0)) == Sample(0.0, 1.0, 1.0, {OTHER: 1.0})


def test_hooks_pass_results_and_errors_on_and_are_gone_afterwards() -> None:
    clock = Clock()
    watch, worker = Stopwatch(clock.wall, clock.processor), Worker(clock)
    worker.own = worker.think  # type: ignore[attr-defined]
    before = dict(vars(worker)), dict(vars(Worker))
    hooks = [(worker, "think", "a"), (worker, "write", "a"), (worker, "own", "b"), (Worker, "think", "c")]
    with watch.hooked(hooks):

        def call() -> None:
            assert worker.think(1.0) == 1.0
            with pytest.raises(ValueError, match="no paper"):
                worker.write(2.0)
            assert worker.own(4.0) == 4.0  # type: ignore[attr-defined]
            assert Worker(clock).think(8.0) == 8.0

        assert watch.time(call).stages == {"a": 3.0, "b": 4.0, "c": 8.0, OTHER: 0.0}
    assert (dict(vars(worker)), dict(vars(Worker))) == before


def test_what_a_gpu_still_does_counts() -> None:
    clock = Clock()
    pending = [0.0]

    def wait() -> None:
        clock.work(pending.pop() if pending else 0.0)

    watch = Stopwatch(clock.wall, clock.processor, wait)
    pending[:] = [5.0]  # from before: it does not count
    sample = watch.time(lambda: watch.staged("kernel", lambda: pending.append(3.0))())
    assert (sample.wall_s, sample.stages) == (3.0, {"kernel": 3.0, OTHER: 0.0})


def test_summary() -> None:
    values = [float(value) for value in range(1, 101)]
    summary = summarise(values[::-1])
    assert (summary.min_s, summary.max_s, summary.p50_s) == (1.0, 100.0, 50.5)
    assert summary.mean_s == pytest.approx(50.5)
    assert summary.sd_s == pytest.approx(statistics.stdev(values))
    assert summary.p95_s == pytest.approx(95.05)
    assert summary.p99_s == pytest.approx(99.01)
    assert summarise([3.0]) == (3.0, 0.0, 3.0, 3.0, 3.0, 3.0, 3.0)
    with pytest.raises(ValueError, match="seconds must hold at least one value"):
        summarise([])
