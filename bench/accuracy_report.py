"""The figures of bench/accuracy.py as tables, beside those recorded for other aligners."""

from __future__ import annotations

from typing import Any, NamedTuple

from boundaries import THRESHOLDS_MS
from measure import show, verdict
from rich.console import Console


class Recorded(NamedTuple):
    """Figures from a table: % within each threshold, mean and median in ms, utterances that failed."""

    within: tuple[int, ...]
    mean_ms: float
    median_ms: float
    failed: int = 0


POCKETSPHINX = {
    ("flite", "words"): Recorded((50, 81, 88, 96, 99), 14.3, 10.0),
    ("flite", "phones"): Recorded((51, 83, 90, 98, 100), 13.2, 9.8),
    ("espeak", "words"): Recorded((47, 72, 77, 90, 97), 19.7, 11.2, 40),
    ("voice_onset", "voicing"): Recorded((40, 72, 85, 100, 100), 13.7, 11.8),
}
TRIAL = {
    ("flite", "words"): Recorded((68, 89, 93, 99, 100), 9.6, 6.5),
    ("flite", "phones"): Recorded((74, 92, 95, 99, 100), 8.2, 5.6),
    ("espeak", "words"): Recorded((81, 92, 94, 97, 100), 8.2, 3.9),
    ("voice_onset", "voicing"): Recorded((52, 90, 96, 100, 100), 10.8, 9.6),
}
MAIN_ROWS = ("words", "phones", "voicing")
COLUMNS = ["", "n", "missed", *(f"≤ {limit}" for limit in THRESHOLDS_MS), "mean ms", "median ms", "bias ms", ""]


def report(console: Console, sets: dict[str, Any]) -> None:
    """Print the sets' tables and whether each bar is met."""
    for name, figures in sets.items():
        _report_set(console, name, figures)


def _report_set(console: Console, name: str, figures: dict[str, Any]) -> None:
    rows, details = [], []
    for kind, summary in figures["rows"].items():
        if kind in MAIN_ROWS:
            rows += _compared_rows(name, kind, summary)
        else:
            details.append([kind, *_cells(summary), ""])
    failed = len(figures["failed"])
    title = f"{name}: {figures['utterances']} utterances, {failed} failed, {figures['seconds']:.1f} s; % within, in ms"
    show(console, title, COLUMNS, rows, "; ".join(_notes(name, figures)))
    for failure in figures["failed"]:
        console.print(f"  [red]failed[/] {failure}", highlight=False)
    if details:
        show(console, f"{name}, kinds of boundaries", COLUMNS, sorted(details))


def _compared_rows(name: str, kind: str, summary: dict[str, Any]) -> list[list[str]]:
    """Our row, and those of others for the same set and kind."""
    bar = POCKETSPHINX.get((name, kind))
    rows = [[kind, *_cells(summary), verdict(not shortfalls(summary, bar)) if bar else ""]]
    for who, table in (("pocketsphinx, recorded", POCKETSPHINX), ("trial, recorded", TRIAL)):
        if recorded := table.get((name, kind)):
            rows.append([f"  {who}", *_recorded_cells(recorded)])
    return rows


def shortfalls(summary: dict[str, Any], bar: Recorded) -> list[str]:
    """The columns in which ``summary`` is worse than ``bar``, both to the table's precision."""
    worse = [
        f"≤ {limit} ms"
        for limit, ours, theirs in zip(THRESHOLDS_MS, summary["within"], bar.within, strict=True)
        if not round(ours) >= theirs
    ]
    worse += [name for name in ("mean_ms", "median_ms") if not round(summary[name], 1) <= getattr(bar, name)]
    return worse


def _cells(summary: dict[str, Any]) -> list[str]:
    within = [f"{share:.1f}" for share in summary["within"]]
    times = [f"{summary['mean_ms']:.1f}", f"{summary['median_ms']:.1f}", f"{summary['bias_ms']:+.1f}"]
    return [str(summary["boundaries"]), str(summary["missed"]), *within, *times]


def _recorded_cells(recorded: Recorded) -> list[str]:
    failed = f"{recorded.failed} failed" if recorded.failed else ""
    within = [str(share) for share in recorded.within]
    return ["", failed, *within, f"{recorded.mean_ms:.1f}", f"{recorded.median_ms:.1f}", "", ""]


def _notes(name: str, figures: dict[str, Any]) -> list[str]:
    notes = []
    if total := figures["phones"].get("boundaries", 0):
        share = 100 * figures["phones"].get("compared", 0) / total
        notes.append(f"{share:.1f} % of {total} phone boundaries compared, at the others the pronunciations differ")
    for kind, summary in figures["rows"].items():
        if (bar := POCKETSPHINX.get((name, kind))) and (worse := shortfalls(summary, bar)):
            notes.append(f"{kind} below pocketsphinx in: {', '.join(worse)}")
    return notes
