"""The command line: ``streamhmm align``, ``streamhmm train``.

Exit codes: 0 done, 1 some input failed (named on standard error), 2 wrong usage.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from streamhmm import __version__
from streamhmm.errors import StreamHMMError

if TYPE_CHECKING:
    from streamhmm.align.results import Alignment

STDIO = "-"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        return int(options.run(parser, options))
    except StreamHMMError as error:
        print(f"streamhmm: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        sys.stderr.close()  # whoever read the output went away: nothing left to say
        return 1
    except KeyboardInterrupt:
        print("streamhmm: interrupted", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="streamhmm", description="Word and phone times of a known text in speech.")
    parser.add_argument("--version", action="version", version=f"streamhmm {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_align(commands)
    _add_train(commands)
    return parser


def _add_align(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    align = commands.add_parser(
        "align",
        help="align a recording with its text",
        description="Align a recording with its text. Without -o a table of the words goes to standard output.",
    )
    align.add_argument("audio", metavar="AUDIO", help="recording: WAV, FLAC, Ogg, MP3 …; - for standard input")
    align.add_argument("text_file", metavar="TEXT", nargs="?", help="file with the text; - for standard input")
    align.add_argument("--text", help="the text itself, instead of a file")
    align.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        action="append",
        default=[],
        help="where to write, the suffix names the format: .TextGrid, .json; - is JSON on standard output; repeatable",
    )
    align.add_argument("--lexicon", metavar="FILE", action="append", default=[], help="pronunciations: WORD PH PH PH")
    align.add_argument(
        "--channel", type=_channel, metavar="N", help="use this channel, from 1; otherwise all are mixed"
    )
    align.add_argument("--model", default="en", help='acoustic model: "en" or a file (default: en)')
    align.add_argument("--backend", default="auto", help="runtime of the network (default: auto)")
    align.add_argument("--precision", default="auto", help="precision of the network (default: auto)")
    align.add_argument("--device", default="auto", help="cpu or auto (default: auto)")
    align.set_defaults(run=_align)


def _add_train(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    train = commands.add_parser("train", help="train an acoustic model")
    train.add_argument("--config", required=True, metavar="FILE", help="what to train on and how, in TOML")
    train.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    train.set_defaults(run=_train)


def _channel(text: str) -> int:
    channel = int(text)
    if channel < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {channel}")
    return channel


def _align(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    from streamhmm.align.aligner import Aligner
    from streamhmm.audio import load_audio

    _check_align(parser, options)
    text = options.text if options.text is not None else _read_text(options.text_file)
    aligner = Aligner(options.model, options.backend, options.precision, options.device, lexicon=options.lexicon)
    source = _standard_input("<stdin>") if options.audio == STDIO else options.audio
    recording = load_audio(source, sample_rate=aligner.model.sample_rate, channel=options.channel)
    alignment = aligner.align(recording, text)
    for warning in alignment.warnings:
        print(f"streamhmm: {alignment.audio}: {warning}", file=sys.stderr)
    for output in options.output:
        _write(alignment, output)
    if not options.output:
        _print_table(alignment)
    return 0


def _check_align(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    if (options.text is None) == (options.text_file is None):
        parser.error("give the text once: a TEXT file or --text")
    if options.audio == STDIO and options.text_file == STDIO:
        parser.error("standard input can hold the audio or the text, not both")
    from streamhmm.formats import format_of

    for output in options.output:
        try:
            if output != STDIO:
                format_of(output)
        except ValueError as error:
            parser.error(str(error))


def _read_text(source: str) -> str:
    from streamhmm.text import read_text

    return read_text(_standard_input("<stdin>") if source == STDIO else source)


def _standard_input(name: str) -> io.BytesIO:
    data = io.BytesIO(sys.stdin.buffer.read())
    data.name = name  # what messages call it
    return data


def _write(alignment: Alignment, output: str) -> None:
    if output == STDIO:
        from streamhmm.formats.json_format import format_json

        sys.stdout.write(format_json(alignment))
        sys.stdout.flush()
    else:
        alignment.save(output)


def _print_table(alignment: Alignment) -> None:
    """A table for people on a terminal, tab-separated lines in a pipe."""
    if not sys.stdout.isatty():
        print("start\tend\tscore\tword")
        for word in alignment.words:
            print(f"{word.start:.3f}\t{word.end:.3f}\t{word.score:.2f}\t{word.label}")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("start", "end", "score", "word", "phones", title=Path(alignment.audio).name)
    for column in table.columns[:3]:
        column.justify = "right"
    spoken: list[list[str]] = [[] for _ in alignment.words]
    for phone, index in zip(alignment.phones, alignment.phone_words, strict=True):
        spoken[index].append(phone.label)
    for segment, phones in zip(alignment.words, spoken, strict=True):
        times = f"{segment.start:.3f}", f"{segment.end:.3f}", f"{segment.score:.2f}"
        table.add_row(*times, Text(segment.label), Text(" ".join(phones), style="dim"))
    Console().print(table)


def _train(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    from streamhmm.acoustic.training import train

    train(options.config, resume=options.resume)
    return 0


if __name__ == "__main__":
    sys.exit(main())
