"""``streamhmm rtf``: how fast each backend is here, on the user's own audio."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from streamhmm.cli.options import TRUST, whole_number
from streamhmm.cli.output import STDOUT, complain, is_terminal, write

if TYPE_CHECKING:
    from streamhmm.acoustic import RuntimeSettings
    from streamhmm.measure.report import Report
    from streamhmm.measure.scenarios import Scenario
    from streamhmm.measure.subjects import Subject

Item = TypeVar("Item")


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    rtf = commands.add_parser(
        "rtf",
        help="measure the real-time factor of each backend",
        description="Measure how fast the backends are here: single chunks, long audio, live streams, batches, and "
        "whole alignments where a text lies beside the recording (.lab, .txt). Backends take turns; each is held "
        "against torch in single precision, eager. The real-time factor is compute time ÷ length of the audio.",
    )
    rtf.add_argument("audio", metavar="AUDIO", nargs="+", help="recordings, or folders of them")
    rtf.add_argument("--model", default="en", help=f'acoustic model: "en" or a file; {TRUST} (default: en)')
    rtf.add_argument(
        "--backend",
        type=_names,
        default=(),
        metavar="NAMES",
        help="backends, with commas between, or files of saved settings (default: all that work here)",
    )
    rtf.add_argument(
        "--precision", type=_names, default=(), metavar="NAMES", help="precisions, likewise (default: all)"
    )
    rtf.add_argument("--device", default="auto", help="cpu, cuda, cuda:N or auto (default: auto)")
    rtf.add_argument("--threads", type=whole_number, metavar="N", help="of each backend (default: torch's choice)")
    rtf.add_argument(
        "--rounds", type=whole_number, default=50, metavar="N", help="of the short scenarios (default: 50)"
    )
    rtf.add_argument(
        "--seconds", type=whole_number, default=60, metavar="S", help="of audio to measure with (default: 60)"
    )
    rtf.add_argument("--json", metavar="FILE", help="write all figures; - is standard output")
    rtf.add_argument("--plot", metavar="FILE", help="draw them: .png, .svg or .pdf")
    rtf.add_argument(
        "--profile", metavar="DIR", help="write a trace of torch's profiler and the costliest operations, by backend"
    )
    rtf.set_defaults(run=run, parser=rtf)


def run(options: argparse.Namespace) -> int:
    """Measure; returns the exit code."""
    import torch

    from streamhmm.cli import rtf_report
    from streamhmm.measure import report as measuring
    from streamhmm.measure.inputs import find_audio
    from streamhmm.measure.subjects import wanted_settings

    _check_plot(options)
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    report = measuring.run(
        find_audio(options.audio),
        wanted_settings(options.backend, options.precision, options.device),
        model=options.model,
        rounds=options.rounds,
        seconds=options.seconds,
        progress=_with_progress,
        before=_profiler(options.profile),
    )
    if options.json != STDOUT:
        write((rtf_report.tables if is_terminal() else rtf_report.lines)(report))
    if options.json:
        rtf_report.write_json(options.json, report)
    if options.plot:
        from streamhmm.plots.rtf import plot_rtf

        plot_rtf(report.results, options.plot)
    return _complain(report, options)


def _check_plot(options: argparse.Namespace) -> None:
    """End the program with code 2 unless the plot has a format, before anything is measured."""
    if options.plot:
        from streamhmm.plots import figure_format

        try:
            figure_format(options.plot)
        except ValueError as error:
            options.parser.error(str(error))


def _profiler(folder: str | None) -> Callable[[Subject, Sequence[Scenario]], None]:
    def profile(subject: Subject, scenarios: Sequence[Scenario]) -> None:
        if folder is not None:
            from streamhmm.measure.profiling import profile_subject

            profile_subject(subject, scenarios, Path(folder))

    return profile


def _complain(report: Report, options: argparse.Namespace) -> int:
    """Says what failed; returns the exit code."""
    for file in report.inputs.failed:
        complain(file.reason)
    lacking = list(dict.fromkeys(_lacking(report, options)))
    for reason in lacking:
        complain(reason)
    for failure in report.failures:
        complain(f"{failure.subject}: {failure.scenario}: {failure.reason}")
    if not report.has_text:
        complain("no recording has a text beside it (.lab, .txt): measured as far as the network, no alignment")
    asked = {*options.backend, *(settings.backend for settings in _saved(options))}
    named = {subject.name for subject in report.subjects if subject.settings.backend in asked}
    return int(bool(report.inputs.failed or lacking or any(failure.subject in named for failure in report.failures)))


def _lacking(report: Report, options: argparse.Namespace) -> Iterator[str]:
    """Why a backend that was named does not run, or not in a precision that was named too, or a set-up that was."""
    running = {subject.name.split()[0] for subject in report.subjects}
    for backend in options.backend:
        own = [each for each in report.missing if each.name.split()[0] == backend]
        if options.precision:
            yield from (each.reason for each in own)
        elif own and backend not in running:
            yield own[0].reason
    saved = {f"{settings.backend} {settings.precision}" for settings in _saved(options)}
    yield from (each.reason for each in report.missing if each.name in saved)


def _saved(options: argparse.Namespace) -> list[RuntimeSettings]:
    """The set-ups among the backends that were named."""
    from streamhmm.acoustic import RuntimeSettings

    return [RuntimeSettings.load(name) for name in options.backend if name.endswith(".json")]


def _with_progress(items: Iterable[Item], total: int) -> Iterable[Item]:
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(items, "measuring", total, console=console, transient=True, disable=not console.is_terminal)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise argparse.ArgumentTypeError(f"must be names with commas between, got {text!r}")
    return names
