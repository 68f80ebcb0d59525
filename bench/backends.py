"""The backends on this machine: the scenarios of ``streamhmm rtf``, the bars, on one thread and on all cores.

    python bench/backends.py [--backend NAMES] [--precision NAMES] [--json FILE] [--plot]

bench/README.md tells what is measured.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from measure import TRUTH, make_console, run_child, write_json
from recordings import sources
from report import Table, as_ratio, as_share, print_table
from rich.console import Console

from streamhmm.measure.machine import machine
from streamhmm.measure.rtf import Measured
from streamhmm.measure.scenarios import LONG_BATCH, LONG_CHUNKS, LONG_WHOLE, SINGLE
from streamhmm.measure.tutor import BASELINE, tutor_rows

SECONDS = 40.0
SINGLE_BAR, LONG_BAR, INT8_BAR = 2.0, 3.0, 0.3
CHILD = Path(__file__).with_name("backends_child.py")
PLOT = Path(__file__).with_name("results") / "backends.png"


class Bar(NamedTuple):
    """What is to be reached, who came nearest, and how near: ``ratio`` is the baseline's time ÷ its own."""

    name: str
    best: str
    ratio: float
    bar: float


def main() -> int:
    options = _options()
    console = make_console()
    about = machine()
    what, pieces = sources(options.truth)
    console.print(f"{about['processor']}, torch {about['torch']}, load {about['load_average']:.2f}; audio: {what}")
    with tempfile.TemporaryDirectory() as name:
        request = {
            "audio": [str(path) for path in lay_out(pieces, Path(name))],
            "backends": options.backend,
            "precisions": options.precision,
            "model": options.model,
            "rounds": options.rounds,
            "seconds": SECONDS,
        }
        runs = {threads: run_child(CHILD, request=request, threads=threads) for threads in options.threads}
    results = {threads: run["results"] for threads, run in runs.items()}
    sizes = runs[options.threads[0]]["file_bytes"]
    for threads, run in runs.items():
        _report(console, threads, read_results(results[threads]), run)
    print_table(console, files_table(sizes))
    if options.plot:
        from streamhmm.plots.rtf import plot_rtf

        plot_rtf(read_results(results[options.threads[0]]), PLOT)
        console.print(f"plotted: {PLOT}")
    write_json(options.json, {"audio": what, "runs": runs})
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The backends on this machine, and the bars.")
    parser.add_argument("--model", default="en", help='acoustic model: "en" or a file (default: en)')
    parser.add_argument("--backend", type=_names, default=[], metavar="NAMES", help="default: all that work here")
    parser.add_argument("--precision", type=_names, default=[], metavar="NAMES", help="default: all")
    both = sorted({1, os.cpu_count() or 1})
    parser.add_argument("--threads", type=int, nargs="+", default=both, metavar="N", help=f"default: {both}")
    parser.add_argument("--rounds", type=int, default=50, help="of the short scenarios; longer ones have fewer")
    parser.add_argument("--truth", type=Path, default=TRUTH, metavar="DIR", help="default: beside the repository")
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    parser.add_argument("--plot", action="store_true", help=f"draw those of the first number of threads: {PLOT.name}")
    return parser.parse_args()


def _names(text: str) -> list[str]:
    return text.split(",")


def lay_out(pieces: list[tuple[Path, str]], folder: Path) -> list[Path]:
    """Links to the recordings with their texts beside them, as ``streamhmm rtf`` wants them."""
    paths = []
    for index, (audio, text) in enumerate(pieces):
        path = folder / f"{index:04}{audio.suffix}"
        path.symlink_to(audio.resolve())
        path.with_suffix(".txt").write_text(text, encoding="utf-8")
        paths.append(path)
    return paths


def read_results(values: list[dict[str, Any]]) -> list[Measured]:
    return [Measured.from_dict(each) for each in values]


