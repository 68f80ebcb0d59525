"""An alignment of a long recording held against what was spoken, and against those of the single utterances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from long_hour import Long, Script

import streamhmm as sh

FAR_WORDS = 3
"""Words further from a difference are not to be touched by it."""
LOST_MS = 1e6
"""The error that counts for words that are not found."""
LOW_SCORE = 0.2
TOUCHING_S = 0.02

Errors = Mapping[tuple[int, int], tuple[float, float]]
"""By piece and place, ms by which a word's start and end are off where its utterance is aligned by itself."""


class Boundaries(NamedTuple):
    """Errors of word boundaries, ms.

    Attributes:
        words, found: how many words there are, and how many of them were found at all.
        errors: (2 · words,) in the long recording.
        single: (2 · words,) of the same words where their utterance is aligned by itself.
    """

    words: int
    found: int
    errors: np.ndarray
    single: np.ndarray


class Flags(NamedTuple):
    """Differences.

    Attributes:
        wrong, skipped, skipped_rightly: words of the text that are not spoken; that are said not to be; both.
        low, low_rightly: words with a low score, and those of them that are not spoken.
        missing, heard: spoken words that the text lacks, and how many of these lie in speech off the script.
        offscript, offscript_rightly: stretches of it, and those in which such words lie.
    """

    wrong: int
    skipped: int
    skipped_rightly: int
    low: int
    low_rightly: int
    missing: int
    heard: int
    offscript: int
    offscript_rightly: int


def boundaries(recording: Long, script: Script, found: sh.Alignment, alone: Errors, *, far: bool = True) -> Boundaries:
    """Of words far from any difference, or of those near one."""
    segments = dict(zip(found.word_indices, found.words, strict=True))
    errors: list[float] = []
    single: list[float] = []
    for index, place in enumerate(script.spoken):
        if place is None or (script.distance[index] > FAR_WORDS) != far:
            continue
        word, segment = recording.spoken[place], segments.get(index)
        single += alone[word.piece, word.place]
        if segment is None:
            errors += [LOST_MS, LOST_MS]
        else:
            errors += [1000 * abs(segment.start - word.start), 1000 * abs(segment.end - word.end)]
    lost = errors.count(LOST_MS) // 2
    return Boundaries(len(errors) // 2, len(errors) // 2 - lost, np.array(errors), np.array(single))


def flags(recording: Long, script: Script, found: sh.Alignment) -> Flags:
    """What is said of the differences."""
    wrong = {index for index, place in enumerate(script.spoken) if place is None}
    low = {i for i, word in zip(found.word_indices, found.words, strict=True) if word.score < LOW_SCORE}
    missing = [recording.spoken[place] for place in script.missing(len(recording.spoken))]
    times = [(word.start - TOUCHING_S, word.end + TOUCHING_S) for word in missing]
    talk = [(stretch.start, stretch.end) for stretch in found.offscript]
    return Flags(
        len(wrong),
        len(found.skipped),
        len(wrong.intersection(found.skipped)),
        len(low),
        len(low & wrong),
        len(missing),
        _touched(times, talk),
        len(talk),
        _touched(talk, times),
    )


def _touched(stretches: Sequence[tuple[float, float]], others: Sequence[tuple[float, float]]) -> int:
    """How many stretches overlap any of the others; both in order, the others apart from one another or nearly so."""
    ends = np.array([end for _, end in others])
    starts = [start for start, _ in others]
    places = [int(np.searchsorted(ends, start, side="right")) for start, _ in stretches]
    return sum(place < len(starts) and starts[place] < end for place, (_, end) in zip(places, stretches, strict=True))
