"""Long recordings with texts that differ from them, made by joining utterances with known times.

Utterances of all voices come in a random order, again and again until the wanted length is reached, with pauses
between. Then words of the text are deleted, replaced and inserted. The same seed gives the same recording and text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

RATE = 16_000
PAUSE_S = 0.0, 1.0
"""What is put between utterances, whose own margins are a tenth of a second or some."""
ROOM_TONE = 1e-5
KINDS = ("deleted", "replaced", "inserted")


class Piece(NamedTuple):
    """An utterance: its file and its words, as written."""

    audio: Path
    words: tuple[str, ...]


class Spoken(NamedTuple):
    """A word of the recording: the utterance it belongs to, its place there, and where that utterance begins, in s."""

    piece: int
    place: int
    offset: float


@dataclass(frozen=True)
class Long:
    """A recording joined from ``pieces``: (n,) float32 ``samples`` at 16 kHz and all its words in order."""

    samples: np.ndarray
    pieces: tuple[Piece, ...]
    spoken: tuple[Spoken, ...]

    @property
    def labels(self) -> list[str]:
        """The words as written."""
        return [self.pieces[word.piece].words[word.place] for word in self.spoken]


class EditedText(NamedTuple):
    """A text beside what is spoken.

    Attributes:
        words: of the text, as written.
        spoken: for each the index of the word that is spoken there; None where there is none, or another one.
        distance: how many words each is from the next edit; 0 for wrong words.
        missing: indices of spoken words that the text lacks or has another word for.
    """

    words: list[str]
    spoken: list[int | None]
    distance: np.ndarray
    missing: list[int]


def join(pieces: Sequence[Piece], seconds: float, seed: int) -> Long:
    """Whole utterances in random order until ``seconds`` are filled, every one as often as the others."""
    chance = np.random.default_rng(seed)
    parts: list[np.ndarray] = []
    spoken: list[Spoken] = []
    length, order = 0, []
    while length < seconds * RATE:
        order = order or chance.permutation(len(pieces)).tolist()
        index = order.pop()
        samples, rate = soundfile.read(pieces[index].audio, dtype="float32")
        assert rate == RATE
        spoken += [Spoken(index, place, length / RATE) for place in range(len(pieces[index].words))]
        parts += [samples, np.zeros(round(chance.uniform(*PAUSE_S) * RATE), np.float32)]
        length += len(parts[-2]) + len(parts[-1])
    joined = np.concatenate(parts)
    joined += ROOM_TONE * chance.standard_normal(len(joined)).astype(np.float32)
    return Long(joined, tuple(pieces), tuple(spoken))


def edit_words(recording: Long, share: float, seed: int) -> EditedText:
    """The text with a ``share`` of its words deleted, replaced or preceded by another word, of the vocabulary."""
    chance = np.random.default_rng(seed)
    labels = recording.labels
    vocabulary = sorted(set(labels))
    edits = dict.fromkeys(range(len(labels)), "")
    for place in chance.choice(len(labels), round(share * len(labels)), replace=False).tolist():
        edits[place] = KINDS[chance.integers(len(KINDS))]
    words: list[str] = []
    spoken: list[int | None] = []
    missing, marks = [], []
    for place, label in enumerate(labels):
        kind = edits[place]
        if kind in ("replaced", "inserted"):
            others = [word for word in vocabulary[:] if word != label] if len(vocabulary) < 3 else None
            word = label
            while word == label:
                word = (others or vocabulary)[chance.integers(len(others or vocabulary))]
            words.append(word)
            spoken.append(None)
            marks.append(len(words) - 1.0)
        if kind in ("deleted", "replaced"):
            missing.append(place)
        if kind == "deleted":
            marks.append(len(words) - 0.5)
        if kind in ("", "inserted"):
            words.append(label)
            spoken.append(place)
    return EditedText(words, spoken, _distance(len(words), marks), missing)


def _distance(words: int, marks: Sequence[float]) -> np.ndarray:
    """(words,) from each to the nearest of the ``marks``; where none is, infinity."""
    if not marks:
        return np.full(words, np.inf)
    edges = np.array([-np.inf, *marks, np.inf])
    places = np.arange(words)
    after = np.searchsorted(edges, places)
    return np.ceil(np.minimum(edges[after] - places, places - edges[after - 1]))
