"""What a row of bench/engine.py is: a call of ours, and the yardsticks it is held against in the same run."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from measure import median, seconds_a_call

from streamhmm import _C

ADD_MAX, MULTIPLY_ADD = _C.Arithmetic.ADD_MAX, _C.Arithmetic.MULTIPLY_ADD
ARITHMETIC_NAMES = {ADD_MAX: "add-max", MULTIPLY_ADD: "multiply-add"}
RECORDED = "recorded"  # on another machine

SHORTEST_S = 0.01  # one measurement lasts at least as long, by repeated calls
SETTLING_S = 0.05  # before each
ARITHMETIC_STEPS = 50_000  # a few ms
NO_BARS: Mapping[int, float] = {}


@dataclass(frozen=True)
class Yardstick:
    """A time to hold ours against: a peer's, the machine's limit, or one that was set.

    ``seconds(threads)`` measures it now. Its time ÷ our time is the ratio, and ``bars`` the least that it must be, by
    number of threads. ``value()`` is what the peer computes, to be compared with ours: ``tolerance`` is the most by
    which they may differ, relative to the largest.
    """

    name: str
    seconds: Callable[[int], float]
    bars: Mapping[int, float] = field(default_factory=dict)
    value: Callable[[], Any] | None = None
    tolerance: float | None = None
    is_limit: bool = False


@dataclass(frozen=True)
class Case:
    """A call of ours with its yardsticks, on one and on two threads unless said."""

    ours: Callable[[], Any]
    yardsticks: Sequence[Yardstick] = ()
    value: Callable[[], Any] | None = None
    threads: Sequence[int] = (1, 2)


class Stopwatch:
    """Seconds a call, over enough calls in a row to be measured; the first call of all is not counted.

    On one thread processor time, on more the wall's. Before, the threads of whatever was measured last get time to fall
    asleep: OpenMP's spin for some milliseconds, on the cores that ours would have.
    """

    def __init__(self, run: Callable[[int, int], float]) -> None:
        """``run(threads, calls)`` makes the calls and returns the seconds of one."""
        self._run = run
        self._calls: dict[int, int] = {}

    @classmethod
    def of(cls, call: Callable[[], Any]) -> Stopwatch:
        """A stopwatch for a call in this process; torch's own threads are set by ``measure``."""
        return cls(lambda threads, calls: seconds_a_call(call, calls, clock_for(threads)))

    def __call__(self, threads: int) -> float:
        if threads not in self._calls:
            self._run(threads, 1)
            first = max(self._run(threads, 1), 1e-7)
            self._calls[threads] = math.ceil(SHORTEST_S / first)
        time.sleep(SETTLING_S)
        if self._calls[threads] > 1:
            self._run(threads, 1)
        return self._run(threads, self._calls[threads])


def clock_for(threads: int) -> Callable[[], float]:
    """Processor time on one thread, which other processes disturb least; on more of them it says nothing."""
    return time.process_time if threads == 1 else time.perf_counter


def peer(
    name: str,
    call: Callable[[], Any],
    bars: Mapping[int, float] = NO_BARS,
    value: Callable[[], Any] | None = None,
    tolerance: float | None = None,
) -> Yardstick:
    """A peer's call in this process."""
    return Yardstick(name, Stopwatch.of(call), bars, value, tolerance)


def limit(
    arithmetic: _C.Arithmetic, cells: float, least_share: float | None = None, is_double: bool = False
) -> Yardstick:
    """The time of so many cells at the rate measured in registers; the bar is for one thread."""
    bars = {} if least_share is None else {1: least_share}
    name = f"limit: {cells / 1e6:.3g} M {ARITHMETIC_NAMES[arithmetic]}{', float64' if is_double else ''}"
    return Yardstick(name, lambda threads: cells / rate(arithmetic, threads, is_double), bars, is_limit=True)


def recorded(name: str, seconds: float, bars: Mapping[int, float] = NO_BARS) -> Yardstick:
    """A peer's time that was measured elsewhere."""
    return Yardstick(f"{name} ({RECORDED})", lambda _: seconds, bars)


def at_most(seconds: float, threads: int) -> Yardstick:
    """A time that must be kept."""
    return Yardstick(f"at most {seconds * 1e6:.0f} µs", lambda _: seconds, {threads: 1.0})


def rate(arithmetic: _C.Arithmetic, threads: int = 1, is_double: bool = False) -> float:
    """Cells a second, in registers alone, of all threads together."""

    def run() -> int:
        return _C.run_arithmetic(arithmetic, is_double, ARITHMETIC_STEPS)

    clock = clock_for(threads)
    if threads == 1:
        begin = clock()
        return run() / (clock() - begin)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda _: run(), range(threads)))  # starts the threads
        begin = clock()
        cells = sum(pool.map(lambda _: run(), range(threads)))
        return cells / (clock() - begin)


def measure(case: Case, rounds: int) -> dict[str, Any]:
    """All figures of one case: for each number of threads, ours and its yardsticks in turn."""
    return {
        "runs": [_measure_on(threads, case, rounds) for threads in case.threads],
        "differences": {y.name: _difference(case, y) for y in case.yardsticks if y.value is not None},
    }


def _measure_on(threads: int, case: Case, rounds: int) -> dict[str, Any]:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        watches = [Stopwatch.of(case.ours), *(yardstick.seconds for yardstick in case.yardsticks)]
        times = [[watch(threads) for watch in watches] for _ in range(rounds)]
    finally:
        torch.set_num_threads(before)
    ours, *theirs = zip(*times, strict=True)
    compared = [_compare(y, threads, ours, seconds) for y, seconds in zip(case.yardsticks, theirs, strict=True)]
    return {"threads": threads, "seconds": median(ours), "best_seconds": min(ours), "compared": compared}


def _compare(yardstick: Yardstick, threads: int, ours: Sequence[float], theirs: Sequence[float]) -> dict[str, Any]:
    ratio = median(theirs) / median(ours)
    bar = yardstick.bars.get(threads)
    return {
        "with": yardstick.name,
        "is_limit": yardstick.is_limit,
        "seconds": median(theirs),
        "best_seconds": min(theirs),
        "ratio": ratio,
        "best_ratio": min(theirs) / min(ours),
        "bar": bar,
        "met": None if bar is None else ratio >= bar,
    }


def _difference(case: Case, yardstick: Yardstick) -> dict[str, Any]:
    """The largest difference between the two results, relative to the largest entry."""
    ours, theirs = (np.asarray(value(), dtype=np.float64) for value in (case.value, yardstick.value))
    difference = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
    tolerance = yardstick.tolerance
    met = None if tolerance is None else difference <= tolerance
    return {"relative": difference, "tolerance": tolerance, "met": met}
