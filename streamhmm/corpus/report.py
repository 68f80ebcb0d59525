"""``report.csv`` and ``report.html``: a line an input, what is most suspicious first."""

from __future__ import annotations

import csv
import html
import math
import os
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from typing import Any, NamedTuple

from streamhmm.corpus.measures import Measures
from streamhmm.corpus.suspicion import LongestPhone, longest_phones, suspicion
from streamhmm.corpus.utterance import Problem
from streamhmm.formats import atomic_write
from streamhmm.page import page

REPORTS = ("report.csv", "report.html")
HISTOGRAMS = ("suspicion", "mean_score", "log_likelihood", "duration_s", "snr_db")
"""Columns whose distribution the page shows."""


class Line(NamedTuple):
    """One line of the report: the columns of the CSV in their order.

    ``suspicion`` is in powers of ten (suspicion.py); times are seconds; ``log_likelihood`` and ``contrast`` nats a
    frame; scores probabilities; ``longest_phone_sd`` standard deviations of the log duration beside other phones of its
    label; ``shortest_run`` the most phones in a row that are as short as can be; ``adaptation`` what was adapted to the
    speaker: features, offsets, both or nothing. Of a failed input only the first columns are there; ``warnings`` is the
    reason.
    """

    file: str
    status: str
    suspicion: float | None = None
    warnings: str = ""
    text: str = ""
    speaker: str = ""
    duration_s: float | None = None
    words: int | None = None
    log_likelihood: float | None = None
    contrast: float | None = None
    text_score: float | None = None
    mean_score: float | None = None
    lowest_score: float | None = None
    lowest_word: str = ""
    longest_word_s: float | None = None
    longest_word: str = ""
    shortest_word_s: float | None = None
    shortest_word: str = ""
    longest_phone_sd: float | None = None
    longest_phone: str = ""
    shortest_run: int | None = None
    level_db: float | None = None
    snr_db: float | None = None
    clipped: float | None = None
    adaptation: str = ""
    compute_s: float | None = None


def report_lines(rows: Mapping[str, Measures], problems: Iterable[Problem]) -> list[Line]:
    """Failed inputs first, then the aligned ones by suspicion."""
    longest = longest_phones(rows)
    lines = [_line(name, row, longest[name]) for name, row in rows.items()]
    lines.sort(key=lambda line: (-(line.suspicion or 0.0), line.file))
    return [*(Line(problem.name, "failed", warnings=problem.reason) for problem in problems), *lines]


def write_report(
    results: str, rows: Mapping[str, Measures], problems: Sequence[Problem], audio: Mapping[str, str]
) -> None:
    """Write both files into ``results``; ``audio`` has the path of each name's recording. Raises OutputError."""
    table, page_file = (os.path.join(results, name) for name in REPORTS)
    lines = report_lines(rows, problems)
    with atomic_write(table) as file:
        file.write("\ufeff")  # Excel takes UTF-8 for something else without it
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Line._fields)
        writer.writerows(lines)
    starts = {name: row.start_s for name, row in rows.items()}
    links = [_link(audio.get(line.file), results, starts.get(line.file, 0.0)) for line in lines]
    with atomic_write(page_file) as file:
        file.write(report_page(lines, links))


def report_page(lines: Sequence[Line], links: Sequence[str | None]) -> str:
    """The page; ``links`` lead to the recordings."""
    aligned = [line for line in lines if line.status == "aligned"]
    hours = sum(line.duration_s or 0.0 for line in aligned) / 3600
    words = sum(line.words or 0 for line in aligned)
    failed = len(lines) - len(aligned)
    summary = f"{len(aligned):,} utterances, {words:,} words, {hours:.2f} hours aligned; {failed:,} inputs failed."
    data = {
        "columns": Line._fields,
        "rows": [list(map(_shown, line)) for line in lines],
        "links": links,
        "histograms": HISTOGRAMS,
    }
    files = resources.files("streamhmm.corpus") / "page"
    body, style, script = ((files / f"report.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js"))
    return page(
        "Alignment report", body.replace("{summary}", html.escape(summary)), style=style, script=script, data=data
    )


def _line(name: str, row: Measures, longest: LongestPhone) -> Line:
    return Line(
        file=name,
        status="aligned",
        suspicion=_rounded(suspicion(row)),
        warnings="; ".join(row.warnings),
        text=row.text,
        speaker=row.speaker,
        duration_s=_rounded(row.duration_s),
        words=row.words,
        log_likelihood=_rounded(row.log_likelihood),
        contrast=_rounded(row.contrast),
        text_score=_rounded(row.text_score),
        mean_score=_rounded(row.mean_score),
        lowest_score=_rounded(row.lowest_score),
        lowest_word=row.lowest_word,
        longest_word_s=_rounded(row.longest_s),
        longest_word=row.longest_word,
        shortest_word_s=_rounded(row.shortest_s),
        shortest_word=row.shortest_word,
        longest_phone_sd=_rounded(longest.deviation),
        longest_phone=longest.label,
        shortest_run=row.shortest_run,
        level_db=_rounded(row.level_db),
        snr_db=_rounded(row.snr_db),
        clipped=_rounded(row.clipped),
        adaptation=row.adaptation,
        compute_s=_rounded(row.compute_s),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 4)


def _shown(value: Any) -> Any:
    """As JSON holds it: of a file name that is not UTF-8 the bytes are written out."""
    return value.encode("utf-8", "backslashreplace").decode("utf-8") if isinstance(value, str) else value


def _link(path: str | None, results: str, start_s: float) -> str | None:
    """To a recording, from where its text begins."""
    if path is None:
        return None
    return urllib.parse.quote(os.fsencode(os.path.relpath(path, results))) + (f"#t={start_s:.2f}" if start_s else "")
