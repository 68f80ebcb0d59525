"""A live session on a terminal: the text scrolls, the word that is being read is lit."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from streamhmm.cli.live_output import Display
from streamhmm.cli.live_text import ShownText, Span
from streamhmm.cli.output import complain, table, write

if TYPE_CHECKING:
    from streamhmm.align.events import Event
    from streamhmm.align.live import LiveStatus
    from streamhmm.align.results import Alignment

SHORTEST_REFRESH_S = 1 / 15
LIT, SKIPPED, WARNING, STATUS = "bold reverse", "strike dim", "bold red", "dim"
READ = ((0.8, "green"), (0.4, "yellow"), (0.0, "red"))  # by score
UNSCORED = "green"
METER_CELLS, QUIETEST_DB = 10, -60.0
LOUD_DB = -6.0  # root mean square beyond which a voice is cut off at full scale


def terminal() -> Console | None:
    """Standard output if it is a terminal on which a view can be drawn."""
    console = Console(highlight=False)
    return console if console.is_terminal and not console.is_dumb_terminal else None


class TerminalView(Display):
    """Fills the terminal while the session runs; only what is visible is laid out, however long the text."""

    def __init__(self, console: Console, text: str, words: Sequence[str]) -> None:
        self._console = console
        self._text = ShownText(text, words)
        self._styles: dict[int, str] = {}  # of the words that something is known about
        self._lit: int | None = None
        self._place = 0  # the word that is kept in sight
        self._read: set[int] = set()
        self._warnings: list[str] = []
        self._drawn_at = -math.inf
        self._live = Live(console=console, screen=True, auto_refresh=False)

    def __enter__(self) -> TerminalView:
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()
        for message in self._warnings:
            complain(message)
        if error[0] is None:
            write(f"{len(self._read)} of {len(self._text.spans)} words read\n")

    def show(self, event: Event) -> None:
        """Mark the word."""
        if event.index is None:
            return
        if event.kind == "partial":
            self._lit = self._place = event.index
        elif event.kind == "skipped":
            self._styles[event.index] = SKIPPED
        else:
            score = None if event.segment is None else event.segment.score
            self._styles[event.index] = _colour(score)
            self._read.add(event.index)
            if self._lit == event.index:
                self._lit = None
            elif self._lit is None:
                self._place = event.index

    def warn(self, message: str) -> None:
        """Show the newest warning, and all of them at the end."""
        self._warnings.append(message)

    def refresh(self, status: LiveStatus, level_db: float) -> None:
        """Draw, unless that was done a moment ago."""
        now = time.monotonic()
        if now - self._drawn_at >= SHORTEST_REFRESH_S:
            self._drawn_at = now
            width, height = self._console.size
            self._live.update(self.layout(width, height, status, level_db), refresh=True)

    def result(self, alignment: Alignment) -> None:
        """A table of the words."""
        write(table(alignment))

    def layout(self, width: int, height: int, status: LiveStatus, level_db: float) -> Group:
        """What is seen in a terminal of this size."""
        below = [Text(status_line(status, level_db, width), STATUS, no_wrap=True)]
        if self._warnings:
            below.insert(0, Text(self._warnings[-1], WARNING, no_wrap=True, overflow="ellipsis"))
        below = below[: max(0, height - 1)]
        rows = max(1, height - len(below))
        self._text.break_to(width)
        lines = self._text.lines
        # A third of what is seen has been read, so that the reader sees what comes.
        top = max(0, min(self._text.line_of(self._place) - rows // 3, len(lines) - rows))
        shown = [self._line(line) for line in lines[top : top + rows]]
        return Group(*shown, *[Text()] * (rows - len(shown)), *below)

    def _line(self, line: Span) -> Text:
        text = Text(self._text.text[line.start : line.end], no_wrap=True, end="\n")
        for word in self._text.words_in(line):
            style = LIT if word == self._lit else self._styles.get(word)
            if style is not None:
                start, end = self._text.spans[word]
                text.stylize(style, max(0, start - line.start), end - line.start)
        return text


def status_line(status: LiveStatus, level_db: float, width: int) -> str:
    """As much as fits into ``width`` of level, latency, load, overruns and chunk size, the most important first."""
    items = [
        meter(level_db),
        f"latency {1000 * status.latency_s:.0f} ms",
        f"load {100 * status.load:.0f} %",
        f"overruns {status.overruns}" + (f" ({status.lost_s:.1f} s lost)" if status.lost_s else ""),
        f"chunk {1000 * status.chunk_s:.0f} ms",
    ]
    line = items[0]
    for item in items[1:]:
        if len(line) + 3 + len(item) > width:
            break
        line += f" · {item}"
    return line[:width]


def meter(level_db: float) -> str:
    """A bar for a level, with a sign that it is too loud."""
    share = (level_db - QUIETEST_DB) / -QUIETEST_DB
    cells = round(METER_CELLS * min(1.0, max(0.0, share)))
    return "▮" * cells + "▯" * (METER_CELLS - cells) + (" too loud" if level_db > LOUD_DB else "")


def _colour(score: float | None) -> str:
    if score is None:
        return UNSCORED
    return next((style for least, style in READ if score >= least), READ[-1][1])
