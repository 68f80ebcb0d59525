"""``streamhmm metrics``: how near synthesised speech comes to recordings of the same text."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from streamhmm.cli.compare import add_tier_names, compare_files, with_progress, without_partner
from streamhmm.cli.options import add_seed, interruptible, positive_number, whole_number
from streamhmm.cli.output import STDOUT, complain, is_terminal, write
from streamhmm.errors import AudioError, OutputError

if TYPE_CHECKING:
    from streamhmm.metrics import (
        FilePair,
        FilePairs,
        RecordingComparison,
        SpeechComparison,
        SpeechEvaluation,
        SpeechSettings,
    )

_CLEAN_BAND = 7 / 8  # of what a recording can hold; resampling filters fall off above


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    metrics = commands.add_parser(
        "metrics",
        help="measure synthesised speech against recordings",
        description="Measure recordings against others of the same text: mel-cepstral distortion, pitch, voicing, and "
        "durations where alignments are given. Files of two folders belong together if their names below these agree "
        "but for the suffix.",
    )
    metrics.add_argument("reference", metavar="REFERENCE", help="recording, or folder of recordings")
    metrics.add_argument("hypothesis", metavar="HYPOTHESIS", help="recording, or folder of recordings, to measure")
    metrics.add_argument(
        "--alignments",
        nargs=2,
        metavar=("REF", "HYP"),
        help="alignments of both sides, two files or two folders: durations of words and phones are compared",
    )
    add_tier_names(metrics)
    _add_comparison(metrics)
    _add_analysis(metrics)
    metrics.add_argument("--json", metavar="FILE", help="write all figures with their intervals; - is standard output")
    metrics.add_argument("--csv", metavar="FILE", help="write the figures of each recording; - is standard output")
    add_seed(metrics)
    metrics.set_defaults(run=run, parser=metrics, tolerance_ms=20.0)


def _add_comparison(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--unwarped", action="store_true", help="frame by frame, without dynamic time warping")
    parser.add_argument("--cut", action="store_true", help="with --unwarped: leave out what one side is longer by")
    parser.add_argument(
        "--step",
        choices=("symmetric1", "symmetric2"),
        default="symmetric1",
        help="of the warping: diagonal steps count once or twice (default: symmetric1)",
    )
    parser.add_argument("--radius", type=whole_number, metavar="FRAMES", help="of a band to warp in (default: none)")
    parser.add_argument("--with-c0", action="store_true", help="count the loudness in the mel-cepstral distortion")


def _add_analysis(parser: argparse.ArgumentParser) -> None:
    """The fields of ``SpeechSettings``; what is not said keeps its default."""
    kept = argparse.SUPPRESS
    parser.add_argument(
        "--sample-rate", type=whole_number, metavar="HZ", default=kept, help="to analyse at (default: 16000)"
    )
    parser.add_argument(
        "--frame-shift-ms", type=positive_number, metavar="MS", default=kept, help="from frame to frame (default: 5)"
    )
    parser.add_argument("--order", type=whole_number, default=kept, help="of the mel-cepstra (default: 24)")
    parser.add_argument(
        "--alpha",
        type=float,
        default=kept,
        help="frequency warping of the mel-cepstra (default: as the mel scale)",
    )
    parser.add_argument(
        "--pitch-method", choices=("dio", "harvest"), default=kept, help="what finds the pitch (default: dio)"
    )
    for edge, usual in (("floor", 71), ("ceiling", 800)):
        parser.add_argument(
            f"--pitch-{edge}-hz",
            type=positive_number,
            metavar="HZ",
            default=kept,
            help=f"{edge} of the pitch (default: {usual})",
        )


def run(options: argparse.Namespace) -> int:
    """Measure; returns the exit code. What only the hypothesis has is named, but is no failure of it."""
    from streamhmm.cli import metrics_report
    from streamhmm.metrics import evaluate_speech, find_audio_pairs

    settings = _settings(options)
    _check(options)
    aligned = _alignment_pairs(options)
    try:
        files = find_audio_pairs(options.reference, options.hypothesis)
    except ValueError as error:
        options.parser.error(str(error))
    failures = without_partner(files, options.reference, options.hypothesis)
    compared = list(_compare(files.pairs, options, settings, failures))
    if not compared:
        raise OutputError(f"{options.reference}, {options.hypothesis}: nothing could be compared; check the two paths")
    _mention_rates(compared)
    unaligned: dict[str, str] = {}
    alignments = list(_compare_alignments(aligned, options, unaligned))
    evaluation = evaluate_speech(compared, alignments, seed=options.seed)
    if STDOUT not in (options.json, options.csv):
        write((metrics_report.tables if is_terminal() else metrics_report.lines)(evaluation))
    is_written = _write_files(evaluation, failures, unaligned, options)
    lacking = (files.only_hypothesis, aligned.only_hypothesis if aligned else ())
    pairs = zip((failures, unaligned), lacking, strict=True)
    return int(not is_written or any(name not in allowed for found, allowed in pairs for name in found))


def _write_files(
    evaluation: SpeechEvaluation, failures: dict[str, str], unaligned: dict[str, str], options: argparse.Namespace
) -> bool:
    """Write to every output that can be written; returns whether all could."""
    from streamhmm.cli.metrics_report import format_csv, format_json, put

    texts: list[tuple[str, str]] = []
    if options.json:
        texts.append((options.json, format_json(evaluation, failures, unaligned, options)))
    if options.csv:
        texts.append((options.csv, format_csv(evaluation)))
    failed = [path for path, text in texts if not put(path, text)]
    return not failed


def _settings(options: argparse.Namespace) -> SpeechSettings:
    from dataclasses import fields

    from streamhmm.metrics import SpeechSettings

    parser: argparse.ArgumentParser = options.parser
    given = {field.name: getattr(options, field.name) for field in fields(SpeechSettings) if field.name in options}
    try:
        return SpeechSettings(**given)
    except ValueError as error:
        parser.error(str(error))


def _check(options: argparse.Namespace) -> None:
    """End the program with code 2 for options that don't go together."""
    if options.cut and not options.unwarped:
        options.parser.error("--cut goes with --unwarped")
    if options.radius is not None and options.unwarped:
        options.parser.error("--radius does not go with --unwarped")
    if options.json == options.csv == STDOUT:
        options.parser.error("--json and --csv can't both be standard output")


