"""The figures of bench/engine.py as tables, on the console and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from report import Table, as_ms, as_ratio, as_share, commit, markdown_lines, print_table
from rich.console import Console

from streamhmm.measure.machine import machine

NOTE = (
    "Medians of one run, ours and the others in turn. ratio: their time ÷ ours, for the limit the share of it that is "
    "reached; best/best: of the shortest times, which other work disturbs least; (recorded): on another machine. One "
    "thread: processor time; two: wall."
)
SUMMARY_NOTE = (
    "ratio: their time ÷ ours in one run; (recorded): theirs on another machine; share of limit: the time that the "
    "arithmetic alone takes ÷ ours, on one thread."
)
BUSY_LOAD = 0.5


def print_report(console: Console, results: dict[str, Any]) -> None:
    """Every table on the console."""
    console.print(where(results), highlight=False)
    for table in tables(results):
        print_table(console, table)


def write_markdown(path: Path, results: dict[str, Any]) -> None:
    """The same as a file, with the date and the commit."""
    lines = ["# The engine beside its peers", "", f"`bench/engine.py`, {commit()}. {where(results)}.", ""]
    for table in tables(results):
        lines += [f"## {table.title}", "", *markdown_lines(table), ""]
        lines += [table.note, ""] if table.note else []
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def tables(results: dict[str, Any]) -> Iterator[Table]:
    """What a run has to show."""
    yield _summary(results["rows"])
    yield _rates(results["rates"])
    yield times(results["rows"])
    if any(row["differences"] for row in results["rows"]):
        yield differences(results["rows"])
    if "memory" in results:
        yield _memory(results["memory"])


def _summary(measured: list[dict[str, Any]]) -> Table:
    """Every bar: the ratios to peers line by line, and the share of the limit in a row's first line."""
    rows = []
    for row in measured:
        share, share_met = _share_on_one_thread(row["runs"][0])
        lines = [(run, one) for run in row["runs"] for one in run["compared"] if not one["is_limit"] and one["bar"]]
        for run, one in lines:
            cells = [as_ratio(one["ratio"]), f"≥ {one['bar']:.3g}", share]
            rows.append(([*_head(row, run), one["with"], *cells], one["met"] and share_met is not False))
            share, share_met = "", None
        if not lines and share_met is not None:
            rows.append(([*_head(row, row["runs"][0]), "", "", "", share], share_met))
    columns = ["work (float32)", "time", "beside", "ratio", "bar", "share of limit", "met"]
    return Table("What is to be reached", columns, rows, SUMMARY_NOTE)


def _head(row: dict[str, Any], run: dict[str, Any]) -> list[str]:
    return [f"{row['name']}; {_threads(run['threads'])}", f"{as_ms(run['seconds'])} ms"]


def _share_on_one_thread(run: dict[str, Any]) -> tuple[str, bool | None]:
    """The share of the limit with its bar, and whether that is met."""
    for one in run["compared"]:
        if one["is_limit"]:
            bar = "" if one["bar"] is None else f" (≥ {as_share(one['bar'])})"
            return as_share(one["ratio"]) + bar, one["met"]
    return "", None


def _rates(rates: list[dict[str, Any]]) -> Table:
    rows = [
        ([f"{rate['arithmetic']}, {rate['precision']}", f"{rate['cells_a_second'] / 1e9:.1f}"], None) for rate in rates
    ]
    return Table("The machine's limit: arithmetic in registers, one thread", ["cell", "10⁹ cells/s", ""], rows)


def times(measured: list[dict[str, Any]]) -> Table:
    rows = []
    for row in measured:
        for run in row["runs"]:
            head = [row["name"], str(run["threads"]), as_ms(run["seconds"])]
            for compared in run["compared"]:
                rows.append((head + _comparison(compared), compared["met"]))
                head = ["", "", ""]
    columns = ["work (float32)", "threads", "ms", "beside", "its ms", "ratio", "best/best", "bar", "met"]
    return Table("Time", columns, rows, NOTE)


def _comparison(compared: dict[str, Any]) -> list[str]:
    bar = compared["bar"]
    shown = as_share if compared["is_limit"] else as_ratio
    ratios = [shown(compared["ratio"]), shown(compared["best_ratio"])]
    return [compared["with"], as_ms(compared["seconds"]), *ratios, "" if bar is None else f"≥ {shown(bar)}"]


def differences(measured: list[dict[str, Any]]) -> Table:
    rows = []
    for row in measured:
        for name, difference in row["differences"].items():
            tolerance = difference["tolerance"]
            bar = "" if tolerance is None else f"≤ {tolerance:.0e}"
            rows.append(([row["name"], name, f"{difference['relative']:.1e}", bar], difference["met"]))
    note = "Largest difference of path scores, posteriors, gradients or losses, relative to the largest entry."
    return Table("The same results", ["work", "beside", "difference", "bar", "met"], rows, note)


def _memory(measured: list[dict[str, Any]]) -> Table:
    rows = []
    for row in measured:
        cells = [_mb(row["extra_bytes"]), f"≤ {_mb(row['bar'])}", _mb(row["peak_bytes"]), f"{row['seconds']:.2f}"]
        rows.append(([f"{row['name']}; {_threads(row['threads'])}", *cells], row["extra_bytes"] <= row["bar"]))
        if "peer" in row:
            rows.append(([f"  {row['peer']}", _mb(row["peer_bytes"]), "", "", ""], None))
    title = "Memory above what was held before the call, default budget, a process of its own"
    return Table(title, ["Viterbi", "MB", "bar", "MB of the whole process", "s", "met"], rows)


def where(results: dict[str, Any]) -> str:
    about, load = machine(), results["load_before"]
    busy = "; other work ran: two threads' times are too long" if load > BUSY_LOAD else ""
    return f"{about['processor']}, {about['cores']} cores, torch {about['torch']}, load before {load:.2f}{busy}"


def _threads(count: int) -> str:
    return "one thread" if count == 1 else f"{count} threads"


def _mb(size: float) -> str:
    return f"{size / 1e6:.0f}"
