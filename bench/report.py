"""Tables that say whether bars are met, on the console and as Markdown."""

from __future__ import annotations

import math
import subprocess
import time
from collections.abc import Iterator
from typing import NamedTuple

from measure import REPOSITORY, show, verdict
from rich.console import Console
from rich.markup import escape


class Table(NamedTuple):
    """A table whose first columns are text and whose last says whether a bar is met: True, False, or None."""

    title: str
    columns: list[str]
    rows: list[tuple[list[str], bool | None]]
    note: str = ""


def print_table(console: Console, table: Table) -> None:
    rows = [[*map(escape, cells), "" if met is None else verdict(met)] for cells, met in table.rows]
    show(console, table.title, table.columns, rows, table.note)


def markdown_lines(table: Table) -> Iterator[str]:
    yield f"| {' | '.join(table.columns)} |"
    yield f"|{'---|' * len(table.columns)}"
    for cells, met in table.rows:
        yield f"| {' | '.join([*cells, {None: '', True: 'met', False: '**missed**'}[met]])} |"


def commit() -> str:
    """Today, and what is checked out."""
    command = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty"]
    try:
        described = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    except OSError:  # there is no git
        described = ""
    return f"{time.strftime('%Y-%m-%d')}, commit {described or 'unknown'}"


def as_ms(seconds: float) -> str:
    milliseconds = seconds * 1e3
    digits = max(0, 2 - math.floor(math.log10(milliseconds))) if milliseconds > 0 else 0
    return f"{milliseconds:,.{digits}f}"  # three digits that count


def as_ratio(ratio: float) -> str:
    """How many times as fast."""
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:,.0f}"


def as_share(ratio: float) -> str:
    return f"{ratio:.0%}"
