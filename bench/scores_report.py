"""The figures of bench/scores.py as tables."""

from __future__ import annotations

from typing import Any

from measure import show, verdict
from rich.console import Console

LEAST_AREA, LARGEST_ERROR = 0.95, 0.05
FEWEST_FOREIGN, MOST_RIGHT = 0.98, 0.02


def report(console: Console, figures: dict[str, Any]) -> None:
    """Print the tables and whether each bar is met."""
    _report_scores(console, figures)
    _report_warnings(console, figures["warnings"])
    for failure in figures["failed"]:
        console.print(f"  [red]failed[/] {failure}", highlight=False)


def _report_scores(console: Console, figures: dict[str, Any]) -> None:
    rows = []
    for kind, groups in figures["scores"].items():
        for name, group in groups.items():
            area, error = group["area_under_curve"], group["calibration_error"]
            met = area >= LEAST_AREA and error <= LARGEST_ERROR
            counts = [str(group["words"]), str(group["wrong"])]
            rows.append([f"{kind}: {name}", *counts, f"{area:.3f}", f"{error:.3f}", verdict(met)])
    columns = ["scores of words", "n", "wrong", f"area (≥ {LEAST_AREA})", f"calibration error (≤ {LARGEST_ERROR})", ""]
    title = f"{figures['utterances']} utterances, {figures['seconds']:.0f} s; half of the texts have a wrong word"
    show(console, title, columns, rows)


def _report_warnings(console: Console, cases: dict[str, Any]) -> None:
    names = list(next(iter(cases.values()))["by_warning"])
    rows = []
    for kind, case in cases.items():
        shares = [f"{case['by_warning'].get(name, 0.0):.1%}" for name in names]
        is_right = kind == "right text"
        rows.append(
            [
                kind,
                str(case["cases"]),
                f"{case['flagged']:.1%}",
                "" if is_right else f"{case['precision']:.2f}",
                *shares,
                _verdict(kind, case["flagged"]),
            ]
        )
    columns = ["planted", "n", "flagged", "precision", *names, ""]
    show(console, "warnings of a text that does not fit; precision beside as many right texts", columns, rows)


def _verdict(kind: str, share: float) -> str:
    if kind == "right text":
        return verdict(share <= MOST_RIGHT)
    return verdict(share >= FEWEST_FOREIGN) if kind == "text of another utterance" else ""
