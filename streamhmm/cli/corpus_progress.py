"""How far a corpus is, on a terminal; failures as they come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from streamhmm.cli.output import complain

if TYPE_CHECKING:
    from streamhmm.corpus import Progress as State


@contextmanager
def shown_progress(results: str) -> Iterator[Callable[[State], None]]:
    """A function that shows states: a bar on a terminal, and always a line for each failure on standard error.

    After Ctrl-C it says how to go on.
    """
    console = Console(stderr=True, highlight=False)
    seen: list[State] = []
    with _bar(console) as bar:
        task = bar.add_task("", total=None, count="", pace="", failed="")
        began = time.monotonic()

        def show(state: State) -> None:
            seen[:] = [state]
            if state.problem is not None:
                complain(f"{state.problem.name}: {state.problem.reason}")
            if state.adapted < state.speakers:
                count = f"adapting {state.adapted}/{state.speakers}"
                bar.update(task, total=state.speakers, completed=state.adapted, count=count)
                return
            hours = state.audio_s / max(1e-3, time.monotonic() - began)
            bar.update(
                task,
                total=state.work or None,
                completed=state.work_done,
                count=f"{state.done}/{state.total}",
                pace=f"{hours:.0f} h/h" if state.audio_s else "",
                failed=f"{state.failed} failed" if state.failed else "",
            )

        try:
            yield show
        except KeyboardInterrupt:
            bar.stop()
            if seen:
                complain(
                    f"{seen[0].done} of {seen[0].total} are aligned, in {results}; the same command goes on from there"
                )
            raise


def _bar(console: Console) -> Progress:
    return Progress(
        BarColumn(),
        TextColumn("{task.fields[count]}"),
        TextColumn("{task.fields[pace]}"),
        TimeRemainingColumn(),
        TextColumn("[red]{task.fields[failed]}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
