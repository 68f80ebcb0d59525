"""Words as captions: when each stands on the screen, and in which lines.

After the usual guidelines (BBC, https://www.bbc.co.uk/accessibility/forproducts/guides/subtitles; Netflix): at most two
lines of 42 characters and seven seconds, ends where sentences, phrases or pauses do, lines of like length.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from streamhmm.formats.punctuation import NONE, PHRASE, SENTENCE, Written, written_words
from streamhmm.formats.tiers import Tiers

LINE_CHARACTERS = 42
LONGEST_S = 7.0
SHORTEST_S = 1.0
"""How long a caption stays if the next one leaves room."""
PAUSE_S = 1.0
"""A caption never goes on over such a pause."""
SHORT_PAUSE_S = 0.3
"""A caption may well end here."""
FEW_CHARACTERS = 30
"""A shorter caption flickers."""

CAPTIONS_ONLY = "the times are those of captions, not of words"
"""The warning of what was read from a file without the times of words; each of its words is then a whole caption."""


class TimedWord(NamedTuple):
    """A word and its times in ticks."""

    written: Written
    start: int
    end: int


class Caption(NamedTuple):
    """What is shown at once: one or two lines, from ``start`` to ``end`` (ticks)."""

    start: int
    end: int
    lines: tuple[tuple[TimedWord, ...], ...]


def captions(tiers: Tiers, ticks_per_s: int) -> list[Caption]:
    """The words as captions, each word at least one tick long, none before the end of the one before it."""
    words = _on_ticks(tiers, ticks_per_s)
    groups = [group for stretch in _between_pauses(words, ticks_per_s) for group in _groups(stretch, ticks_per_s)]
    next_starts = [*(group[0].start for group in groups), math.floor(tiers.duration * ticks_per_s)][1:]
    found = []
    for group, next_start in zip(groups, next_starts, strict=True):
        readable = min(group[0].start + round(SHORTEST_S * ticks_per_s), next_start)
        found.append(Caption(group[0].start, max(group[-1].end, readable), _lines(group)))
    return found


def plain_text(line: Sequence[TimedWord]) -> str:
    """A line as it is shown."""
    return "".join(word.written.text + gap_after(word) for word in line[:-1]) + line[-1].written.text


def gap_after(word: TimedWord) -> str:
    """What separates a word from the next one in the line."""
    return "" if word.written.is_joined else " "


def _on_ticks(tiers: Tiers, ticks_per_s: int) -> list[TimedWord]:
    words, before = [], 0
    for segment, written in zip(tiers.words, written_words(tiers), strict=True):
        start = max(round(segment.start * ticks_per_s), before)
        before = max(round(segment.end * ticks_per_s), start + 1)
        words.append(TimedWord(written, start, before))
    return words


def _between_pauses(words: Sequence[TimedWord], ticks_per_s: int) -> Iterator[Sequence[TimedWord]]:
    first = 0
    for place in range(1, len(words) + 1):
        if place == len(words) or words[place].start - words[place - 1].end >= PAUSE_S * ticks_per_s:
            yield words[first:place]
            first = place


def _groups(words: Sequence[TimedWord], ticks_per_s: int) -> list[Sequence[TimedWord]]:
    """The split into captions with the lowest sum of costs.

    best[j] = min over i of best[i] + cost(words i … j−1), over those that fit on the screen.
    """
    ruler = _Ruler(words)
    best, first_of = [0.0], [0]
    for end in range(1, len(words) + 1):
        choices = []
        for first in range(end - 1, -1, -1):
            is_long = words[end - 1].end - words[first].start > LONGEST_S * ticks_per_s
            if first < end - 1 and (is_long or not ruler.fits(first, end)):
                break
            choices.append((best[first] + ruler.cost(first, end, ticks_per_s), first))
        cost, first = min(choices)
        best.append(cost)
        first_of.append(first)
    groups, end = [], len(words)
    while end:
        groups.append(words[first_of[end] : end])
        end = first_of[end]
    return groups[::-1]


class _Ruler:
    """Lengths of stretches of words, ends exclusive, and what they cost as captions."""

    def __init__(self, words: Sequence[TimedWord]) -> None:
        self._words = words
        self._starts, self._ends, self._sentences = [], [], [0]
        place = 0
        for word in words:
            self._starts.append(place)
            place += len(word.written.text)
            self._ends.append(place)
            place += len(gap_after(word))
            self._sentences.append(self._sentences[-1] + (word.written.ends == SENTENCE))

    def characters(self, first: int, end: int) -> int:
        """In one line."""
        return self._ends[end - 1] - self._starts[first]

    def fits(self, first: int, end: int) -> bool:
        """Whether one or two lines hold it."""
        return self.characters(first, end) <= LINE_CHARACTERS or any(self.breaks(first, end))

    def breaks(self, first: int, end: int) -> Iterator[int]:
        """Where a second line may begin."""
        for second in range(end - 1, first, -1):
            if self.characters(second, end) > LINE_CHARACTERS:
                return
            if self.characters(first, second) <= LINE_CHARACTERS:
                yield second

    def cost(self, first: int, end: int, ticks_per_s: int) -> float:
        """1 for each caption, and more for a short one, for sentences that end within, for where it ends."""
        short = max(0.0, 1 - self.characters(first, end) / FEW_CHARACTERS) ** 2
        within = self._sentences[end - 1] - self._sentences[first]
        return 1 + short + 1.2 * within + self._cost_of_end(end, ticks_per_s)

    def _cost_of_end(self, end: int, ticks_per_s: int) -> float:
        if end == len(self._words):
            return 0.0
        last, following = self._words[end - 1], self._words[end]
        is_pause = following.start - last.end >= SHORT_PAUSE_S * ticks_per_s
        return {NONE: 0.3 if is_pause else 0.8, PHRASE: 0.2, SENTENCE: 0.0}[last.written.ends]


def _lines(words: Sequence[TimedWord]) -> tuple[tuple[TimedWord, ...], ...]:
    """One line or two: broken after a sentence or phrase if that can be, else in the middle."""
    ruler = _Ruler(words)
    if ruler.characters(0, len(words)) <= LINE_CHARACTERS:
        return (tuple(words),)

    def unevenness(second: int) -> float:
        lengths = ruler.characters(0, second), ruler.characters(second, len(words))
        bonus = {NONE: 0, PHRASE: LINE_CHARACTERS // 3, SENTENCE: 2 * LINE_CHARACTERS}[words[second - 1].written.ends]
        return abs(lengths[0] - lengths[1]) - bonus

    second = min(ruler.breaks(0, len(words)), key=unevenness, default=0)
    return (tuple(words[:second]), tuple(words[second:])) if second else (tuple(words),)
