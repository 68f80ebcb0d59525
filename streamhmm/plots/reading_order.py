"""An alignment as text to show: the words as they were read, what stands between them, and what was left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from streamhmm.errors import TextError
from streamhmm.formats import Tiers
from streamhmm.text import tokenize


class Item(NamedTuple):
    """A piece of the shown text.

    ``kind`` is "word" (``place`` among the alignment's words), "offscript" (``place`` among its stretches),
    "skipped" (a word of the text that was not read), "between" (punctuation, spaces and line breaks of the text) or
    "back" (from here the reader is at an earlier place in the text).
    """

    kind: str
    text: str
    place: int = -1


class _Written(NamedTuple):
    """The text in pieces: its words, and what stands after each; ``before`` stands before the first."""

    before: str
    words: tuple[str, ...]
    afters: tuple[str, ...]


def reading_order(tiers: Tiers) -> list[Item]:
    """What was read, in order of time. Of an alignment without its text there are only the words, and spaces."""
    written = _written(tiers)
    items = [Item("between", written.before)] if written and written.before else []
    left = sorted(set(tiers.skipped))
    previous = -1
    for index, stretch in _by_time(tiers):
        if stretch:
            items += [Item("offscript", tiers.offscript[index].label, index), Item("between", " ")]
            continue
        place = tiers.word_indices[index]
        if place <= previous:
            items.append(Item("back", ""))
        passed = [skipped for skipped in left if previous < skipped < place]
        left = [skipped for skipped in left if skipped not in passed]
        items += _skipped(passed, written)
        items += [Item("word", tiers.words[index].label, index), Item("between", _after(place, written))]
        previous = place
    return items + list(_skipped(left, written))


def _by_time(tiers: Tiers) -> list[tuple[int, bool]]:
    """Index of each word, and of each off-script stretch (True), in order of their starts."""
    words = [(word.start, index, False) for index, word in enumerate(tiers.words)]
    others = [(stretch.start, index, True) for index, stretch in enumerate(tiers.offscript)]
    return [(index, is_other) for _, index, is_other in sorted(words + others)]


def _skipped(places: Sequence[int], written: _Written | None) -> Iterator[Item]:
    for place in places:
        yield Item("skipped", written.words[place] if written else "…")
        yield Item("between", _after(place, written))


def _after(place: int, written: _Written | None) -> str:
    return written.afters[place] if written else " "


def _written(tiers: Tiers) -> _Written | None:
    """The alignment's text in pieces; None if there is none, or its words are not those of the alignment."""
    try:
        words = tuple(token.label for token in tokenize(tiers.text))
    except TextError:
        return None
    last = max([*tiers.word_indices, *tiers.skipped], default=-1)
    if last >= len(words):
        return None
    if any(words[place] != word.label for place, word in zip(tiers.word_indices, tiers.words, strict=True)):
        return None
    starts, position = [], 0
    for word in words:
        start = tiers.text.find(word, position)
        if start < 0:
            return None
        starts.append(start)
        position = start + len(word)
    ends = [start + len(word) for start, word in zip(starts, words, strict=True)]
    afters = tuple(tiers.text[one:other] for one, other in zip(ends, [*starts[1:], len(tiers.text)], strict=True))
    return _Written(tiers.text[: starts[0]], words, afters)
