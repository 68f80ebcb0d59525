"""A live stream through edited readings: how soon the position is right again, what is said to be left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from follow_edits import EditedReading
from follow_judge import WATCHED_S, WITHIN_S
from live_replay import RATE, Replay, replay

import streamhmm as sh
from streamhmm.align.chunking import ChunkController

RIGHT_SHARE = 0.9


class Followed(NamedTuple):
    """One edit: the share of the positions asked for in the 3 s that begin 1.5 s after it that are the word's or its
    neighbour's."""

    kind: str
    share: float

    @property
    def is_right(self) -> bool:
        """Whether nearly all are; of plain readings 1 % are not."""
        return self.share >= RIGHT_SHARE


class Reading(NamedTuple):
    """What became of one reading."""

    followed: list[Followed]
    near: list[bool]  # all positions asked for while words are read
    skipped_said: set[int]
    skipped: set[int]


def follow(aligner: sh.Aligner, truth: EditedReading, max_lag: float, controller: ChunkController) -> Reading:
    """Stream a reading and judge it."""
    stream = aligner.stream(truth.text, max_lag, follow=True)
    heard = replay(stream, truth.samples, controller, ask=True)
    found = stream.finish()
    words = truth.words_of_samples()
    near = _near(heard, words)
    ends = [*(edit.start for edit in truth.edits[1:]), math.inf]
    followed = []
    for edit, end in zip(truth.edits, ends, strict=True):
        begin = edit.resumes + WITHIN_S
        watched = [right for at, right in near if begin <= at < min(begin + WATCHED_S, end)]
        if watched:
            followed.append(Followed(edit.kind, float(np.mean(watched))))
    return Reading(followed, [right for _, right in near], set(found.skipped), set(truth.skipped))


def _near(heard: Replay, words: np.ndarray) -> list[tuple[float, bool]]:
    result = []
    for at, position in heard.positions:
        word = int(words[min(round(at * RATE), len(words) - 1)])
        if word >= 0:
            result.append((at, abs(position.index - word) <= 1))
    return result


def by_kind(readings: Sequence[Reading]) -> dict[str, list[Followed]]:
    """The edits of all readings."""
    result: dict[str, list[Followed]] = {}
    for reading in readings:
        for edit in reading.followed:
            result.setdefault(edit.kind, []).append(edit)
    return result
