"""Time of the engine's operations beside their peers and beside the machine's limit; bench/README.md tells more.

    python bench/engine.py [--peer-python DIR/bin/python] [--only TEXT] [--hour] [--json FILE] [--results]
    python bench/engine.py --plots

``pip install -c constraints.txt '.[bench]'`` installs the peers, ``bench/peers.sh DIR`` the one that needs an
environment of its own. Calls of ours and of the peers alternate in one run.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import engine_dense
import engine_dtw
import engine_linear
import engine_semi_markov
from engine_case import ADD_MAX, ARITHMETIC_NAMES, MULTIPLY_ADD, Case, measure, rate
from engine_memory import memory
from engine_report import print_report, write_markdown
from engine_torchaudio import Torchaudio
from measure import make_console, median, show, write_json
from rich.console import Console

RESULTS = Path(__file__).with_name("results")


def main() -> int:
    options = _options()
    console = make_console()
    if options.plots:
        plot(console)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        torchaudio = Torchaudio(options.peer_python, Path(folder))
        try:
            results = run(torchaudio, options, console)
        finally:
            torchaudio.close()
    print_report(console, results)
    if options.results:
        write_markdown(RESULTS / "engine.md", results)
    write_json(options.json, results)
    return 0


def plot(console: Console) -> None:
    """Measure and draw how time grows, and print the slopes."""
    from engine_plots import plot_all  # matplotlib is for this alone

    file = RESULTS / "engine-scaling.png"
    lines = []
    for panel, series in plot_all(file):
        lines += [[f"{panel.title}: {s.name}", panel.axis, f"{s.slope:.2f}", f"{panel.expected:g}"] for s in series]
    show(console, "Growth of time, the larger half of the sizes", ["work", "against", "slope", "promised"], lines)
    console.print(f"wrote {file}")


def run(torchaudio: Torchaudio, options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Every figure of one run."""
    results: dict[str, Any] = {"load_before": os.getloadavg()[0], "rates": _rates(options.rounds), "rows": []}
    for name, prepare in rows(torchaudio).items():
        if options.only.lower() in name.lower():
            with console.status(name):
                results["rows"].append({"name": name, **measure(prepare(), options.rounds)})
    if not options.only:
        with console.status("memory"):
            results["memory"] = memory(torchaudio, options.hour)
    return results


def rows(torchaudio: Torchaudio) -> dict[str, Callable[[], Case]]:
    """All rows by name, in the order of the report."""
    return {
        **engine_dense.rows(),
        **engine_linear.rows(torchaudio),
        **engine_semi_markov.rows(),
        **engine_dtw.rows(),
    }


def _rates(rounds: int) -> list[dict[str, Any]]:
    """Cells a second on one thread."""
    return [
        {
            "arithmetic": ARITHMETIC_NAMES[arithmetic],
            "precision": "float64" if is_double else "float32",
            "cells_a_second": median([rate(arithmetic, 1, is_double) for _ in range(rounds)]),
        }
        for arithmetic in (ADD_MAX, MULTIPLY_ADD)
        for is_double in (False, True)
    ]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time of the engine beside its peers and the machine's limit.")
    parser.add_argument("--peer-python", metavar="PATH", help="Python of the environment that bench/peers.sh made")
    parser.add_argument("--only", metavar="TEXT", default="", help="only the rows whose name contains TEXT")
    parser.add_argument("--rounds", type=int, default=7, help="measurements of each, of which the median counts")
    parser.add_argument("--hour", action="store_true", help="memory and time of an hour with 170,001 states too")
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    parser.add_argument("--results", action="store_true", help=f"write {RESULTS.name}/engine.md beside this file")
    parser.add_argument("--plots", action="store_true", help="instead, plot time against T, S and B there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
