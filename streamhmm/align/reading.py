"""How a text was read where a speaker was free to skip, to go back and to talk: what came of it, and what to say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from streamhmm.align.mismatch import first_named
from streamhmm.align.results import Edges
from streamhmm.align.runs import Runs
from streamhmm.align.topology import OFFSCRIPT, SILENT
from streamhmm.segment import Segment

MOST_QUOTED, ENDS_QUOTED = 8, 3
"""Passages of more words than the first are quoted by so many at each end."""
LEAST_SKIPPED = 0.5
"""Share of the words of a text that was read imperfectly, beyond which the text may be a wrong one."""
OFFSCRIPT_LABEL = "<off-script>"


def count_takes(word_indices: Sequence[int]) -> tuple[int, ...]:
    """How many times each word had been read before."""
    read: dict[int, int] = {}
    takes = []
    for index in word_indices:
        takes.append(read.get(index, 0))
        read[index] = takes[-1] + 1
    return tuple(takes)


def words_skipped(word_indices: Sequence[int], count: int) -> tuple[int, ...]:
    """Those of ``count`` words that were never read."""
    return tuple(sorted(set(range(count)).difference(word_indices)))


def offscript_segments(runs: Runs, edges: Edges) -> tuple[Segment, ...]:
    """The stretches of other speech; those with nothing but silence between them are one."""
    kinds = [min(phone, 0) for phone in runs.phones.tolist()]
    places = [place for place, kind in enumerate(kinds) if kind != SILENT]
    found = []
    for kind, group in groupby(places, lambda place: kinds[place]):
        if kind == OFFSCRIPT:
            stretch = list(group)
            start, end = float(edges.times[stretch[0]]), float(edges.times[stretch[-1] + 1])
            found.append(Segment(OFFSCRIPT_LABEL, start, end))
    return tuple(found)


def check_reading(
    words: Sequence[Segment],
    takes: Sequence[int],
    skipped: Sequence[int],
    offscript: Sequence[Segment],
    labels: Sequence[str],
) -> tuple[str, ...]:
    """Warnings of words that were not read, or more than once, and of other speech; ``labels`` are the text's words."""
    warnings = []
    if len(skipped) == len(labels):
        warnings.append("nothing of the text is read; check that audio and text belong together")
    elif skipped:
        names = [_passage(labels, group) for group in _consecutive(skipped)]
        warnings.append(f"not read: {first_named(names)}")
    again = [f"{word.label!r} at {word.start:.2f} s" for word, take in zip(words, takes, strict=True) if take]
    if again:
        warnings.append(f"read again: {first_named(again)}")
    if offscript:
        times = [f"from {stretch.start:.2f} to {stretch.end:.2f} s" for stretch in offscript]
        warnings.append(f"speech that is not in the text {first_named(times)}")
    return tuple(warnings)


def check_share(skipped: int, count: int) -> tuple[str, ...]:
    """A warning if most of a text, ``count`` words, is not read, though some of it is."""
    if not count > skipped > LEAST_SKIPPED * count:
        return ()
    return (f"only {count - skipped} of {count} words are read; check that audio and text belong together",)


def _consecutive(indices: Sequence[int]) -> Iterator[list[int]]:
    for _, group in groupby(enumerate(indices), lambda pair: pair[1] - pair[0]):
        yield [index for _, index in group]


def _passage(labels: Sequence[str], indices: Sequence[int]) -> str:
    """Words that follow one another, long passages by both ends."""
    words = [labels[index] for index in indices]
    if len(words) > MOST_QUOTED:
        words[ENDS_QUOTED:-ENDS_QUOTED] = ["…"]
    return repr(" ".join(words))
