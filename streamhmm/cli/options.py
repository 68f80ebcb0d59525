"""What the commands that align have in common: the text, where results go, the model, Ctrl-C."""

from __future__ import annotations

import argparse
import io
import math
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

from streamhmm.cli.output import complain
from streamhmm.errors import TextError

if TYPE_CHECKING:
    from streamhmm.align.aligner import Aligner

Result = TypeVar("Result")

STDIN = "-"
STDIN_NAME = "<stdin>"
TRUST = ".ts, .pt2 and .engine files are programs: only from people you trust"


def add_text(parser: argparse.ArgumentParser) -> None:
    """Add the text, as a file or itself."""
    parser.add_argument("text_file", metavar="TEXT", nargs="?", help="file with the text; - for standard input")
    parser.add_argument("--text", help="the text itself, instead of a file")


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add where results are written."""
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        action="append",
        default=[],
        help="where to write, the suffix names the format: .TextGrid, .json, .csv, .ctm, .phones.ctm, .labels.txt, "
        ".phones.txt, .srt, .vtt, .ass; - is JSON on standard output; repeatable",
    )


def add_freedom(parser: argparse.ArgumentParser) -> None:
    """Add how far the speech may be from the text."""
    freedom = parser.add_mutually_exclusive_group()
    add_follow(freedom)
    freedom.add_argument(
        "--imperfect", action="store_true", help="the text has words that are not spoken, or lacks some that are"
    )


def add_follow(parser: argparse._ActionsContainer) -> None:
    """Add that the speaker is not bound to the text."""
    parser.add_argument(
        "--follow", action="store_true", help="the speaker may skip words, go back and talk about something else"
    )


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add what words sound like and what computes it."""
    parser.add_argument("--lexicon", metavar="FILE", action="append", default=[], help="pronunciations: WORD PH PH PH")
    parser.add_argument("--strict", action="store_true", help="refuse words that no lexicon has, instead of guessing")
    parser.add_argument(
        "--channel", type=whole_number, metavar="N", help="use this channel, from 1; otherwise all are mixed"
    )
    parser.add_argument(
        "--model",
        default="en",
        help='acoustic model: "en", a file, or a Hugging Face CTC model: a folder or a name on the hub; '
        f"{TRUST} (default: en)",
    )
    add_runtime(parser)
    parser.add_argument(
        "--verbose", action="store_true", help="say on standard error what computes the network, and why"
    )


def add_runtime(parser: argparse.ArgumentParser) -> None:
    """Add what computes the network."""
    parser.add_argument(
        "--backend",
        default="auto",
        help="runtime of the network: a name, several with commas between, a file that doctor --save wrote, or auto, "
        "which is what STREAMHMM_BACKEND names or the fastest here (default: auto)",
    )
    parser.add_argument("--precision", default="auto", help="precision of the network (default: auto)")


def add_target_lang(parser: argparse.ArgumentParser) -> None:
    """Add the language of models that have several."""
    parser.add_argument("--target-lang", metavar="LANG", help="language of a Hugging Face model's adapter, such as fra")


def check_text_and_output(options: argparse.Namespace) -> None:
    """End the program with code 2 unless the text is given once and every output has a format."""
    from streamhmm.formats import format_of

    if (options.text is None) == (options.text_file is None):
        options.parser.error("give the text once: a TEXT file or --text")
    for output in options.output:
        try:
            if output != STDIN:
                format_of(output)
        except ValueError as error:
            options.parser.error(str(error))


def load_aligner(options: argparse.Namespace, device: str, target_lang: str | None = None) -> Aligner:
    """The aligner that the options name; they end the program with code 2 where those for the runtime don't fit."""
    from streamhmm.align.aligner import Aligner, runtime_settings

    try:
        settings = runtime_settings(options.backend, options.precision, device)
    except ValueError as error:
        options.parser.error(f"--backend: {error}")
    try:
        aligner = Aligner(options.model, settings, lexicon=options.lexicon, target_lang=target_lang)
    except ValueError as error:
        if not settings.options:
            raise
        options.parser.error(f"--backend: {error}")  # a set-up's options, which only an open backend knows
    if options.verbose:
        complain(f"{aligner.runtime}: {aligner.runtime_reason}")
    return aligner


def read_text(options: argparse.Namespace) -> str:
    """The text that is spoken. Raises TextError."""
    from streamhmm.text import read_text

    if options.text is not None:
        return str(options.text)
    return read_text(standard_input() if options.text_file == STDIN else options.text_file)


@contextmanager
def text_named(options: argparse.Namespace) -> Iterator[None]:
    """Say where the text came from in a TextError about it."""
    try:
        yield
    except TextError as error:
        name = STDIN_NAME if options.text_file == STDIN else options.text_file
        raise TextError(f"{'--text' if options.text is not None else name}: {error}") from error


def standard_input() -> io.BytesIO:
    """All that comes from standard input; nothing where the shell closed it."""
    data = io.BytesIO(sys.stdin.buffer.read() if sys.stdin else b"")
    data.name = STDIN_NAME  # what messages call it
    return data


@contextmanager
def interrupt_ends_at_once() -> Iterator[None]:
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


def interruptible(work: Callable[[], Result]) -> Result:
    """What ``work`` returns or raises. It runs in another thread, so that Ctrl-C need not wait for it: Python's handler
    runs between calls of the main thread only, and a call of the engine may take minutes."""
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future.result()


def whole_number(text: str) -> int:
    """A number from 1 on, or an error for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text!r}")
    return int(text)


def add_seed(parser: argparse.ArgumentParser) -> None:
    """Add the seed of the bootstrap."""
    parser.add_argument("--seed", type=_seed, default=0, help="of the draws behind the intervals (default: 0)")


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 on, got {text!r}")
    return int(text)


def positive_number(text: str) -> float:
    """A finite number above 0, or an error for argparse."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number above 0, got {text!r}")
    return number
