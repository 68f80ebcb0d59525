"""Where a backend's time goes, as torch's profiler sees it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from torch.profiler import ProfilerActivity, profile, record_function

from streamhmm.errors import OutputError, why_not_written
from streamhmm.formats.atomic import atomic_write
from streamhmm.measure.scenarios import LONG_WHOLE, SINGLE, Scenario
from streamhmm.measure.subjects import Subject
from streamhmm.measure.timing import Stopwatch

PROFILED = {SINGLE: 10, LONG_WHOLE: 2}
"""Scenarios and how often each runs; a first time, which may compile something, is not in the profile."""
MOST_OPERATIONS = 30


def profile_subject(subject: Subject, scenarios: Sequence[Scenario], folder: str | os.PathLike[str]) -> None:
    """Writes NAME.trace.json, for chrome://tracing or Perfetto, and NAME.operations.txt, the costliest operations.

    Of a runtime that is not torch's only the calls are seen, not what happens in them.

    Raises:
        OutputError: they can't be written.
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # or the library says on standard error when it starts and stops
    stem = Path(folder) / subject.name.replace(" ", "-")
    try:
        stem.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{stem.parent}: {why_not_written(error, str(stem.parent))}") from error
    chosen = [scenario for scenario in scenarios if scenario.name in PROFILED]
    watch = Stopwatch(wait=subject.wait)
    for scenario in chosen:
        scenario.once(subject, watch)
    is_gpu = subject.device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if is_gpu else [])]
    with profile(activities=activities) as profiler:
        for scenario in chosen:
            for _ in range(PROFILED[scenario.name]):
                with record_function(scenario.name):
                    scenario.once(subject, watch)
    order = f"self_{'cuda' if is_gpu else 'cpu'}_time_total"
    with atomic_write(f"{stem}.operations.txt") as file:
        file.write(profiler.key_averages().table(sort_by=order, row_limit=MOST_OPERATIONS) + "\n")
    profiler.export_chrome_trace(f"{stem}.trace.json")
