"""What ``streamhmm compare`` tells: tables for people, lines for a pipe, JSON with everything."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from streamhmm.cli.output import write
from streamhmm.formats import atomic_write
from streamhmm.metrics import THRESHOLDS_MS, Evaluation, Figure, FilePairs, Row
from streamhmm.metrics.evaluation import MEASURES

if TYPE_CHECKING:
    from rich.table import Table

SCHEMA = 1
WITHIN = tuple(f"within_{limit}_ms" for limit in THRESHOLDS_MS)
TIMES = ("mean_ms", "median_ms", "bias_ms")
SHIFTS = ("aas_ms", "offset_ms", "aas_corrected_ms")
DETECTION = ("precision", "recall", "f1", "r_value")
SIGNED = ("bias_ms", "offset_ms")
COUNTS = ("segments", "missing", "extra", "boundaries", "missed")


def lines(evaluation: Evaluation) -> str:
    """A tab-separated line for each row, without intervals; empty where a figure is not known."""
    table = [["tier", "group", *COUNTS, *MEASURES]]
    for tier, group, row in _rows(evaluation):
        counts = ("" if getattr(row, name) is None else str(getattr(row, name)) for name in COUNTS)
        values = (row.figures[name].value if name in row.figures else math.nan for name in MEASURES)
        table.append([tier, group, *counts, *("" if math.isnan(value) else f"{value:.4g}" for value in values)])
    return "".join("\t".join(cells) + "\n" for cells in table)


def _rows(evaluation: Evaluation) -> Iterator[tuple[str, str, Row]]:
    for tier, row in evaluation.tiers.items():
        yield tier, "all", row
    for tier, speakers in evaluation.speakers.items():
        yield from ((tier, f"speaker {name or '.'}", row) for name, row in speakers.items())
    yield from (("phones", f"class {name}", row) for name, row in evaluation.classes.items())


def tables(evaluation: Evaluation) -> str:
    """Tables for people at a terminal."""
    from rich.console import Console

    console = Console()
    with console.capture() as captured:
        console.print(_distances("boundaries: % within so many ms, and ms", list(evaluation.tiers.items()), True))
        console.print(_shifts(evaluation))
        for tier, rows in evaluation.speakers.items():
            console.print(_distances(f"{tier} by speaker", [(name or ".", row) for name, row in rows.items()], False))
        if evaluation.classes:
            console.print(_distances("phones by class", list(evaluation.classes.items()), False))
        console.print(_note(evaluation), highlight=False)
    return captured.get()


def _note(evaluation: Evaluation) -> str:
    drawn = "stretches of 20 words" if evaluation.is_of_stretches else "recordings"
    many = "" if evaluation.recordings == 1 else "s"
    intervals = f"95 % intervals from {evaluation.units} {drawn}" if evaluation.units > 1 else "too few for intervals"
    return f"{evaluation.recordings} recording{many}; {intervals}; detected within {evaluation.tolerance_ms:g} ms\n"


def _distances(title: str, rows: Sequence[tuple[str, Row]], with_intervals: bool) -> Table:
    table = _table(title, ["", "n", "missed", *(f"≤ {limit}" for limit in THRESHOLDS_MS), "mean", "median", "bias"])
    for name, row in rows:
        counts = [str(row.boundaries), str(row.missed)]
        _add(table, name, counts, [(measure, row.figures[measure]) for measure in (*WITHIN, *TIMES)], with_intervals)
    return table


def _shifts(evaluation: Evaluation) -> Table:
    columns = ["", "missing", "extra", "AAS", "offset", "corrected", "prec.", "recall", "F1", "R-value"]
    table = _table("segments: average absolute shift (AAS) in ms; boundaries detected", columns)
    for name, row in evaluation.tiers.items():
        counts = [str(row.missing), str(row.extra)]
        _add(table, name, counts, [(measure, row.figures[measure]) for measure in (*SHIFTS, *DETECTION)], True)
    return table


def _table(title: str, columns: Sequence[str]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1), pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(
            column, justify="right" if index else "left", no_wrap=index > 0, overflow="fold", min_width=8 * (not index)
        )
    return table


def _add(
    table: Table, name: str, counts: Sequence[str], figures: Sequence[tuple[str, Figure]], with_intervals: bool
) -> None:
    from rich.text import Text

    table.add_row(Text(name), *counts, *(_shown(measure, figure.value) for measure, figure in figures))
    if with_intervals and not all(math.isnan(figure.low) for _, figure in figures):
        for word, bound in (("from", 1), ("to", 2)):
            table.add_row(f"  {word}", "", "", *(_shown(name, figure[bound]) for name, figure in figures), style="dim")


def _shown(measure: str, value: float) -> str:
    if math.isnan(value):
        return "–"
    if measure in DETECTION:
        return f"{value:.3f}"
    return f"{value:+.1f}" if measure in SIGNED else f"{value:.1f}"


def write_json(
    path: str, evaluation: Evaluation, files: FilePairs, failures: dict[str, str], options: argparse.Namespace
) -> None:
    """Everything as JSON to a file, or to standard output as "-"; figures that are not known are null."""
    lonely = {*files.only_reference, *files.only_hypothesis}
    content = {
        "streamhmm_compare": SCHEMA,
        "reference": options.reference,
        "hypothesis": options.hypothesis,
        "tolerance_ms": evaluation.tolerance_ms,
        "seed": options.seed,
        "recordings": evaluation.recordings,
        "intervals": {"level": 0.95, "units": evaluation.units, "of_stretches": evaluation.is_of_stretches},
        "only_reference": list(files.only_reference),
        "only_hypothesis": list(files.only_hypothesis),
        "failed": {name: reason for name, reason in failures.items() if name not in lonely},
        "tiers": {tier: _entry(row) for tier, row in evaluation.tiers.items()},
        "speakers": {
            tier: {name: _entry(row) for name, row in rows.items()} for tier, rows in evaluation.speakers.items()
        },
        "classes": {name: _entry(row) for name, row in evaluation.classes.items()},
        "class_pairs": [
            {"left": left, "right": right, **{name: _known(value) for name, value in summary._asdict().items()}}
            for (left, right), summary in evaluation.class_pairs.items()
        ],
    }
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    if path == "-":
        write(text)
    else:
        with atomic_write(path) as file:
            file.write(text)


def _entry(row: Row) -> dict[str, Any]:
    counts = {name: getattr(row, name) for name in COUNTS}
    figures = {name: {part: _known(value) for part, value in f._asdict().items()} for name, f in row.figures.items()}
    return {**counts, **figures}


def _known(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_known(one) for one in value]
    return None if isinstance(value, float) and math.isnan(value) else value
