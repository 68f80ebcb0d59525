"""The figures of bench/models.py as tables, on the console and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine_report import differences, times, where
from report import Table, commit, markdown_lines, print_table
from rich.console import Console

NOTE = (
    "EM: one iteration of fit, from the same parameters. Medians of one run, ours and the others in turn. ratio: their "
    "time ÷ ours, for a limit the share of it that is reached; best/best: of the shortest times, which other work "
    "disturbs least; (recorded): on another machine. One thread: processor time; two: wall. hmmlearn has no "
    "threads of its own."
)
DIFFERENCES_NOTE = (
    "Largest difference of the log-likelihood of a frame and of all parameters after the iteration, of scores, "
    "posteriors or states, relative to the largest entry."
)


def print_report(console: Console, results: dict[str, Any]) -> None:
    """Both tables on the console."""
    console.print(where(results), highlight=False)
    for table in tables(results):
        print_table(console, table)


def write_markdown(path: Path, results: dict[str, Any]) -> None:
    """The same as a file, with the date and the commit."""
    lines = ["# The models beside their peers", "", f"`bench/models.py`, {commit()}. {where(results)}.", ""]
    for table in tables(results):
        lines += [f"## {table.title}", "", *markdown_lines(table), "", table.note, ""]
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def tables(results: dict[str, Any]) -> Iterator[Table]:
    """What a run has to show."""
    found = times(results["rows"])
    yield found._replace(columns=["work", *found.columns[1:]], note=NOTE)
    yield differences(results["rows"])._replace(note=DIFFERENCES_NOTE)
