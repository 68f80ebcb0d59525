"""Long recordings with texts that differ from them, made by joining utterances with known times.

Utterances of all voices come in a random order, again and again until the wanted length is reached, with pauses
between. The same seed gives the same recording and text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

RATE = 16_000
FRAME = 160
PAUSE_S = 0.0, 1.0
"""What is put between utterances, whose own margins are a tenth of a second or some."""
ROOM_TONE = 1e-5


class Piece(NamedTuple):
    """An utterance: its file, its words as written, and start and end of each in seconds."""

    audio: Path
    words: tuple[str, ...]
    times: tuple[tuple[float, float], ...]


class Spoken(NamedTuple):
    """A word of a recording: as written, when it is spoken, and which word of which piece it is."""

    label: str
    start: float
    end: float
    piece: int
    place: int


@dataclass(frozen=True)
class Long:
    """A recording: (n,) float32 ``samples`` at 16 kHz and its words in order."""

    samples: np.ndarray
    spoken: tuple[Spoken, ...]

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / RATE


class Script(NamedTuple):
    """A text beside what is spoken.

    Attributes:
        words: of the text, as written.
        spoken: for each the index of the word that is spoken there; None where it is not.
        distance: (W,) how many words each is from the next difference; 0 for words that are not spoken.
    """

    words: list[str]
    spoken: list[int | None]
    distance: np.ndarray

    def missing(self, count: int) -> list[int]:
        """Those of ``count`` spoken words that the text lacks or has others for."""
        return sorted(set(range(count)).difference(place for place in self.spoken if place is not None))


def join(pieces: Sequence[Piece], seconds: float, seed: int) -> Long:
    """Whole utterances in random order until ``seconds`` are filled, every one as often as the others.

    Each begins with a frame of its own, so that what moves its boundaries is what it is joined to.
    """
    chance = np.random.default_rng(seed)
    parts: list[np.ndarray] = []
    spoken: list[Spoken] = []
    length = 0
    order: list[int] = []
    while length < seconds * RATE:
        order = order or chance.permutation(len(pieces)).tolist()
        index = order.pop()
        samples, rate = soundfile.read(pieces[index].audio, dtype="float32")
        assert rate == RATE
        for place, (label, (start, end)) in enumerate(zip(pieces[index].words, pieces[index].times, strict=True)):
            spoken.append(Spoken(label, start + length / RATE, end + length / RATE, index, place))
        pause = round(chance.uniform(*PAUSE_S) * RATE)
        pause += -(len(samples) + pause) % FRAME
        parts += [samples, np.zeros(pause, np.float32)]
        length += len(samples) + pause
    joined = np.concatenate(parts)
    joined += ROOM_TONE * chance.standard_normal(len(joined), np.float32)
    return Long(joined, tuple(spoken))


def right_text(recording: Long) -> Script:
    """What is spoken."""
    count = len(recording.spoken)
    return Script([word.label for word in recording.spoken], list(range(count)), np.full(count, np.inf))


def edited(recording: Long, share: float, seed: int) -> Script:
    """A ``share`` of the words deleted, replaced or preceded by another one, all words of the recording's."""
    chance = np.random.default_rng(seed)
    text = right_text(recording).words
    vocabulary = sorted(set(text))
    chosen = set(chance.choice(len(text), round(share * len(text)), replace=False).tolist())
    words: list[str] = []
    spoken: list[int | None] = []
    marks = []
    for place, label in enumerate(text):
        kind = ("deleted", "replaced", "inserted")[chance.integers(3)] if place in chosen else ""
        if kind == "deleted":
            marks.append(len(words) - 0.5)
        if kind in ("replaced", "inserted"):
            marks.append(float(len(words)))
            words.append(_another(vocabulary, label, chance))
            spoken.append(None)
        if kind in ("", "inserted"):
            words.append(label)
            spoken.append(place)
    return Script(words, spoken, _distance(len(words), marks))


def without_middle(recording: Long) -> Script:
    """The text without the second and the third quarter."""
    count = len(recording.spoken)
    kept = [*range(count // 4), *range(3 * count // 4, count)]
    words = [recording.spoken[place].label for place in kept]
    return Script(words, list(kept), _distance(len(words), [count // 4 - 0.5]))


def with_more(recording: Long, seed: int) -> Script:
    """In the middle of the text as much again that nobody reads: its own words, shuffled."""
    text = right_text(recording).words
    more = np.random.default_rng(seed).permutation(text).tolist()
    middle = len(text) // 2
    words = [*text[:middle], *more, *text[middle:]]
    spoken = [*range(middle), *[None] * len(more), *range(middle, len(text))]
    marks = [float(place) for place, word in enumerate(spoken) if word is None]
    return Script(words, spoken, _distance(len(words), marks))


def shuffled(recording: Long, seed: int) -> Script:
    """Another text: the words in another order."""
    words = np.random.default_rng(seed).permutation(right_text(recording).words).tolist()
    return Script(words, [None] * len(words), np.zeros(len(words)))


def _another(vocabulary: Sequence[str], label: str, chance: np.random.Generator) -> str:
    word = label
    while word == label:
        word = vocabulary[chance.integers(len(vocabulary))]
    return word


def _distance(words: int, marks: Sequence[float]) -> np.ndarray:
    """(words,) from each to the nearest of the ``marks``, which are in order, in whole words."""
    edges = np.array([-np.inf, *marks, np.inf])
    places = np.arange(words)
    after = np.searchsorted(edges, places)
    return np.ceil(np.minimum(edges[after] - places, places - edges[after - 1]))
