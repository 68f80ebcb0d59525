"""Times of calls: taken in turn, split by stage, and summed up."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

Hook = tuple[Any, str, str]
"""An object, the name of a function of it, and the stage that its time counts for."""
OTHER = "other"


class Sample(NamedTuple):
    """A call that was timed: ``stages`` are seconds by stage, ``processor_s`` adds up all threads."""

    audio_s: float
    wall_s: float
    processor_s: float
    stages: Mapping[str, float]


class Stopwatch:
    """Times calls, and stages within them.

    Args:
        clock: seconds of the wall's clock. ``processor_clock``: of the process, all threads added up.
        wait: returns when all that was started has ended; a GPU works on while the host goes on.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.perf_counter,
        processor_clock: Callable[[], float] = time.process_time,
        wait: Callable[[], object] = lambda: None,
    ) -> None:
        self._clock, self._processor_clock, self._wait = clock, processor_clock, wait
        self._stages: dict[str, float] = defaultdict(float)

    def time(self, call: Callable[[], object], audio_s: float = 0.0) -> Sample:
        """Makes a call, which works on so much audio. What no stage accounts for is the stage "other"."""
        self._stages.clear()
        self._wait()
        processor, begin = self._processor_clock(), self._clock()
        call()
        self._wait()
        wall_s, processor_s = self._clock() - begin, self._processor_clock() - processor
        stages = {**self._stages, OTHER: wall_s - sum(self._stages.values())}
        return Sample(audio_s, wall_s, processor_s, stages)

    def staged(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function``, whose time counts for ``stage``."""

        def call(*arguments: Any, **options: Any) -> Any:
            self._wait()
            begin = self._clock()
            try:
                return function(*arguments, **options)
            finally:
                self._wait()
                self._stages[stage] += self._clock() - begin

        return call

    @contextmanager
    def hooked(self, hooks: Sequence[Hook]) -> Iterator[None]:
        """Within the block the named functions, none of which may call another, are stages."""
        own = [vars(owner).get(name) for owner, name, _ in hooks]
        for owner, name, stage in hooks:
            setattr(owner, name, self.staged(stage, getattr(owner, name)))
        try:
            yield
        finally:
            for (owner, name, _), before in zip(hooks, own, strict=True):
                if before is None:
                    delattr(owner, name)  # it is the class's
                else:
                    setattr(owner, name, before)


class Summary(NamedTuple):
    """Seconds; ``sd_s`` is the sample's standard deviation, percentiles are interpolated."""

    mean_s: float
    sd_s: float
    min_s: float
    max_s: float
    p50_s: float
    p95_s: float
    p99_s: float


def summarise(seconds: Sequence[float]) -> Summary:
    """Of at least one value. Raises ValueError for none."""
    if not seconds:
        raise ValueError("seconds must hold at least one value")
    values = np.asarray(seconds, np.float64)
    sd = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    percentiles = np.percentile(values, (50, 95, 99)).tolist()
    return Summary(float(values.mean()), sd, float(values.min()), float(values.max()), *percentiles)
