"""The figures of bench/accuracy.py as tables, beside those recorded for other aligners."""

from __future__ import annotations

from typing import Any, NamedTuple

from measure import show, verdict
from rich.console import Console

from streamhmm.metrics import THRESHOLDS_MS


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


class Bar(NamedTuple):
    """What is to be reached: median, ms, at most; % within 20 ms at least."""

    median_ms: float
    within_20: float


BARS = {
    ("flite", "words"): Bar(6.5, 89),
    ("flite", "phones"): Bar(5.6, 91),
    ("espeak", "words"): Bar(5.0, 91),
    ("voice_onset", "voicing"): Bar(9.5, 88),
}
MOST_LOST = {"child": 5.0, "babble": 10.0}
"""Points within 20 ms that a condition may cost."""
MAIN_ROWS = ("words", "phones", "voicing")
WITHIN_20 = THRESHOLDS_MS.index(20)
COLUMNS = ["", "n", "missed", *(f"≤ {limit}" for limit in THRESHOLDS_MS), "mean ms", "median ms", "bias ms", ""]


def report(console: Console, conditions: dict[str, Any]) -> None:
    """Print the tables of each condition's sets, and whether each bar is met."""
    for condition, sets in conditions.items():
        for name, figures in sets.items():
            if condition == "clean" or "clean" not in conditions:
                _report_set(console, name, figures)
    _report_spread(console, conditions)
    if "clean" in conditions and len(conditions) > 1:
        _report_losses(console, conditions)
    for sets in conditions.values():
        for figures in sets.values():
            for failure in figures["failed"]:
                console.print(f"  [red]failed[/] {failure}", highlight=False)


def _report_losses(console: Console, conditions: dict[str, Any]) -> None:
    rows = []
    for condition, sets in conditions.items():
        for name, figures in sets.items():
            for kind in MAIN_ROWS:
                clean = conditions["clean"][name]["rows"].get(kind)
                if condition == "clean" or clean is None:
                    continue
                within = figures["rows"][kind]["within"][WITHIN_20]
                lost = clean["within"][WITHIN_20] - within
                cells = [f"{within:.1f}", f"{lost:+.1f}", verdict(lost <= MOST_LOST[condition])]
                rows.append([f"{condition}: {name}, {kind}", *cells])
    title = "harder recordings: % within 20 ms, points lost (at most 5 with a child's formants, 10 in babble)"
    show(console, title, ["", "≤ 20", "lost", ""], rows)


def _report_spread(console: Console, conditions: dict[str, Any]) -> None:
    rows = []
    for condition, sets in conditions.items():
        for name, figures in sets.items():
            spread = figures["spread"]
            if spread["boundaries"] > 1:
                shares = [f"{spread[key]:.1f}" for key in ("within_one", "within_two")]
                rows.append(
                    [f"{condition}: {name}", str(spread["boundaries"]), f"{spread['correlation']:.2f}", *shares]
                )
    columns = ["", "n", "rank correlation with |error|", "% of errors within 1 sd", "within 2 sd"]
    show(console, "standard deviations of word boundaries", columns, rows)


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
    if details:
        show(console, f"{name}, kinds of boundaries", COLUMNS, sorted(details))


def _compared_rows(name: str, kind: str, summary: dict[str, Any]) -> list[list[str]]:
    """Our row, and those of others for the same set and kind."""
    rows = [[kind, *_cells(summary), _judged(name, kind, summary)]]
    for who, table in (("pocketsphinx, recorded", POCKETSPHINX), ("trial, recorded", TRIAL)):
        if recorded := table.get((name, kind)):
            rows.append([f"  {who}", *_recorded_cells(recorded)])
    return rows


def _judged(name: str, kind: str, summary: dict[str, Any]) -> str:
    """Whether the bar is reached and pocketsphinx beaten, as far as there are figures."""
    key = (name, kind)
    if key not in BARS:
        return ""
    return verdict(reaches(summary, BARS[key]) and not shortfalls(summary, POCKETSPHINX[key]))


def reaches(summary: dict[str, Any], bar: Bar) -> bool:
    """True if ``summary`` reaches the bar, to the precision of its figures."""
    return round(summary["median_ms"], 1) <= bar.median_ms and round(summary["within"][WITHIN_20]) >= bar.within_20


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
        if (wanted := BARS.get((name, kind))) and not reaches(summary, wanted):
            notes.append(f"{kind} wanted: median {wanted.median_ms} ms, {wanted.within_20:g} % within 20 ms")
        if (bar := POCKETSPHINX.get((name, kind))) and (worse := shortfalls(summary, bar)):
            notes.append(f"{kind} below pocketsphinx in: {', '.join(worse)}")
    return notes
