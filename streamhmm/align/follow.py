"""What real speakers do besides reading word after word: what it costs, and where they may go.

Each gap between words (and the one before the first and after the last) has, besides silence,

* *talk*: speech that is not in the text, a chain of states on the filler column (filler.py), which knows pauses too;
* a *jump*: one frame on the filler column. Hops lead from jump to jump: to the next gap (a word is skipped), to the one
  before (a word is repeated), to both ends of the phrase, from there to the next phrases' and to both ends of the
  sentence, and so on. So arcs are few and mostly local, and every place can be reached at a cost that grows with what
  lies between.

    word ─┬────────────────────────┬─> word      word, silence, talk ─> jump ─> next word
          ├────────> silence ──────┤                                    │  ^
          └─> talk ────^───────────┘                                    v  │
                                                              jumps of other gaps

Where a text differs from what is spoken (``IMPERFECT``) there are the same liberties, but nobody goes back, and hops
lead over sections of any length too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from streamhmm.packing import NEVER
from streamhmm.text.breaks import Break

LEAD_IN = -30.0
"""Log-weight of talk, music or noise before the first word."""
START = -60.0
"""Log-weight of the first word after a lead-in. Every path pays it, so the best one stays the same; but as long as it
is open whether somebody reads already, it speaks against it."""
PAID_LEAVING = 0.7
"""Share of the cost of talk that is paid at its end: the best path is the same, and the position is held sooner."""
MOST_IN_PHRASE, MOST_IN_SENTENCE = 16, 8
"""Words and phrases. Where a text has no punctuation for longer it is cut, so that no jump has many hops into it."""
IN_SECTION = 8
"""Sentences in a section, sections in a larger one, and so on: however much is passed over, it takes few hops."""


@dataclass(frozen=True)
class Follow:
    """What each liberty of a speaker costs: log-weights.

    Attributes:
        offscript: talk between sentences.
        offscript_within: talk and hesitation within a sentence.
        jump: to leave the order of the words; its hops come on top.
        skip_word, skip_phrase, skip_sentence: to pass over what is left of one.
        back_word, back_phrase, back_sentence: to go back to where one begins.
        unfinished: to end before the last word.
    """

    offscript: float = -30.0
    offscript_within: float = -60.0
    jump: float = -60.0
    skip_word: float = -10.0
    skip_phrase: float = -30.0
    skip_sentence: float = -40.0
    back_word: float = -20.0
    back_phrase: float = -30.0
    back_sentence: float = -40.0
    unfinished: float = -20.0

    @property
    def goes_back(self) -> bool:
        """Whether anything may be read again."""
        return max(self.back_word, self.back_phrase, self.back_sentence) > NEVER

    def passing(self, level: int) -> tuple[float, float]:
        """The costs of passing over what is left of a unit that ends with a break, and of going back in it."""
        return (
            (self.skip_word, self.back_word),
            (self.skip_phrase, self.back_phrase),
            (self.skip_sentence, self.back_sentence),
        )[min(level, Break.SENTENCE)]

    def talk(self, kind: int) -> float:
        """The cost of talk in a gap."""
        return self.offscript if kind >= Break.SENTENCE else self.offscript_within


IMPERFECT = Follow(
    offscript=-20.0,
    offscript_within=-25.0,
    jump=-25.0,
    skip_word=-5.0,
    skip_phrase=-10.0,
    skip_sentence=-10.0,
    back_word=NEVER,
    back_phrase=NEVER,
    back_sentence=NEVER,
)
"""Speech and text that differ: nobody goes back, and text that is not spoken may be long."""


class Hop(NamedTuple):
    """From the jump of one gap to that of another; gap g is the one before word g."""

    source: int
    target: int
    weight: float


def breaks_of_gaps(breaks: Sequence[Break]) -> list[int]:
    """(W + 1,) from the (W,) breaks after the words: both ends are those of sentences, and nothing is too long."""
    gaps: list[int] = [Break.SENTENCE, *breaks[:-1], Break.SENTENCE]
    for level, most in ((Break.PHRASE, MOST_IN_PHRASE), (Break.SENTENCE, MOST_IN_SENTENCE)):
        units = [gap for gap, kind in enumerate(gaps) if kind >= level - 1]
        since = 0
        for gap in units[1:]:
            since = 0 if gaps[gap] >= level else since + 1
            if since == most:
                gaps[gap], since = level, 0
    return gaps


def with_sections(gaps: Sequence[int]) -> list[int]:
    """The breaks of gaps, every so many sentences a greater one, of these again, up to both ends of the text."""
    gaps, level = list(gaps), int(Break.SENTENCE)
    units = [gap for gap, kind in enumerate(gaps) if kind >= level]
    while len(units) > 2:
        level += 1
        units = [*units[:-1:IN_SECTION], units[-1]]
        for gap in units:
            gaps[gap] = level
    return gaps


def hops(gaps: Sequence[int], costs: Follow) -> Iterator[Hop]:
    """All hops between (W + 1,) gaps, no two alike."""
    best: dict[tuple[int, int], float] = {}
    for level in range(max(gaps) + 1):
        skip, back = costs.passing(level)
        for source, target in _neighbours(gaps, level):
            weight = skip if target > source else back
            if weight > NEVER:
                best[source, target] = max(weight, best.get((source, target), weight))
    return (Hop(*ends, weight) for ends, weight in best.items())


def _neighbours(gaps: Sequence[int], level: int) -> Iterator[tuple[int, int]]:
    """From each gap that is at most one level lower to the nearest ones of ``level`` on both sides."""
    sources = [gap for gap, kind in enumerate(gaps) if kind >= level - 1]
    for order in (sources, sources[::-1]):
        nearest = None
        for gap in order:
            if nearest is not None:
                yield gap, nearest
            if gaps[gap] >= level:
                nearest = gap
