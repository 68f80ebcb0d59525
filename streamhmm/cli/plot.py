"""``streamhmm plot``: a recording with its alignment, as a picture or as a page that plays it."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING

from streamhmm.cli.options import interrupt_ends_at_once
from streamhmm.cli.output import complain

if TYPE_CHECKING:
    from streamhmm.formats import Tiers
    from streamhmm.plots import Posteriors

PAGE = ".html"
CONTEXT_S = 1.0
"""Of audio on both sides of what is drawn, which the acoustic model hears too."""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    plot = commands.add_parser(
        "plot",
        help="draw a recording with its alignment, or make a page that plays it",
        description="Draw a recording with its alignment: waveform, spectrogram, phones and words, coloured by score. "
        "With an .html file: a page with the recording in it, which highlights words as it plays. Without ALIGNMENT "
        "the text that --text gives is aligned first.",
    )
    plot.add_argument("audio", metavar="AUDIO", help="recording: WAV, FLAC, Ogg, MP3 …")
    plot.add_argument("alignment", metavar="ALIGNMENT", nargs="?", help="result file: .TextGrid, .json …")
    plot.add_argument("--text", help="what is spoken, instead of ALIGNMENT")
    plot.add_argument("-o", "--output", metavar="FIG", required=True, help="where to write: .png, .svg, .pdf or .html")
    plot.add_argument("--start", type=_seconds, metavar="S", help="draw from this second on (default: 0)")
    plot.add_argument("--end", type=_seconds, metavar="S", help="up to this one; an image holds 30 s, a PDF 600 s")
    plot.add_argument("--posteriors", action="store_true", help="draw how probable the model finds each phone, too")
    plot.add_argument("--model", default="en", help='for --text and --posteriors: "en" or a file (default: en)')
    plot.set_defaults(run=run, parser=plot)


def run(options: argparse.Namespace) -> int:
    """Plot; returns the exit code."""
    _check(options)
    tiers = _tiers(options)
    if _is_page(options):
        from streamhmm.plots import write_player

        write_player(options.audio, tiers, options.output)
        return 0
    return _draw(tiers, options)


def _check(options: argparse.Namespace) -> None:
    """End the program with code 2 unless the options fit together."""
    from streamhmm.plots import FIGURE_FORMATS, figure_format

    if (options.alignment is None) == (options.text is None):
        options.parser.error("give an ALIGNMENT file or --text, one of them")
    if _is_page(options):
        for name in ("start", "end", "posteriors"):
            if getattr(options, name):
                options.parser.error(f"--{name} is for pictures; a page holds the whole recording")
        return
    try:
        figure_format(options.output)
    except ValueError:
        names = ", ".join(f".{name}" for name in FIGURE_FORMATS)
        options.parser.error(f"the suffix of {options.output!r} must be one of {names}, {PAGE}")


def _is_page(options: argparse.Namespace) -> bool:
    return bool(options.output.lower().endswith(PAGE))


def _tiers(options: argparse.Namespace) -> Tiers:
    if options.alignment is None:
        from streamhmm.align.aligner import Aligner

        aligner = Aligner(options.model)
        with interrupt_ends_at_once():
            return aligner.align(options.audio, options.text)
    from streamhmm.formats import load

    try:
        tiers = load(options.alignment)
    except ValueError as error:
        options.parser.error(str(error))
    return tiers


def _draw(tiers: Tiers, options: argparse.Namespace) -> int:
    from streamhmm.plots import plot_alignment, shown_span

    try:
        span = shown_span(tiers.duration, options.output, options.start, options.end)
    except ValueError as error:
        options.parser.error(str(error))
    posteriors = _posteriors(options, *span) if options.posteriors else None
    plot_alignment(options.audio, tiers, options.output, start=span.start_s, end=span.end_s, posteriors=posteriors)
    if options.end is None and span.end_s < tiers.duration:
        complain(
            f"{options.output}: shows {span.start_s:g} to {span.end_s:g} s of {tiers.duration:g} s; choose with "
            "--start and --end, or make an .html page, which has it all"
        )
    return 0


def _posteriors(options: argparse.Namespace, start_s: float, end_s: float) -> Posteriors:
    from streamhmm.acoustic import AcousticModel
    from streamhmm.acoustic.ctc_model import CtcModel
    from streamhmm.acoustic.hub import is_hugging_face
    from streamhmm.audio.excerpt import load_excerpt
    from streamhmm.plots import phone_posteriors

    model = (CtcModel if is_hugging_face(options.model) else AcousticModel).load(options.model)
    first_s = max(0.0, start_s - CONTEXT_S)
    excerpt = load_excerpt(options.audio, first_s, end_s + CONTEXT_S, sample_rate=model.sample_rate)
    return phone_posteriors(excerpt.samples, model, first_s)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number of seconds from 0 on, got {text!r}")
    return value
