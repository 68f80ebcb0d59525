"""``streamhmm compare``: how good alignments are, held against a reference."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from streamhmm.cli.options import add_seed
from streamhmm.cli.output import STDOUT, complain, is_terminal, write
from streamhmm.errors import OutputError, StreamHMMError

if TYPE_CHECKING:
    from pathlib import Path

    from streamhmm.formats import Tiers
    from streamhmm.metrics import FilePair, FilePairs, RecordingComparison

Item = TypeVar("Item")


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    compare = commands.add_parser(
        "compare",
        help="measure alignments against a reference",
        description="Measure the boundaries of alignments against those of a reference. Files of two folders belong "
        "together if their names below these agree but for the suffix; a folder within them is a speaker. Files that "
        "hold many recordings, such as CTM, are compared by the names in them.",
    )
    compare.add_argument("reference", metavar="REFERENCE", help="file or folder of alignments taken to be true")
    compare.add_argument("hypothesis", metavar="HYPOTHESIS", help="file or folder of alignments to measure")
    compare.add_argument("--json", metavar="FILE", help="write all figures with their intervals; - is standard output")
    compare.add_argument("--plot", metavar="FILE", help="draw the errors: .png, .svg or .pdf")
    compare.add_argument(
        "--tolerance-ms",
        type=_tolerance,
        default=20.0,
        metavar="MS",
        help="how near a boundary must be to count as detected (default: 20)",
    )
    compare.add_argument("--tiers", nargs="+", choices=("words", "phones"), default=("words", "phones"), help="which")
    add_tier_names(compare)
    add_seed(compare)
    compare.set_defaults(run=run, parser=compare)


def add_tier_names(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what the tiers of TextGrids are called."""
    for tier in ("words", "phones"):
        parser.add_argument(
            f"--{tier}-tier", metavar="NAME", help=f"tier of the {tier} in TextGrids that have one of this name"
        )


def run(options: argparse.Namespace) -> int:
    """Compare; returns the exit code. What only the hypothesis has is named, but is no failure of it."""
    from streamhmm.cli import compare_report
    from streamhmm.metrics import evaluate, find_pairs

    _check_plot(options)
    try:
        files = find_pairs(options.reference, options.hypothesis)
    except ValueError as error:
        options.parser.error(str(error))
    failures = without_partner(files, options.reference, options.hypothesis)
    compared = list(compare_files(files.pairs, options, failures))
    if not compared:
        raise OutputError(f"{options.reference}, {options.hypothesis}: nothing could be compared; check the two paths")
    evaluation = evaluate(compared, tolerance_ms=options.tolerance_ms, tiers=options.tiers, seed=options.seed)
    if not evaluation.tiers:
        raise OutputError(f"{options.reference}: there are no {' and no '.join(options.tiers)} in it; check --tiers")
    if options.json != STDOUT:
        report = compare_report.tables if is_terminal() else compare_report.lines
        write(report(evaluation))
    if options.json:
        compare_report.write_json(options.json, evaluation, files, failures, options)
    if options.plot:
        from streamhmm.plots import plot_comparison

        plot_comparison(evaluation, options.plot)
    return int(any(name not in files.only_hypothesis for name in failures))


def _check_plot(options: argparse.Namespace) -> None:
    """End the program with code 2 unless the plot has a format, before anything is computed."""
    if options.plot:
        from streamhmm.plots import figure_format

        try:
            figure_format(options.plot)
        except ValueError as error:
            options.parser.error(str(error))


def without_partner(files: FilePairs, reference: str, hypothesis: str) -> dict[str, str]:
    """Why recordings were not compared, by name; each is complained of."""
    sides = (files.only_reference, hypothesis), (files.only_hypothesis, reference)
    found = {name: f"there is none in {other}" for names, other in sides for name in names}
    for name, reason in found.items():
        complain(f"{name}: {reason}")
    return found


def compare_files(
    pairs: Sequence[FilePair], options: argparse.Namespace, failures: dict[str, str]
) -> Iterator[RecordingComparison]:
    """Each recording that both sides have; why others could not be compared goes to ``failures``.

    Of the options the names of the tiers and ``tolerance_ms`` are read.
    """
    from streamhmm.metrics import compare_tiers

    for pair in with_progress(pairs):
        try:
            reference, hypothesis = _load(pair.reference, options), _load(pair.hypothesis, options)
        except ValueError as error:
            options.parser.error(str(error))
        except StreamHMMError as error:
            failures[pair.name] = str(error)
            complain(str(error))
            continue
        for name, one, other in _recordings(pair, reference, hypothesis, failures):
            yield compare_tiers(one, other, name=name, tolerance_ms=options.tolerance_ms)


def _load(path: Path, options: argparse.Namespace) -> dict[str, Tiers]:
    from streamhmm.formats import Tiers, load_all, stem_of
    from streamhmm.formats.textgrid import read_textgrid

    if path.suffix.lower() != ".textgrid":
        return load_all(path)
    found = read_textgrid(path, words=options.words_tier, phones=options.phones_tier)
    return {stem_of(path): found} if isinstance(found, Tiers) else found


def _recordings(
    pair: FilePair, reference: dict[str, Tiers], hypothesis: dict[str, Tiers], failures: dict[str, str]
) -> Iterator[tuple[str, Tiers, Tiers]]:
    """The recordings of two files by name; where each file holds one these are a pair whatever they are called."""
    if len(reference) == len(hypothesis) == 1:
        (one,), (other,) = reference.values(), hypothesis.values()
        yield pair.name, one, other
        return
    for name in sorted({*reference, *hypothesis}):
        if name in reference and name in hypothesis:
            yield f"{pair.name}/{name}", reference[name], hypothesis[name]
            continue
        reason = f"there is none in {pair.hypothesis if name in reference else pair.reference}"
        failures[f"{pair.name}/{name}"] = reason
        complain(f"{pair.name}/{name}: {reason}")


def with_progress(items: Sequence[Item]) -> Iterable[Item]:
    """The items, with a bar on a terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(items, "comparing", console=console, transient=True, disable=not console.is_terminal)


def _tolerance(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number of milliseconds from 0 on, got {text!r}")
    return value