def bars(results: list[Measured], threads: int) -> Iterator[Bar]:
    """What the best backend gains; on one thread by processor time, else by the wall's."""
    seconds = {
        (each.scenario, each.subject): each.processor_s if threads == 1 else each.rtf * each.audio_s for each in results
    }
    yield _bar("single chunk", seconds, SINGLE, SINGLE, SINGLE_BAR)
    yield _bar("10 chunks in batch, eager chunk by chunk", seconds, LONG_BATCH, LONG_CHUNKS, LONG_BAR)
    yield _bar("10 chunks in batch, eager in batch", seconds, LONG_BATCH, LONG_BATCH, LONG_BAR)
    yield _bar("10 s in one pass, eager chunk by chunk", seconds, LONG_WHOLE, LONG_CHUNKS, LONG_BAR)
    yield _bar("10 s in one pass, eager in one pass", seconds, LONG_WHOLE, LONG_WHOLE, LONG_BAR)


def _bar(name: str, seconds: dict[tuple[str, str], float], ours: str, eager: str, bar: float) -> Bar:
    """The fastest at ``ours`` beside the baseline at ``eager``."""
    own = {subject: value for (scenario, subject), value in seconds.items() if scenario == ours}
    base = seconds.get((eager, BASELINE), math.nan)
    best = min(own, key=own.__getitem__, default="")
    return Bar(name, best, base / own[best] if best else math.nan, bar)


def bars_table(results: list[Measured], threads: int) -> Table:
    rows = [
        ([each.name, each.best, as_ratio(each.ratio), f"≥ {each.bar:g}"], each.ratio >= each.bar)
        for each in bars(results, threads)
    ]
    title = f"To be reached: times as fast as {BASELINE}, {threads} thread{'s' * (threads > 1)}"
    note = "Processor time." if threads == 1 else "Wall time: what else runs disturbs it."
    return Table(title, ["", "best", "ratio", "bar", ""], rows, f"Medians of rounds in turn. {note}")


def speed_table(results: list[Measured], threads: int) -> Table:
    """How many times as fast as the baseline each backend is, at everything."""
    names = list(dict.fromkeys(each.subject for each in results))
    scenarios = list(dict.fromkeys(each.scenario for each in results))
    found = {(each.scenario, each.subject): each.speed_up for each in results}
    rows: list[tuple[list[str], bool | None]] = []
    for scenario in scenarios:
        gains = [found.get((scenario, name), math.nan) for name in names]
        rows.append(([scenario, *("" if math.isnan(gain) else as_ratio(gain) for gain in gains)], None))
    return Table(f"Speed-up by wall time, {threads} thread{'s' * (threads > 1)}", ["", *names, ""], rows)


def tutor_table(results: list[Measured]) -> Table:
    rows: list[tuple[list[str], bool | None]] = [
        ([row.name, row.subject, row.scenario, f"{row.rtf:.5f}", as_ratio(row.speed_up), row.note], None)
        for row in tutor_rows(results)
        if not math.isnan(row.rtf)
    ]
    return Table("A pronunciation tutor", ["", "backend", "how", "RTF", "speed-up", "note", ""], rows)


def files_table(sizes: dict[str, float]) -> Table:
    rows: list[tuple[list[str], bool | None]] = []
    for name, size in sizes.items():
        share = size / sizes["fp32"]
        held = "int8" in name
        bar = f"< {as_share(INT8_BAR)}" if held else ""
        rows.append(([name, f"{size / 1e6:.2f}", as_share(share), bar], share < INT8_BAR if held else None))
    return Table("Files of the model", ["", "MB", "of fp32", "bar", ""], rows)


def _report(console: Console, threads: int, results: list[Measured], run: dict[str, Any]) -> None:
    for table in (speed_table(results, threads), tutor_table(results), bars_table(results, threads)):
        print_table(console, table)
    for each in run["failures"]:
        console.print(f"{each['subject']}: {each['scenario']}: {each['reason']}", markup=False)
    for line in run["lacking"]:
        console.print(line, markup=False)


if __name__ == "__main__":
    sys.exit(main())
