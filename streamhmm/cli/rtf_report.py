"""What ``streamhmm rtf`` tells: tables for people, lines for a pipe, JSON with everything."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from streamhmm.cli.output import write
from streamhmm.formats import atomic_write
from streamhmm.measure.report import Report
from streamhmm.measure.rtf import Measured
from streamhmm.measure.scenarios import LIVE
from streamhmm.measure.stages import STAGES
from streamhmm.measure.tutor import tutor_rows

if TYPE_CHECKING:
    from rich.table import Table

USAGE = ("host_peak_bytes", "host_growth_bytes", "device_peak_bytes", "gpu_utilisation")
FIGURES = ("audio_s", "calls", "rounds", "chunk_s", "first_s", "processor_s")
CALL = ("mean_s", "sd_s", "min_s", "max_s", "p50_s", "p95_s", "p99_s")
NARROWEST = 104
_SHORT = {"audio decoding": "audio", "text and graph": "text"}
NOTE = (
    "Speed-up: torch fp32's time ÷ this one's, medians of rounds in turn. RTF: compute time ÷ length of the audio; its "
    "inverse is hours of audio an hour. Cores busy: processor time ÷ compute time. Memory: of the whole process."
)


def lines(report: Report) -> str:
    """A tab-separated line for each backend in each scenario; empty where a figure is not known."""
    header = ["scenario", "backend", *FIGURES, *CALL, "speed_up", "rtf", "real_time"]
    rows = [[*header, *(f"rtf {stage}" for stage in STAGES), "processor_utilisation", *USAGE]]
    for each in report.results:
        values = [getattr(each, name) for name in FIGURES] + [getattr(each.call, name) for name in CALL]
        values += [each.speed_up, each.rtf, 1 / each.rtf]
        values += [each.stages.get(stage, math.nan) for stage in STAGES]
        values += [each.processor_utilisation, *(getattr(each.usage, name) for name in USAGE)]
        rows.append([each.scenario, each.subject, *("" if math.isnan(value) else f"{value:.6g}" for value in values)])
    return "".join("\t".join(cells) + "\n" for cells in rows)


def write_json(path: str, report: Report) -> None:
    """Everything as JSON to a file, or to standard output as "-"; figures that are not known are null."""
    text = json.dumps(report.as_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    if path == "-":
        write(text)
    else:
        with atomic_write(path) as file:
            file.write(text)


def tables(report: Report) -> str:
    """Tables for people at a terminal."""
    from rich.console import Console

    console = Console()
    console.width = max(console.width, NARROWEST)
    with console.capture() as captured:
        console.print(_runtimes(report))
        for line in report.lacking():
            console.print(line, highlight=False, markup=False)
        console.print(_times(report.results))
        console.print(_factors(report.results))
        console.print(_usage(report.results))
        console.print(_tutor(report.results))
        console.print(NOTE, highlight=False)
    return captured.get()


def _runtimes(report: Report) -> Table:
    table = _table(
        f"backends, {report.threads} thread{'' if report.threads == 1 else 's'}",
        ["", "device", "first s", "load s", "warm-up s", "load MB"],
    )
    for subject in report.subjects:
        seconds = (subject.prepare_s, subject.load_s, report.warm_up_s(subject.name))
        cells = [str(subject.device), *(_digits(each) for each in seconds), _mb(subject.load_bytes)]
        table.add_row(subject.name, *cells)
    return table


def _times(results: Sequence[Measured]) -> Table:
    columns = ["ms of a call", "calls", "mean", "sd", "min", "p50", "p95", "p99", "max", "speed-up"]
    table = _table("times", columns)
    for scenario, group in _by_scenario(results):
        table.add_row(scenario, style="bold")
        for each in group:
            call = each.call
            seconds = (call.mean_s, call.sd_s, call.min_s, call.p50_s, call.p95_s, call.p99_s, call.max_s)
            cells = [str(each.calls * each.rounds), *(_digits(1e3 * value) for value in seconds)]
            table.add_row(_indented(each), *cells, _ratio(each.speed_up))
    return table


def _factors(results: Sequence[Measured]) -> Table:
    stages = [stage for stage in STAGES if any(each.stages.get(stage, 0.0) > 0 for each in results)]
    columns = ["", "RTF", "1/RTF", *(_SHORT.get(stage, stage) for stage in stages)]
    table = _table("real-time factors; by stage in thousandths", columns)
    for scenario, group in _by_scenario(results):
        table.add_row(scenario, style="bold")
        for each in group:
            cells = [_digits(1e3 * each.stages[stage]) if stage in each.stages else "" for stage in stages]
            table.add_row(_indented(each), _digits(each.rtf), f"{1 / each.rtf:,.0f}", *cells)
    return table


def _usage(results: Sequence[Measured]) -> Table:
    usage = [name for name in USAGE if not all(math.isnan(getattr(each.usage, name)) for each in results)]
    titles = dict(zip(USAGE, ("MB at most", "MB more after", "GPU MB at most", "GPU busy"), strict=True))
    table = _table("processor and memory", ["", "cores busy", *(titles[name] for name in usage)])
    for scenario, group in _by_scenario(results):
        table.add_row(scenario, style="bold")
        for each in group:
            cells = [_used(name, getattr(each.usage, name)) for name in usage]
            table.add_row(_indented(each), f"{each.processor_utilisation:.2f}", *cells)
    return table


def _tutor(results: Sequence[Measured]) -> Table:
    table = _table("a pronunciation tutor: ten chunks of a second", ["", "backend", "how", "RTF", "speed-up", ""])
    for row in tutor_rows(results):
        how = row.scenario.split(", ")[-1]
        table.add_row(row.name, row.subject, how, _digits(row.rtf), _ratio(row.speed_up), row.note)
    return table


def _by_scenario(results: Sequence[Measured]) -> Iterator[tuple[str, Iterable[Measured]]]:
    return groupby(results, key=lambda each: each.scenario)


def _indented(each: Measured) -> str:
    chunk = f" {1e3 * each.chunk_s:.0f} ms" if each.scenario == LIVE else ""
    return f"  {each.subject}{chunk}"


def _table(title: str, columns: Sequence[str]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1), pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left", no_wrap=True)
    return table


def _digits(value: float) -> str:
    """Three digits that count."""
    if math.isnan(value):
        return "–"
    digits = 2 if value == 0 else max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(digits, 6)}f}"


def _ratio(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2f} ×"


def _mb(value: float) -> str:
    return "–" if math.isnan(value) else f"{value / 1e6:.0f}"


def _used(name: str, value: float) -> str:
    if name == "gpu_utilisation":
        return "–" if math.isnan(value) else f"{value:.0%}"
    return _mb(value)
