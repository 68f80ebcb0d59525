"""Speech with its text, and the errors that are planted between the two."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

RATE = 16000
FOREIGN_S = 5.0
FOREIGN_PARTS = 4
"""The other speech is put together of the beginnings of so many utterances."""
EVERY = 5
"""Errors other than a replaced word and a foreign text are planted in one of so many utterances."""
CASES = (
    "right text",
    "text of another utterance",
    "word replaced",
    "word replaced by a frequent one",
    "word added",
    "word dropped",
    "two sentences",
    "sentence not spoken",
    "sentence not in the text",
    "5 s of other speech",
)

REPLACED = ("word replaced", "word replaced by a frequent one")


@dataclass(frozen=True)
class Recorded:
    """One recording and what is said in it."""

    path: Path
    words: tuple[str, ...]
    speaker: str
    age: int


@dataclass(frozen=True)
class Planted:
    """What to align: parts of recordings, each up to so many seconds, and a text. ``word`` is the wrong one's index."""

    kind: str
    parts: tuple[tuple[Path, float | None], ...]
    text: list[str]
    age: int
    word: int | None = None

    def audio(self) -> tuple[np.ndarray, int]:
        """Samples and sample rate of the parts, joined."""
        return np.concatenate([_read(*part) for part in self.parts]), RATE


def _read(path: Path, seconds: float | None) -> np.ndarray:
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == RATE
    return samples if seconds is None else samples[: round(seconds * RATE)]


def read_speech(folder: Path, half: str) -> list[Recorded]:
    """The utterances of speechocean762's ``train`` or ``test`` half."""
    with open(folder / f"{half}.tsv", encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [
            Recorded(folder / row["file"], tuple(row["text"].lower().split()), row["speaker"], int(row["age"]))
            for row in rows
        ]


def plant(utterances: Sequence[Recorded], seed: int) -> list[Planted]:
    """All cases of ``CASES``, utterance by utterance."""
    vocabulary = sorted({word for utterance in utterances for word in utterance.words})
    chance = random.Random(seed)
    return [case for index in range(len(utterances)) for case in _cases(utterances, index, vocabulary, chance)]


def _cases(
    utterances: Sequence[Recorded], index: int, vocabulary: Sequence[str], chance: random.Random
) -> Iterator[Planted]:
    mine = utterances[index]
    words, own = list(mine.words), ((mine.path, None),)
    place = chance.randrange(len(words))
    other = chance.choice([word for word in vocabulary if word != words[place]])
    tokens = [word for utterance in chance.sample(utterances, 20) for word in utterance.words]
    frequent = chance.choice([word for word in tokens if word != words[place]])
    stranger = chance.choice([u for u in chance.sample(utterances, 20) if u.words != mine.words])
    yield Planted("right text", own, words, mine.age)
    yield Planted("text of another utterance", own, list(stranger.words), mine.age)
    yield Planted("word replaced", own, [*words[:place], other, *words[place + 1 :]], mine.age, place)
    yield Planted(
        "word replaced by a frequent one", own, [*words[:place], frequent, *words[place + 1 :]], mine.age, place
    )
    if index % EVERY:
        return
    yield Planted("word added", own, [*words[:place], other, *words[place:]], mine.age, place)
    if len(words) > 1:
        yield Planted("word dropped", own, words[:place] + words[place + 1 :], mine.age)
    both = (*own, (stranger.path, None))
    yield Planted("two sentences", both, [*words, *stranger.words], mine.age)
    yield Planted("sentence not spoken", own, [*words, *stranger.words], mine.age)
    yield Planted("sentence not in the text", both, words, mine.age)
    others = [u for u in chance.sample(utterances, FOREIGN_PARTS + 2) if u not in (mine, stranger)]
    foreign = tuple((u.path, FOREIGN_S / FOREIGN_PARTS) for u in others[:FOREIGN_PARTS])
    yield Planted("5 s of other speech", (*own, *foreign, (stranger.path, None)), [*words, *stranger.words], mine.age)
