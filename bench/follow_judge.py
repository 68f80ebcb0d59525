"""An alignment held against what was read: where it is right again after an edit, and what it says was left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from follow_edits import EditedReading, Reading

import streamhmm as sh

WITHIN_S = 1.5
"""After an edit the words must be right again so soon …"""
WATCHED_S = 3.0
"""… and stay so for this long, or until the next edit."""
TOLERANCE_S, SLACK_S = 0.1, 0.05
"""For boundaries of words, and for a word of some hundredths of a second to be missed by."""


class Outcome(NamedTuple):
    """What became of one edit.

    Attributes:
        kind: of the edit.
        is_right: whether every word watched is found where it is read, or beside it.
        words, exact: how many words were watched, and how many of them have both boundaries within the tolerance.
    """

    kind: str
    is_right: bool
    words: int
    exact: int


class Counts(NamedTuple):
    """Words said to be left out, words that were, and both; seconds of other speech likewise."""

    skipped_found: int
    skipped_true: int
    skipped_both: int
    talk_found: float
    talk_true: float
    talk_both: float


def outcomes(truth: EditedReading, found: sh.Alignment) -> list[Outcome]:
    """One for each edit after which enough is read to tell."""
    ends = [edit.start for edit in truth.edits[1:]] + [math.inf]
    result = []
    for edit, end in zip(truth.edits, ends, strict=True):
        begin = edit.resumes + WITHIN_S
        watched = [r for r in truth.readings if begin <= r.start and r.end <= min(begin + WATCHED_S, end)]
        if watched:
            result.append(judge(edit.kind, watched, found))
    return result


def judge(kind: str, watched: Sequence[Reading], found: sh.Alignment) -> Outcome:
    """How words that were read are found."""
    words = list(zip(found.words, found.word_indices, strict=True))
    here, exact = 0, 0
    for word, _, start, end in watched:
        mine = [segment for segment, index in words if index == word]
        here += any(segment.start < end + SLACK_S and segment.end > start - SLACK_S for segment in mine)
        exact += any(max(abs(segment.start - start), abs(segment.end - end)) <= TOLERANCE_S for segment in mine)
    return Outcome(kind, here == len(watched), len(watched), exact)


def counts(truth: EditedReading, found: sh.Alignment) -> Counts:
    """Of words left out and of other speech."""
    said, true = set(found.skipped), set(truth.skipped)
    talk = [(edit.start, edit.resumes) for edit in truth.edits if "speech" in edit.kind or "babble" in edit.kind]
    heard = [(stretch.start, stretch.end) for stretch in found.offscript]
    return Counts(
        len(said),
        len(true),
        len(said & true),
        _seconds(heard),
        _seconds(talk),
        sum(_overlap(stretch, talk) for stretch in heard),
    )


def _seconds(stretches: Sequence[tuple[float, float]]) -> float:
    return sum(end - start for start, end in stretches)


def _overlap(stretch: tuple[float, float], others: Sequence[tuple[float, float]]) -> float:
    return sum(max(0.0, min(stretch[1], end) - max(stretch[0], start)) for start, end in others)
