"""What ``streamhmm metrics`` tells: tables for people, lines for a pipe, JSON with everything, CSV by recording."""

from __future__ import annotations

import argparse
import csv
import io
import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from streamhmm.cli.output import STDOUT, complain, write
from streamhmm.errors import OutputError
from streamhmm.formats import atomic_write
from streamhmm.metrics import DurationRow, Figure, SpeechComparison, SpeechEvaluation
from streamhmm.metrics.speech_evaluation import SPEECH_MEASURES, measures_of

SCHEMA = 1
_NAMES = {
    "mcd_db": "mel-cepstral distortion, dB",
    "f0_rmse_hz": "F0 RMSE, Hz",
    "f0_rmse_cents": "F0 RMSE, cents",
    "f0_bias_cents": "F0 bias, cents",
    "f0_log_correlation": "log F0 correlation",
    "f0_voicing_error_percent": "V/UV error, %",
    "f0_gross_error_percent": "gross pitch error, %",
    "f0_frame_error_percent": "F0 frame error, %",
    "duration_rmse_ms": "duration RMSE, ms",
    "duration_mean_ms": "mean duration error, ms",
    "duration_bias_ms": "duration bias, ms",
    "duration_correlation": "duration correlation",
}
_COUNTS = ("pairs", "reference_frames", "hypothesis_frames")


def _rows(evaluation: SpeechEvaluation) -> Iterator[tuple[str, str, Figure, int]]:
    """Of which units ("recordings", "words", "phones"), the measure, its figure, and of how many units it is."""
    for name, figure in evaluation.figures.items():
        yield "recordings", name, figure, evaluation.known[name]
    for tier, row in evaluation.durations.items():
        yield from ((tier, name, figure, row.segments - row.missed) for name, figure in row.figures.items())


def lines(evaluation: SpeechEvaluation) -> str:
    """A tab-separated line for each figure; empty where it is not known."""
    table = ["of\tmeasure\tvalue\tfrom\tto\tn\n"]
    for unit, name, figure, count in _rows(evaluation):
        cells = ("" if math.isnan(value) else f"{value:.6g}" for value in figure)
        table.append("\t".join([unit, name, *cells, str(count)]) + "\n")
    return "".join(table)


def tables(evaluation: SpeechEvaluation) -> str:
    """A table for people at a terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1), pad_edge=False)
    for column in ("", "value", "from", "to", "n"):
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    for unit, name, figure, count in _rows(evaluation):
        label = _NAMES.get(name, name.removeprefix("duration_").replace("_percent", " %").replace("_", " "))
        prefix = "" if unit == "recordings" else f"{unit}: "
        table.add_row(prefix + label, *map(_shown, figure), str(count))
    console = Console()
    with console.capture() as captured:
        console.print(table)
        console.print(_note(evaluation), highlight=False)
    return captured.get()


def _shown(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def _note(evaluation: SpeechEvaluation) -> str:
    count, silent = len(evaluation.recordings), len(evaluation.unvoiced)
    notes = [f"{count} recording{'s' * (count != 1)}", "95 % intervals" if count > 1 else "too few for intervals"]
    if silent:
        notes.append(f"{silent} without a frame voiced on both sides")
    return "; ".join(notes) + "\n"


def format_csv(evaluation: SpeechEvaluation) -> str:
    """The figures of each recording; empty where they are not known."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["name", *SPEECH_MEASURES, "voiced", *_COUNTS])
    for recording in evaluation.recordings:
        entry = _entry(recording)
        writer.writerow(["" if value is None else value for value in entry.values()])
    return text.getvalue()


def _entry(recording: SpeechComparison) -> dict[str, Any]:
    counts = {name: getattr(recording.distortion, name) for name in _COUNTS}
    figures = {name: _known(value) for name, value in measures_of(recording).items()}
    return {"name": recording.name, **figures, "voiced": recording.pitch.voiced, **counts}


def format_json(
    evaluation: SpeechEvaluation, failures: dict[str, str], unaligned: dict[str, str], options: argparse.Namespace
) -> str:
    """Everything as JSON; figures that are not known are null.

    ``failures`` and ``unaligned`` say why a recording, or an alignment, of that name was not compared.
    """
    content = {
        "streamhmm_metrics": SCHEMA,
        "reference": options.reference,
        "hypothesis": options.hypothesis,
        "alignments": options.alignments,
        **_settings(evaluation.recordings[0]),
        "seed": options.seed,
        "intervals": {"level": 0.95, "units": len(evaluation.recordings)},
        "not_compared": failures,
        "alignments_not_compared": unaligned,
        "unvoiced": list(evaluation.unvoiced),
        "figures": {
            name: {**_figure(f), "recordings": evaluation.known[name]} for name, f in evaluation.figures.items()
        },
        "durations": {tier: _durations(row) for tier, row in evaluation.durations.items()},
        "recordings": [_entry(recording) for recording in evaluation.recordings],
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _settings(recording: SpeechComparison) -> dict[str, Any]:
    names = ("is_warped", "step", "radius", "with_c0", "coefficients")
    comparison = {name: getattr(recording.distortion, name) for name in names}
    return {"analysis": asdict(recording.settings), "comparison": comparison}


def _durations(row: DurationRow) -> dict[str, Any]:
    figures = {name: _figure(figure) for name, figure in row.figures.items()}
    return {"segments": row.segments, "missed": row.missed, **figures}


def _figure(figure: Figure) -> dict[str, float | None]:
    return {part: _known(value) for part, value in figure._asdict().items()}


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def put(path: str, text: str) -> bool:
    """Write to a file, or to standard output as "-"; returns whether that went well, and says so if not."""
    try:
        if path == STDOUT:
            write(text)
        else:
            with atomic_write(path) as file:
                file.write(text)
    except OutputError as error:
        complain(str(error))
        return False
    return True
