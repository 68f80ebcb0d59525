"""Which readings of a word are worth their states.

Each phone of each reading takes states of the graph, and time for every frame that is heard. So readings share the
parts that they have in common, and the later ones are kept as long as there is room.

    one ─> hundred ─┬─> five ──────┬─>        for "one hundred five" and "one hundred and five"
                    └─> and five ──┘
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, product
from typing import TypeAlias

from streamhmm.text.phones import Pronunciation
from streamhmm.text.weak_forms import WEAK_FORMS

Part: TypeAlias = tuple[Pronunciation, ...]
"""A word or two of a reading: its alternative pronunciations."""

Reading: TypeAlias = tuple[Part, ...]
"""One way to read a word: its parts in order. Readings that differ little are one, with the alternatives of both."""

MOST_PHONES = 100
"""Of all readings of a token together; only the first may have more."""

_MOST_FUSED = 2  # parts that become one, in which there can be no silence
_MOST_OF_FUSED = 6  # pronunciations of these


def likeliest(form: str, pronunciations: Part) -> Part:
    """Two pronunciations, for a word among others in a reading: the first, and a weak form if there is one."""
    first, *others = pronunciations
    weak = [pronunciation for pronunciation in others if pronunciation in WEAK_FORMS.get(form, ())]
    return (first, *(weak or others)[:1])


def affordable(readings: Iterable[Reading]) -> tuple[Reading, ...]:
    """The first reading and those that share its parts, then the others in their order as far as there is room."""
    waiting = list(dict.fromkeys(readings))
    kept: list[Reading] = []
    room = MOST_PHONES
    while waiting:
        reading = waiting.pop(0)
        if not kept or _phones(reading) <= room:
            kept.append(reading)
            room -= _phones(reading)
            waiting, room = _joined(kept, waiting, room)
    return tuple(kept)


def _joined(kept: list[Reading], waiting: Sequence[Reading], room: int) -> tuple[list[Reading], int]:
    """Joins to ``kept`` what shares parts with it; the readings that still wait, and the room that is left."""
    apart: list[Reading] = []
    for reading in waiting:
        place, together = _with_one_of(kept, reading)
        if place == len(kept):
            apart.append(reading)
            continue
        cost = _phones(together) - _phones(kept[place])
        if cost <= room:
            kept[place] = together
            room -= cost
    return (apart, room) if len(apart) == len(waiting) else _joined(kept, apart, room)


def _phones(reading: Reading) -> int:
    return sum(map(len, chain.from_iterable(reading)))


def _with_one_of(kept: Sequence[Reading], reading: Reading) -> tuple[int, Reading]:
    """The place of the reading to share parts with and what comes of it; else a new place and the reading itself."""
    for place, other in enumerate(kept):
        together = _together(other, reading)
        if together:
            return place, together
    return len(kept), reading


def _together(one: Reading, other: Reading) -> Reading | None:
    """Both readings as one, if they have the same parts but for one word that is another, or that only one has."""
    if min(len(one), len(other)) < 2:
        return None
    if len(one) == len(other):
        different = {(mine, its) for mine, its in zip(one, other, strict=True) if not set(its) <= set(mine)}
        if len(different) <= 1:
            return tuple(_distinct(mine, its) for mine, its in zip(one, other, strict=True))
    start, end = _shared(one, other), _shared(one[::-1], other[::-1])
    end = min(end, len(one) - start, len(other) - start)
    if min(len(one), len(other)) == start + end:  # something to stand in its place
        start, end = (start, end - 1) if end else (start - 1, end)
    mine, its = one[start : len(one) - end], other[start : len(other) - end]
    if max(len(mine), len(its)) > _MOST_FUSED or start + end == 0:
        return None
    fused = _distinct(_every_way(mine), _few_ways(its))
    return (*one[:start], fused, *one[len(one) - end :]) if len(fused) <= _MOST_OF_FUSED else None


def _shared(one: Reading, other: Reading) -> int:
    """How many parts at the beginning of ``other`` are among those of ``one``."""
    length = 0
    for mine, its in zip(one, other, strict=False):
        if not set(its) <= set(mine):
            break
        length += 1
    return length


def _every_way(parts: Sequence[Part]) -> Part:
    """Of saying several parts as one."""
    return tuple(tuple(chain.from_iterable(words)) for words in product(*parts))


def _few_ways(parts: Sequence[Part]) -> Part:
    """The first pronunciations together, the second ones together, and so on."""
    ways = range(max(map(len, parts)))
    return tuple(tuple(chain.from_iterable(part[min(way, len(part) - 1)] for part in parts)) for way in ways)


def _distinct(*pronunciations: Part) -> Part:
    return tuple(dict.fromkeys(chain.from_iterable(pronunciations)))
