"""What commands write: results, lines and tables on standard output, complaints on standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from streamhmm.errors import OutputError
from streamhmm.segment import Segment

if TYPE_CHECKING:
    from streamhmm.align.results import Alignment

STDOUT = "-"
LINES_HEADER = "start\tend\tscore\tword\n"


def complain(message: str) -> None:
    """Say something on standard error."""
    print(f"streamhmm: {message}", file=sys.stderr)


def is_terminal() -> bool:
    """Whether somebody looks at standard output."""
    return bool(sys.stdout) and sys.stdout.isatty()


def write_files(alignment: Alignment, outputs: Sequence[str]) -> int:
    """Write to every output that can be written, "-" is JSON on standard output; returns the exit code."""
    failed = False
    for output in outputs:
        try:
            if output == STDOUT:
                from streamhmm.formats.json_format import format_json

                write(format_json(alignment))
            else:
                alignment.save(output)
        except OutputError as error:
            complain(str(error))
            failed = True
    return int(failed)


def write(text: str) -> None:
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


def line(word: Segment) -> str:
    """A word as a tab-separated line, for a pipe; the score is empty where there is none."""
    score = "" if word.score is None else f"{word.score:.2f}"
    return f"{word.start:.3f}\t{word.end:.3f}\t{score}\t{word.label}\n"


def table(alignment: Alignment) -> str:
    """A table of the words, for people at a terminal."""
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
