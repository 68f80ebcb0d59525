"""Time of the engine's operations on a GPU, beside their peers and the card's limits; bench/README.md tells more.

    python bench/gpu.py [--only TEXT] [--rounds N] [--seconds S] [--json FILE] [--results [DIR]]

``bench/gpu.sh DIR`` runs it after the tests. The exit code is 1 if a row could not be measured, whatever the bars.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gpu_ctc
import gpu_dense
import gpu_online
import gpu_others
import torch
from gpu_case import Latency, Row, attempt
from gpu_device import Device, measure_rates
from gpu_report import print_report, write_markdown
from measure import make_console, write_json

RESULTS = Path(__file__).with_name("results")
NO_TIME = "no time was left"
Prepare = Callable[[], Row | Latency]


def main() -> int:
    options = _options()
    if not torch.cuda.is_available():
        print("there is no GPU here", file=sys.stderr)
        return 2
    device = Device()
    wanted = {name: row for name, row in rows(device).items() if options.only.lower() in name.lower()}
    until = time.monotonic() + options.seconds
    results = run(device, wanted, options.rounds, until, lambda so_far: write_json(options.json, so_far))
    print_report(make_console(), results)
    if options.results:
        write_markdown(options.results / results_name(device.name), results)
    return int(any("failed" in row for row in results["rows"]))


def results_name(card: str) -> str:
    """The file's name, of the card's: h200.md for "NVIDIA H200"."""
    return f"{card.removeprefix('NVIDIA ').split()[0].lower()}.md"


def rows(device: Device) -> dict[str, Prepare]:
    """All rows by name, in the order of the report."""
    parts = (gpu_ctc.rows(device), gpu_dense.rows(device), gpu_online.rows(device), gpu_others.rows(device))
    return {name: prepare for part in parts for name, prepare in part.items()}


def run(
    device: Device,
    wanted: Mapping[str, Prepare],
    rounds: int,
    until: float,
    save: Callable[[dict[str, Any]], None],
) -> dict[str, Any]:
    """Every figure of one run. What there is after each row is saved; no row is begun after ``until``."""
    rates = measure_rates(device, rounds)
    results: dict[str, Any] = {"device": device.name, "torch": torch.__version__, "rates": asdict(rates), "rows": []}
    for name, prepare in wanted.items():
        begin = time.monotonic()
        found = attempt(prepare, device, rates, rounds) if begin < until else {"failed": NO_TIME}
        print(f"{name}: {time.monotonic() - begin:.1f} s", file=sys.stderr, flush=True)
        results["rows"].append({"name": name, **found})
        save(results)
        if device.is_gpu:
            torch.cuda.empty_cache()
    return results


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time of the engine on a GPU beside its peers and the card's limits.")
    parser.add_argument("--only", metavar="TEXT", default="", help="only the rows whose name contains TEXT")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each, of which the median counts")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no row later than this")
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    parser.add_argument(
        "--results",
        type=Path,
        nargs="?",
        const=RESULTS,
        metavar="DIR",
        help=f"write the report, named after the card, to DIR; by default {RESULTS.name} beside this file",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
