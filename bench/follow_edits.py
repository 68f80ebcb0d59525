"""Readings as real speakers give them, made by editing utterances with known times.

A script is a row of sentences of one voice, each a whole utterance. Its reading is joined from them, and a few edits
are made: something dropped, repeated or inserted. What is read at every sample is then known. The same seed gives the
same samples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from follow_sounds import RATE, at_level, babble, hesitation, level, speech
from truth import Utterance

from streamhmm.text import tokenize

SENTENCES = range(8, 16)
INSERTED_S = 10.0
PAUSES_S = 3.0, 10.0
HESITATIONS_S = 0.3, 0.7
MOST_DROPPED = 5
FADE_S = 0.003  # so that cuts do not click
KINDS = (
    "word dropped",
    "words dropped",
    "sentence dropped",
    "sentence repeated",
    "back to the sentence's start",
    "speech between sentences",
    "speech within a sentence",
    "babble between sentences",
    "babble within a sentence",
    "long pause",
    "hesitation",
)


class Reading(NamedTuple):
    """A word of the script being read: its index, how often it had been read before, and when, in seconds."""

    word: int
    take: int
    start: float
    end: float


class Edit(NamedTuple):
    """One edit: from ``start`` on the reading is not what comes next in the script; it goes on at ``resumes``.

    ``dropped`` are indices of words that are not read, ``repeated`` of those that are read twice.
    """

    kind: str
    start: float
    resumes: float
    dropped: tuple[int, ...] = ()
    repeated: tuple[int, ...] = ()


@dataclass(frozen=True)
class EditedReading:
    """A script and how it was read: (n,) float32 ``samples`` at 16 kHz, its readings and edits in order of time."""

    text: str
    labels: tuple[str, ...]
    samples: np.ndarray
    readings: tuple[Reading, ...]
    edits: tuple[Edit, ...]

    @property
    def skipped(self) -> tuple[int, ...]:
        """Indices of the words that are never read."""
        return tuple(sorted(set(range(len(self.labels))) - {reading.word for reading in self.readings}))

    def words_of_samples(self) -> np.ndarray:
        """(n,) index of the word that is being read, −1 for none."""
        return self._of_samples("word", -1)

    def takes_of_samples(self) -> np.ndarray:
        """(n,) how often that word had been read before, −1 where none is being read."""
        return self._of_samples("take", -1)

    def _of_samples(self, name: str, nothing: int) -> np.ndarray:
        values = np.full(len(self.samples), nothing, np.int32)
        for reading in self.readings:
            values[round(reading.start * RATE) : round(reading.end * RATE)] = getattr(reading, name)
        return values


def usable(utterances: Sequence[Utterance]) -> list[Utterance]:
    """Those whose words all have times, and are the words that the aligner sees."""
    return [
        utterance
        for utterance in utterances
        if all(None not in word for word in utterance.words)
        and len(tokenize(utterance.text)) == len(utterance.words) > MOST_DROPPED + 1
    ]


def edit_reading(
    utterances: Sequence[Utterance], crowd: Sequence[Path], seed: int, kinds: Sequence[str] = KINDS, edits: int = 3
) -> EditedReading:
    """A script of usable ``utterances`` of one voice, read with so many edits of ``kinds``; 0 for a plain reading.

    ``crowd`` are the recordings of others that speak in between.
    """
    chance = np.random.default_rng(seed)
    voices = sorted({utterance.speaker for utterance in utterances})
    voice = voices[chance.integers(len(voices))]
    mine = [utterance for utterance in utterances if utterance.speaker == voice]
    count = min(int(chance.integers(SENTENCES.start, SENTENCES.stop)), len(mine))
    script = [mine[place] for place in chance.choice(len(mine), count, replace=False)]
    tape = _Tape(script, crowd, chance)
    # Not next to one another, and neither first nor last, so that there is speech on both sides.
    places = sorted(1 + 2 * chance.choice((count - 1) // 2, min(edits, (count - 1) // 2), replace=False))
    todo = dict(zip(places, chance.permutation(kinds), strict=False))
    for sentence in range(count):
        if sentence in todo:
            tape.edit(sentence, str(todo[sentence]))
        else:
            tape.read(sentence)
    return tape.finish()


@dataclass
class _Tape:
    script: list[Utterance]
    crowd: Sequence[Path]
    chance: np.random.Generator
    parts: list[np.ndarray] = field(default_factory=list)
    length: int = 0
    readings: list[Reading] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.firsts = list(accumulate((len(utterance.words) for utterance in self.script), initial=0))
        self.audio = [soundfile.read(utterance.audio, dtype="float32")[0] for utterance in self.script]
        self.level = float(np.median([level(samples) for samples in self.audio]))

    @property
    def now(self) -> float:
        return self.length / RATE

    def read(self, sentence: int, first: int = 0, last: int | None = None) -> None:
        """Words first … last−1 of a sentence; with its margins where these are the sentence's own ends."""
        words, samples = self.script[sentence].words, self.audio[sentence]
        last = len(words) if last is None else last
        begin = round(words[first].start * RATE) if first else 0
        end = round(words[last - 1].end * RATE) if last < len(words) else len(samples)
        shift = self.now - begin / RATE
        for place in range(first, last):
            word = self.firsts[sentence] + place
            take = sum(reading.word == word for reading in self.readings)
            self.readings.append(Reading(word, take, words[place].start + shift, words[place].end + shift))
        self._append(samples[begin:end])

    def _append(self, samples: np.ndarray) -> None:
        fade = min(round(FADE_S * RATE), len(samples) // 2)
        part = samples.copy()
        part[:fade] *= np.linspace(0, 1, fade, dtype=np.float32)
        part[len(part) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
        self.parts.append(part)
        self.length += len(part)

    def edit(self, sentence: int, kind: str) -> None:
        words = len(self.script[sentence].words)
        cut = int(self.chance.integers(2, words - 1))  # two words or more before it, one or more after
        if "dropped" in kind or "repeated" in kind or "back" in kind:
            self._reorder(sentence, kind, cut, words)
            return
        within = "within" in kind or (kind in ("long pause", "hesitation") and self.chance.random() < 0.5)
        sound = self._sound(kind)
        self.read(sentence, 0, cut if within else None)
        start = self.now
        self._append(sound)
        self.edits.append(Edit(kind, start, self.now))
        if within:
            self.read(sentence, cut)

    def _reorder(self, sentence: int, kind: str, cut: int, words: int) -> None:
        first = self.firsts[sentence]
        if kind == "sentence dropped":
            dropped = tuple(range(first, first + words))
            self.edits.append(Edit(kind, self.now, self.now, dropped))
            return
        if "dropped" in kind:
            most = min(MOST_DROPPED, words - cut)
            count = 1 if kind == "word dropped" or most < 2 else int(self.chance.integers(2, most + 1))
            self.read(sentence, 0, cut)
            dropped = tuple(range(first + cut, first + cut + count))
            self.edits.append(Edit(kind, self.now, self.now, dropped))
            if cut + count < words:
                self.read(sentence, cut + count)
            return
        again = words if kind == "sentence repeated" else cut
        self.read(sentence, 0, again)
        self.edits.append(Edit(kind, self.now, self.now, repeated=tuple(range(first, first + again))))
        self.read(sentence)

    def _sound(self, kind: str) -> np.ndarray:
        uniform = self.chance.uniform
        if kind == "long pause":
            return (1e-4 * self.chance.standard_normal(round(uniform(*PAUSES_S) * RATE))).astype(np.float32)
        if kind == "hesitation":
            return at_level(hesitation(uniform(*HESITATIONS_S), self.chance), self.level)
        make: Callable[..., np.ndarray] = babble if kind.startswith("babble") else speech
        return at_level(make(INSERTED_S, self.crowd, self.chance), self.level)

    def finish(self) -> EditedReading:
        """All of it, with the room tone of a quiet room."""
        samples = np.concatenate(self.parts)
        samples += 1e-5 * self.chance.standard_normal(len(samples)).astype(np.float32)
        return EditedReading(
            " ".join(utterance.text for utterance in self.script),
            tuple(word.label for utterance in self.script for word in utterance.words),
            samples,
            tuple(self.readings),
            tuple(self.edits),
        )
