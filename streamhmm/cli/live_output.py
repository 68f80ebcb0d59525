"""How a live session is shown: lines of words, JSON events, or nothing; the terminal's view is in live_view.py."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from streamhmm.cli.output import LINES_HEADER, STDOUT, complain, line, write

if TYPE_CHECKING:
    from streamhmm.align.events import Event
    from streamhmm.align.live import LiveStatus
    from streamhmm.align.results import Alignment


class Display:
    """Shows nothing but warnings. All of it is called in the main thread, within a ``with`` block."""

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def show(self, event: Event) -> None:
        """Something became known."""

    def warn(self, message: str) -> None:
        """Something is wrong, and the session goes on."""
        complain(message)

    def refresh(self, status: LiveStatus, level_db: float) -> None:
        """Time went on."""

    def result(self, alignment: Alignment) -> None:
        """After the block: all words, where no output was asked for."""


class WordLines(Display):
    """Tab-separated lines of the words that are final, as ``streamhmm align`` writes them."""

    def __enter__(self) -> Display:
        write(LINES_HEADER)
        return self

    def show(self, event: Event) -> None:
        """Write the word."""
        if event.kind == "final" and event.segment is not None:
            write(line(event.segment))


class JsonLines(Display):
    """Every event as a line of JSON. The names of the fields are a promise to programs; ``--help`` tells them."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words

    def show(self, event: Event) -> None:
        """Write the event."""
        segment = event.segment
        fields = {
            "kind": event.kind,
            "index": event.index,
            "take": event.take,
            "word": None if event.index is None else self._words[event.index],
            "start": None if segment is None else round(segment.start, 4),
            "end": None if segment is None else round(segment.end, 4),
            "score": None if segment is None or segment.score is None else round(segment.score, 4),
            "audio_time": round(event.audio_time, 4),
            "emitted_at": round(event.emitted_at, 4),
            "is_final": event.kind != "partial",
        }
        write(json.dumps(fields, ensure_ascii=False) + "\n")


def display_for(options: argparse.Namespace, text: str, words: Sequence[str]) -> Display:
    """The display that fits the options and what standard output is."""
    from streamhmm.cli.live_view import TerminalView, terminal

    if options.jsonl:
        return JsonLines(words)
    console = terminal()
    if console is not None:
        return TerminalView(console, text, words)
    return Display() if STDOUT in options.output else WordLines()
