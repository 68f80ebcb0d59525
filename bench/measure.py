"""What the benches share: medians, child processes, tables."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

REPOSITORY = Path(__file__).resolve().parents[1]
TRUTH = REPOSITORY.parent / "shared" / "data" / "truth"
SPEECH = REPOSITORY.parent / "shared" / "data" / "speechocean762"
"""Where the truth sets and the speech lie unless an option says otherwise: beside the repository."""


def seconds_a_call(call: Callable[[], Any], calls: int = 1, clock: Callable[[], float] = time.process_time) -> float:
    """Mean time of ``calls`` calls in a row, by default processor time, all threads added up.

    For work on one thread this is the wall time of an idle machine; other processes disturb it far less.
    """
    begin = clock()
    for _ in range(calls):
        call()
    return (clock() - begin) / calls


def median(values: Sequence[float]) -> float:
    """The middle value; NaN of nothing."""
    return statistics.median(values) if values else float("nan")


def slope(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The exponent of growth over the larger half of the sizes, where fixed costs count least."""
    begin = len(sizes) // 2
    return float(np.polyfit(np.log(sizes[begin:]), np.log(values[begin:]), 1)[0])


def pin_to_one_core() -> int:
    """Keep this process, and the threads it starts from now on, on one core; returns which."""
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return core


def run_child(script: Path, *arguments: str, request: Any = None, threads: int = 1) -> Any:
    """Run a bench's other half, by default on one thread, ``request`` on its input; both that and the line it prints
    are JSON."""
    environment = {**os.environ, "OMP_NUM_THREADS": f"{threads}", "MKL_NUM_THREADS": f"{threads}"}
    command = [sys.executable, str(script), *arguments]
    given = json.dumps(request)
    done = subprocess.run(command, env=environment, input=given, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def show(console: Console, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], note: str = "") -> None:
    """A table whose first column is text and whose others are numbers."""
    table = Table(title=title, title_justify="left", caption=note or None, caption_justify="left")
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left", no_wrap=index > 0)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def verdict(met: bool) -> str:
    """How a bar is flagged in a table."""
    return "[green]met[/]" if met else "[red]missed[/]"


def make_console() -> Console:
    """A console wide enough for the tables in a pipe too."""
    console = Console()
    return console if console.is_terminal else Console(width=140)


def write_json(path: str | None, results: dict[str, Any]) -> None:
    """Write the figures with the machine they come from."""
    if path:
        from streamhmm.measure.machine import machine  # the rest of this file needs no build

        Path(path).write_text(json.dumps({"machine": machine(), **results}, indent=2) + "\n")
