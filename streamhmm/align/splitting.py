"""Where a long recording may be cut between two words so that its parts align as the whole would.

A place is safe in a pause that nobody speaks in, between words of which all the nearest, on both sides, fit the audio
well where a coarse alignment puts them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from streamhmm.align.coarse import STEP_FRAMES, Coarse

LEAST_PAUSE = 20
"""Frames of silence."""
NEAREST, LEAST_SUPPORT = 4, -1.5
"""Words on each side, every one of which must fit by so many nats a frame …"""
NEAR, LEAST_MEAN = 8, -1.0
"""… and so many more of which the mean must."""
NO_SUPPORT = -6.0
"""What words count that the coarse alignment passes over."""
SHORTEST, LONGEST = 3_000, 9_000
"""Frames of a part, where there is a safe place between."""
FORCED = 30_000
"""Where there is none for so long, text and speech do not agree anyway, and the best place there is will do."""


class Cut(NamedTuple):
    """A place between two parts: it lies in ``frame`` and before ``word``; below 0, ``margin`` says it is not safe."""

    frame: int
    word: int
    margin: float


class Part(NamedTuple):
    """Frames and words from the first up to before the last."""

    frames: tuple[int, int]
    words: tuple[int, int]


def split(coarse: Coarse, heard: Tensor, least_frames: Sequence[int]) -> list[Part]:
    """The parts of a recording.

    Args:
        coarse: the places of its W words.
        heard: (T,) True where anything is spoken.
        least_frames: (W,) that each word takes: parts are long enough for their words.
    """
    ends = [*choose(list(candidates(coarse, heard)), len(heard)), Cut(len(heard), len(least_frames), 0.0)]
    needed = np.concatenate([[0], np.cumsum(least_frames)])
    parts: list[Part] = []
    frame = word = 0
    for cut in ends:
        if cut.frame - frame >= needed[cut.word] - needed[word]:
            parts.append(Part((frame, cut.frame), (word, cut.word)))
            frame, word = cut.frame, cut.word
    while parts and parts[-1].frames[1] < len(heard):  # what is left can't hold its words
        frame, word = parts[-1].frames[0], parts[-1].words[0]
        del parts[-1]
        if len(heard) - frame >= needed[-1] - needed[word]:
            parts.append(Part((frame, len(heard)), (word, len(least_frames))))
    return parts or [Part((0, len(heard)), (0, len(least_frames)))]


def candidates(coarse: Coarse, heard: Tensor) -> Iterator[Cut]:
    """All pauses between two words that the coarse alignment found, in order."""
    speech = np.concatenate([[0], heard.numpy().cumsum()])
    support = np.maximum(coarse.support, NO_SUPPORT)
    for word in range(1, len(support)):
        if coarse.ends[word - 1] < 0 or coarse.starts[word] < 0:
            continue
        begin, end = int(coarse.ends[word - 1]), int(coarse.starts[word])
        inner = slice(begin + STEP_FRAMES, end - STEP_FRAMES)  # places are as coarse as that
        if end - begin < LEAST_PAUSE or speech[inner.stop] > speech[inner.start]:
            continue
        yield Cut((begin + end) // 2, word, min(_margin(support[:word][::-1]), _margin(support[word:])))


def _margin(support: NDArray[np.float64]) -> float:
    """By how much words fit better than a safe place needs; the nearest first."""
    return float(min(support[:NEAREST].min() - LEAST_SUPPORT, support[:NEAR].mean() - LEAST_MEAN))


def choose(places: Sequence[Cut], frames: int) -> list[Cut]:
    """The safest of the places that leave parts of a fitting length."""
    chosen: list[Cut] = []
    last = 0
    while frames - last > LONGEST:
        ahead = [place for place in places if place.frame >= last + SHORTEST]
        safe = [place for place in ahead if place.margin >= 0]
        near = [place for place in safe if place.frame <= last + LONGEST] or safe[:1]
        next_end = near[0].frame if near else frames
        if next_end > last + FORCED:
            near = [place for place in ahead if place.frame <= last + FORCED] or ahead[:1]
        if not near:
            break
        chosen.append(max(near, key=lambda place: place.margin))
        last = chosen[-1].frame
    return chosen
