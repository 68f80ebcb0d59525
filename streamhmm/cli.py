"""The command line: ``streamhmm align``, ``streamhmm train``.

Exit codes: 0 done, 1 some input failed (named on standard error), 2 wrong usage.
"""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from streamhmm import __version__
from streamhmm.errors import OutputError, StreamHMMError, TextError

if TYPE_CHECKING:
    from streamhmm.align.results import Alignment

STDIO = "-"
STDIN_NAME = "<stdin>"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except StreamHMMError as error:
        _complain(str(error))
        return 1
    except BrokenPipeError:
        return 1  # whoever read the output went away: nothing left to say
    except KeyboardInterrupt:
        _complain("interrupted")
        # A shell stops its loop over many files only if the signal itself ended the program.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.raise_signal(signal.SIGINT)
        raise


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
        "--follow", action="store_true", help="the speaker may skip words, go back and talk about something else"
    )
    align.add_argument("--strict", action="store_true", help="refuse words that no lexicon has, instead of guessing")
    align.add_argument(
        "--channel", type=_channel, metavar="N", help="use this channel, from 1; otherwise all are mixed"
    )
    align.add_argument("--model", default="en", help='acoustic model: "en" or a file (default: en)')
    align.add_argument("--backend", default="auto", help="runtime of the network (default: auto)")
    align.add_argument("--precision", default="auto", help="precision of the network (default: auto)")
    align.add_argument("--device", default="auto", help="cpu or auto (default: auto)")
    align.set_defaults(run=_align, parser=align)


def _add_train(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    train = commands.add_parser("train", help="train an acoustic model")
    train.add_argument("--config", required=True, metavar="FILE", help="what to train on and how, in TOML")
    train.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    train.set_defaults(run=_train)


def _channel(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text!r}")
    return int(text)


def _align(options: argparse.Namespace) -> int:
    from streamhmm.align.aligner import Aligner
    from streamhmm.audio import load_audio

    _check_align(options)
    text = options.text if options.text is not None else _read_text(options.text_file)
    aligner = Aligner(options.model, options.backend, options.precision, options.device, lexicon=options.lexicon)
    source = _standard_input() if options.audio == STDIO else options.audio
    recording = load_audio(source, sample_rate=aligner.model.sample_rate, channel=options.channel)
    try:
        with _interrupt_ends_at_once():
            alignment = aligner.align(recording, text, follow=options.follow, strict=options.strict)
    except TextError as error:
        raise TextError(f"{_text_name(options)}: {error}") from error
    for warning in alignment.warnings:
        _complain(f"{alignment.audio}: {warning}")
    return _write(alignment, options.output)


@contextmanager
def _interrupt_ends_at_once() -> Iterator[None]:
    """Let Ctrl-C end the program itself: Python's handler waits for the engine, for minutes if the audio is long."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:
        yield  # ignored, as behind nohup
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _check_align(options: argparse.Namespace) -> None:
    from streamhmm.formats import format_of

    if (options.text is None) == (options.text_file is None):
        options.parser.error("give the text once: a TEXT file or --text")
    if options.audio == STDIO and options.text_file == STDIO:
        options.parser.error("standard input can hold the audio or the text, not both")
    for output in options.output:
        try:
            if output != STDIO:
                format_of(output)
        except ValueError as error:
            options.parser.error(str(error))


def _text_name(options: argparse.Namespace) -> str:
    if options.text is not None:
        return "--text"
    return STDIN_NAME if options.text_file == STDIO else str(options.text_file)


def _read_text(source: str) -> str:
    from streamhmm.text import read_text

    return read_text(_standard_input() if source == STDIO else source)


def _standard_input() -> io.BytesIO:
    data = io.BytesIO(sys.stdin.buffer.read() if sys.stdin else b"")  # None where the shell closed it
    data.name = STDIN_NAME  # what messages call it
    return data


def _write(alignment: Alignment, outputs: Sequence[str]) -> int:
    """Write to every output that can be written; returns the exit code."""
    if not outputs:
        _print(_table(alignment) if sys.stdout and sys.stdout.isatty() else _lines(alignment))
    failed = False
    for output in outputs:
        try:
            if output == STDIO:
                from streamhmm.formats.json_format import format_json

                _print(format_json(alignment))
            else:
                alignment.save(output)
        except OutputError as error:
            _complain(str(error))
            failed = True
    return int(failed)


def _complain(message: str) -> None:
    print(f"streamhmm: {message}", file=sys.stderr)


def _print(text: str) -> None:
    """Write to standard output as UTF-8, whatever the locale says.

    Raises:
        OutputError: it is closed, or its device is full.
        BrokenPipeError: whoever read it went away.
    """
    if not sys.stdout:
        raise OutputError("standard output: it is closed; name a file with -o")
    try:
        sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
        sys.stdout.buffer.flush()
    except OSError as error:
        # What is left in the buffer would fail once more when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise OutputError(f"standard output: can't be written ({error.strerror}); name a file with -o") from error


def _lines(alignment: Alignment) -> str:
    """Tab-separated lines, for a pipe."""
    rows = [f"{word.start:.3f}\t{word.end:.3f}\t{word.score:.2f}\t{word.label}" for word in alignment.words]
    return "\n".join(["start\tend\tscore\tword", *rows, ""])


def _table(alignment: Alignment) -> str:
    """A table, for people at a terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("start", "end", "score", "word", "phones", title=Text(Path(alignment.audio).name))
    for column in table.columns[:3]:
        column.justify = "right"
    table.columns[3].overflow = "fold"  # a word is never cut
    spoken: list[list[str]] = [[] for _ in alignment.words]
    for phone, index in zip(alignment.phones, alignment.phone_words, strict=True):
        spoken[index].append(phone.label)
    for segment, phones in zip(alignment.words, spoken, strict=True):
        times = f"{segment.start:.3f}", f"{segment.end:.3f}", f"{segment.score:.2f}"
        table.add_row(*times, Text(segment.label), Text(" ".join(phones), style="dim"))
    console = Console()
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def _train(options: argparse.Namespace) -> int:
    from streamhmm.acoustic.training import train

    train(options.config, resume=options.resume)
    return 0


if __name__ == "__main__":
    sys.exit(main())
