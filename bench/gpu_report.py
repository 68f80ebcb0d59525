"""The figures of bench/gpu.py as a table, on the console and as Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from report import Table, as_ms, as_ratio, as_share, commit, markdown_lines, print_table
from rich.console import Console

NOTE = (
    "Medians of one run, on the device and from events of its own, calls in a row that nobody waits for; of a chunked "
    "step the host's time until the results are there. ratio: their time ÷ ours, of a limit the share of it that is "
    "reached; the longest limit is the one that counts. as a CUDA graph: ours without what the host takes to launch it."
)
TITLE = "The engine on a GPU"
COLUMNS = ["work", "ms", "beside", "its ms", "ratio", "bar", "difference", "met"]


def print_report(console: Console, results: dict[str, Any]) -> None:
    """The table on the console, with the machine and its rates above."""
    console.print(f"{where(results)}\n{rates(results['rates'])}", highlight=False)
    print_table(console, table(results["rows"]))


def write_markdown(path: Path, results: dict[str, Any]) -> None:
    """The same as a file, with the date and the commit."""
    lines = [f"# {TITLE}", "", f"`bench/gpu.sh`, {commit()}. {where(results)}.", "", rates(results["rates"]), ""]
    lines += [*markdown_lines(table(results["rows"])), "", NOTE, ""]
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def where(results: dict[str, Any]) -> str:
    return f"{results['device']}, torch {results['torch']}"


def rates(measured: dict[str, float]) -> str:
    """The card's limits in one line."""
    warp, block = (f"{measured[name] * 1e9:.1f} ns" for name in ("step_s", "block_step_s"))
    copy, add_max, multiply_add = (
        f"{measured[f'{name}_a_second'] / 1e12:.2f} T" for name in ("bytes", "add_max", "multiply_add")
    )
    return (
        f"Measured limits: copy {copy}B/s read and written, {add_max} add-max/s, {multiply_add} multiply-add/s, "
        f"a dependent step {warp} in a warp and {block} in a block."
    )


def table(measured: list[dict[str, Any]]) -> Table:
    rows = []
    for row in measured:
        head = [row["name"], as_ms(row["seconds"])] if "seconds" in row else [row["name"], ""]
        for cells, met in _lines(row) or [([""] * 5, None)]:
            rows.append((head + cells, met))
            head = ["", ""]
    return Table(TITLE, COLUMNS, rows, NOTE)


def _lines(row: dict[str, Any]) -> list[tuple[list[str], bool | None]]:
    """What stands beside ours: name, time, ratio, bar, difference; and whether the bar is met."""
    if "failed" in row:
        return [([f"failed: {row['failed']}", "", "", "", ""], False)]
    lines = [(_comparison(each), each.get("met")) for each in row.get("compared", [])]
    if "replayed_seconds" in row:
        lines.append((["as a CUDA graph", as_ms(row["replayed_seconds"]), "", "", ""], None))
    if "not_replayed" in row:
        lines.append(([f"no CUDA graph: {row['not_replayed']}", "", "", "", ""], None))
    if "p99_s" in row:
        bar = "" if row["most_s"] is None else f"≤ {as_ms(row['most_s'])} ms"
        lines.append((["99th percentile", as_ms(row["p99_s"]), "", bar, ""], row["met"]))
    return lines


def _comparison(compared: dict[str, Any]) -> list[str]:
    shown = as_share if compared["is_limit"] else as_ratio
    bar = "" if compared["bar"] is None else f"≥ {shown(compared['bar'])}"
    differing = f"{compared['difference']:.1e}" if "difference" in compared else ""
    return [compared["with"], as_ms(compared["seconds"]), shown(compared["ratio"]), bar, differing]
