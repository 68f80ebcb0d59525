"""A text as a terminal shows it: broken into lines, each word at its place."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len, chop_cells

TAB_CELLS = 4
# A terminal would obey them.
_CONTROLS = {code: " " for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) != "\n"}


class Span(NamedTuple):
    """A stretch of a text, the end exclusive."""

    start: int
    end: int


class ShownText:
    """A text with its words, broken to a width.

    Args:
        text: as the user wrote it.
        words: its words in order, spelled as in it.
    """

    def __init__(self, text: str, words: Sequence[str]) -> None:
        words = [word.translate(_CONTROLS) for word in words]
        self.text = text.expandtabs(TAB_CELLS).translate(_CONTROLS)
        spans = _spans(self.text, words)
        if spans is None:  # the words are not those of the text: show them alone
            self.text = " ".join(words)
            spans = _spans(self.text, words) or []
        self.spans = spans
        self._starts = [span.start for span in self.spans]
        self.lines: list[Span] = []
        self._line_starts: list[int] = []
        self._width = 0

    def break_to(self, width: int) -> None:
        """Break into lines of at most ``width`` cells; what has been done for this width is not done again."""
        if width == self._width:
            return
        self._width = width
        self.lines = _lines(self.text, width)
        self._line_starts = [line.start for line in self.lines]

    def line_of(self, word: int) -> int:
        """The number of the line in which a word begins."""
        return max(0, bisect_right(self._line_starts, self.spans[word].start) - 1)

    def words_in(self, line: Span) -> range:
        """The words of which a part stands in a line."""
        first = bisect_right(self._starts, line.start) - 1
        if first < 0 or self.spans[first].end <= line.start:
            first += 1
        return range(first, bisect_left(self._starts, line.end))


def _spans(text: str, words: Sequence[str]) -> list[Span] | None:
    """Where each word stands; None if one is not found."""
    spans, end = [], 0
    for word in words:
        start = text.find(word, end)
        if start < 0:
            return None
        end = start + len(word)
        spans.append(Span(start, end))
    return spans


def _lines(text: str, width: int) -> list[Span]:
    """Lines broken at blanks, and within what is longer than a line; of several empty lines one is left."""
    lines: list[Span] = []
    for paragraph in re.finditer(r"[^\n]+|\n(?=\s*\n)", text):
        begin = paragraph.start()
        line = Span(begin, begin)
        used = 0
        for chunk in re.finditer(r"\S+", paragraph[0]):
            start = begin + chunk.start()
            cells = cell_len(text[line.end : start]) + cell_len(chunk[0])
            if line.end > line.start and used + cells > width:
                lines.append(line)
                line, used = Span(start, start), 0
                cells = cell_len(chunk[0])
            line = Span(line.start if used else start, begin + chunk.end())
            used += cells
            if used > width:
                *full, line = _pieces(text, line, width)
                lines += full
                used = cell_len(text[line.start : line.end])
        if line.end > line.start or not (lines and lines[-1].start == lines[-1].end):
            lines.append(line)
    return lines


def _pieces(text: str, line: Span, width: int) -> list[Span]:
    """A stretch without blanks that is longer than a line, cut."""
    pieces, start = [], line.start
    for piece in chop_cells(text[line.start : line.end], max(2, width)):
        pieces.append(Span(start, start + len(piece)))
        start += len(piece)
    return pieces