def _compare(
    pairs: Sequence[FilePair], options: argparse.Namespace, settings: SpeechSettings, failures: dict[str, str]
) -> Iterator[SpeechComparison]:
    """Each recording that both sides have; why others could not be compared goes to ``failures``."""
    from streamhmm.metrics import compare_speech, speech_features

    for pair in with_progress(pairs):
        try:
            ours, theirs = (speech_features(path, settings) for path in (pair.reference, pair.hypothesis))
            compare = partial(
                compare_speech,
                ours,
                theirs,
                name=pair.name,
                warp=not options.unwarped,
                step=options.step,
                radius=options.radius,
                with_c0=options.with_c0,
                cut=options.cut,
            )
            yield interruptible(compare)
        except (AudioError, ValueError) as error:
            failures[pair.name] = str(error) if isinstance(error, AudioError) else f"{pair.name}: {error}"
            complain(failures[pair.name])


def _mention_rates(compared: Sequence[SpeechComparison]) -> None:
    """Say so if the band reaches up to where resampling has left nothing on one side; of the worst recording."""
    mixed = [recording for recording in compared if len(set(recording.source_rates)) > 1]
    if not mixed:
        return
    worst = min(mixed, key=lambda recording: min(recording.source_rates))
    lowest, highest = sorted(worst.source_rates)
    if worst.settings.sample_rate > lowest * _CLEAN_BAND:
        complain(
            f"{worst.name}: rates of {lowest} and {highest} Hz: the edge of the band counts as distortion; "
            f"use --sample-rate {int(lowest * _CLEAN_BAND)}, or make both recordings at one rate"
        )


def _alignment_pairs(options: argparse.Namespace) -> FilePairs | None:
    from streamhmm.metrics import find_pairs

    parser: argparse.ArgumentParser = options.parser
    try:
        return find_pairs(*options.alignments) if options.alignments else None
    except ValueError as error:
        parser.error(f"--alignments: {error}")


def _compare_alignments(
    files: FilePairs | None, options: argparse.Namespace, failures: dict[str, str]
) -> Iterator[RecordingComparison]:
    if files is not None:
        failures.update(without_partner(files, *options.alignments))
        yield from compare_files(files.pairs, options, failures)
