"""The adaptive chunk length on a virtual clock, beside the best fixed one and one that shrinks when it is slow.

    python bench/chunking.py [--plot] [--json FILE]

bench/README.md tells what is simulated and what the bars are.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from chunking_bars import TOLERANCE, backlog_gone_s, best_fixed, priced_p95_s, settling, turns_in_a_second
from chunking_simulation import Cost, Fixed, Load, Run, Shrinking, simulate
from measure import make_console, median, show, verdict, write_json
from rich.console import Console

from streamhmm.align.chunking import ChunkController

SECONDS = 30.0
SETTLE_BAR_S, DRAIN_BAR_S, TURNS_BAR = 2.0, 3.0, 1
LOAD = Load(3, 10, 15)


class Case(NamedTuple):
    """What computing costs, and how much of the time it may take."""

    cost: Cost
    bound: float


CASES = (
    Case(Cost("overhead and rate", 0.008, 0.05), 0.25),
    Case(Cost("3 × slower for 5 s", 0.008, 0.05, load=LOAD), 0.25),
    Case(Cost("3 × slower, bound out of reach", 0.005, 0.1, load=LOAD), 0.25),
    Case(Cost("3 × slower, slow backend", 0.02, 0.1, load=LOAD), 0.5),
    Case(Cost("garbage collection", 0.008, 0.05, pauses_a_second=0.5, pause_s=0.15), 0.25),
    Case(Cost("batches of 32 frames", 0.002, 0.125, batch_s=0.32), 0.25),
    Case(Cost("near saturation", 0.02, 0.65), 0.25),
)
PLOTTED = CASES[3]


@dataclass(frozen=True)
class Row:
    """A part of a case: lengths and latencies of the adaptive, the best fixed and the shrinking chunk, median of seeds.

    ``settled_s``, ``backlog_gone_s`` (after a load, else None) and ``turns`` (in any second) are the worst of all
    seeds. ``priced_p95_s``, which leaves out the first two seconds, counts what exceeds the bound at its price.
    """

    name: str
    best_s: float
    chunk_s: float
    settled_s: float
    backlog_gone_s: float | None
    turns: int
    p50_s: float
    p95_s: float
    priced_p95_s: float
    best_priced_p95_s: float
    best_p50_s: float
    best_p95_s: float
    shrinking_p50_s: float
    shrinking_p95_s: float


def main() -> int:
    options = _options()
    console = make_console()
    rows = [row for case in CASES for row in measure(case, range(options.seeds))]
    _report(console, rows, options.seeds)
    if options.plot:
        from chunking_plots import plot_load  # matplotlib is for this alone

        file = Path(__file__).parent / "results" / "chunking.png"
        plot_load(file, *PLOTTED)
        console.print(f"plotted: {file}")
    write_json(options.json, {"rows": [asdict(row) for row in rows]})
    return 0


def measure(case: Case, seeds: range) -> list[Row]:
    """One row for each part of the case: before, in and after its load."""
    cost, bound = case
    rest_s = best_fixed(cost.slower(1), bound, SECONDS)
    adaptive = [simulate(cost, ChunkController(bound), SECONDS, seed) for seed in seeds]
    shrinking = [simulate(cost, Shrinking(bound, rest_s), SECONDS, seed) for seed in seeds]
    parts = {"": (0.0, SECONDS)}
    if cost.load is not None:
        begin_s, end_s = cost.load.begin_s, cost.load.end_s
        parts = {": before": (0.0, begin_s), ": load": (begin_s, end_s), ": after": (end_s, SECONDS)}
    return [_row(cost.name + name, case, seeds, adaptive, shrinking, part) for name, part in parts.items()]


def _row(
    name: str, case: Case, seeds: range, adaptive: list[Run], shrinking: list[Run], part: tuple[float, float]
) -> Row:
    (cost, bound), (begin_s, end_s) = case, part
    factor = cost.factor(begin_s)
    best_s = best_fixed(cost, bound, SECONDS, factor=factor)
    fixed = [simulate(cost.slower(factor), Fixed(best_s), SECONDS, seed) for seed in seeds]
    then = (begin_s + SETTLE_BAR_S, end_s)
    after_load = cost.load is not None and begin_s == cost.load.end_s
    return Row(
        name=name,
        best_s=best_s,
        chunk_s=median([run.between(*part).typical_length_s for run in adaptive]),
        settled_s=max(settling(run, cost, bound, *part, best_s, factor) for run in adaptive),
        backlog_gone_s=max(backlog_gone_s(run, begin_s) for run in adaptive) if after_load else None,
        turns=max(turns_in_a_second(run) for run in adaptive),
        p50_s=_latency(adaptive, 50, *part),
        p95_s=_latency(adaptive, 95, *part),
        priced_p95_s=median([priced_p95_s(run.between(*then), cost, bound, factor) for run in adaptive]),
        best_priced_p95_s=median([priced_p95_s(run, cost, bound, factor) for run in fixed]),
        best_p50_s=_latency(fixed, 50, 0.0, SECONDS),
        best_p95_s=_latency(fixed, 95, 0.0, SECONDS),
        shrinking_p50_s=_latency(shrinking, 50, *part),
        shrinking_p95_s=_latency(shrinking, 95, *part),
    )


def _latency(runs: list[Run], percent: float, begin_s: float, end_s: float) -> float:
    parts = [run.between(begin_s, end_s) for run in runs]
    return median([part.latency(percent) for part in parts if part.chunks])


def _report(console: Console, rows: list[Row], seeds: int) -> None:
    columns = ["", "best fixed", "adaptive", "settled", "", "p95 then", "", "backlog gone", "", "turns/s", ""]
    shown = [
        [
            row.name,
            f"{row.best_s:.2f}",
            f"{row.chunk_s:.2f}",
            f"{row.settled_s:.2f}",
            verdict(row.settled_s <= SETTLE_BAR_S),
            f"{row.priced_p95_s / row.best_priced_p95_s:.2f}",
            verdict(row.priced_p95_s <= (1 + TOLERANCE) * row.best_priced_p95_s),
            "" if row.backlog_gone_s is None else f"{row.backlog_gone_s:.2f}",
            "" if row.backlog_gone_s is None else verdict(row.backlog_gone_s <= DRAIN_BAR_S),
            f"{row.turns}",
            verdict(row.turns <= TURNS_BAR),
        ]
        for row in rows
    ]
    note = (
        f"Seconds; the worst of {seeds} seeds counts. Bars: settled within {SETTLE_BAR_S:.0f} s; p95 latency then, "
        f"with the price of exceeding the bound, at most {1 + TOLERANCE:.2f} × the best fixed one's; backlog gone "
        f"{DRAIN_BAR_S:.0f} s after the load; at most {TURNS_BAR} change of direction in any second."
    )
    show(console, "Length of a chunk, and whether it is where it should be", columns, shown, note)
    columns = ["ms", "adaptive p50", "p95", "best fixed p50", "p95", "shrinking p50", "p95"]
    latency: list[Callable[[Row], float]] = [
        lambda row: row.p50_s,
        lambda row: row.p95_s,
        lambda row: row.best_p50_s,
        lambda row: row.best_p95_s,
        lambda row: row.shrinking_p50_s,
        lambda row: row.shrinking_p95_s,
    ]
    shown = [[row.name, *(f"{1e3 * get(row):.0f}" for get in latency)] for row in rows]
    show(console, "Latency, from a chunk's first sample to its result", columns, shown, "Medians of the seeds.")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The adaptive chunk length on a virtual clock.")
    parser.add_argument("--seeds", type=int, default=5, help="runs of each case (default: 5)")
    parser.add_argument("--plot", action="store_true", help="also draw bench/results/chunking.png")
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
