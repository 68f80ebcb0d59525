"""Time of the models' training and answers beside hmmlearn, pomegranate and the machine's limit.

    python bench/models.py [--only TEXT] [--rounds N] [--threads 1 2] [--quick] [--json FILE] [--results]

``pip install -c constraints.txt '.[bench]'`` installs the peers. Ours and theirs start from the same parameters and
take turns; what both compute is compared. bench/README.md tells more.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine_case import measure
from measure import make_console, write_json
from models_report import print_report, write_markdown
from models_rows import rows
from rich.console import Console

RESULTS = Path(__file__).with_name("results")


def main() -> int:
    options = _options()
    console = make_console()
    results = run(options, console)
    print_report(console, results)
    if options.results:
        write_markdown(RESULTS / "models.md", results)
    write_json(options.json, results)
    return 0


def run(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Every figure of one run."""
    results: dict[str, Any] = {"load_before": os.getloadavg()[0], "rows": []}
    for name, prepare in rows(options.quick).items():
        if options.only.lower() in name.lower():
            with console.status(name):
                case = replace(prepare(), threads=options.threads)
                if options.quick:  # of such sizes no bar speaks
                    case = replace(case, yardsticks=[replace(each, bars={}) for each in case.yardsticks])
                results["rows"].append({"name": name, **measure(case, options.rounds)})
    return results


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time of the models beside their peers and the machine's limit.")
    parser.add_argument("--only", metavar="TEXT", default="", help="only the rows whose name contains TEXT")
    parser.add_argument("--rounds", type=int, default=7, help="measurements of each, of which the median counts")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="numbers of threads to measure with")
    parser.add_argument("--quick", action="store_true", help="tiny models and data: whether everything runs")
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    parser.add_argument("--results", action="store_true", help=f"write {RESULTS.name}/models.md beside this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
