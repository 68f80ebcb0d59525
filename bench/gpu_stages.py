"""Puts the stages and the figures of bench/gpu.sh into one file, and prints them.

python bench/gpu_stages.py OUTDIR       reads stages.tsv, bench.json and backends.json there, leaves gpu.json instead
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from measure import make_console
from report import Table, print_table


def main() -> int:
    folder = Path(sys.argv[1])
    parts = folder / "stages.tsv", folder / "bench.json", folder / "backends.json"
    results = merged(*parts)
    (folder / "gpu.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    for part in parts:
        part.unlink(missing_ok=True)
    console = make_console()
    print_table(console, table(results["stages"]))
    if "rows" in results:
        from gpu_report import print_report  # needs what the bench needs

        print_report(console, results)
    if "backends" in results:
        console.print(f"Backends: {results['backends']['throughput']}", highlight=False, markup=False)
    return 0


def merged(stages: Path, bench: Path, backends: Path) -> dict[str, Any]:
    """The benches' figures, if there are any, with the stages of the run."""
    figures: dict[str, Any] = json.loads(bench.read_text(encoding="utf-8")) if bench.exists() else {}
    if backends.exists():
        figures["backends"] = json.loads(backends.read_text(encoding="utf-8"))
    lines = [line.split("\t") for line in stages.read_text(encoding="utf-8").splitlines()]
    return {"stages": [{"name": name, "result": result, "seconds": int(s)} for name, result, s in lines], **figures}


def table(stages: list[dict[str, Any]]) -> Table:
    rows = [([stage["name"], f"{stage['seconds']}", stage["result"]], None) for stage in stages]
    return Table("Stages", ["stage", "s", "result", ""], rows)


if __name__ == "__main__":
    sys.exit(main())
