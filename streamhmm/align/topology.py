"""From pronounced words to the graph that the engine aligns.

A phone is a chain of states, one a frame of its usual shortest duration, the last one repeating. Every other state can
be passed over at a cost, so that a phone may be shorter still. The readings of a word are branches side by side, each a
chain of parts, and so are the pronunciations of a part; between words and parts, before the first and after the last
there may be silence. In the order of the states the branches lie one behind the other: so nearly all arcs go to the
next state, and the graph runs on the linear kernel.

    … ─> word ─┬──────────────┬─> part, pronunciation 1 ─┬─> …
               │              ├─> part, pronunciation 2 ─┤
               └─> silence ───┴─> part ─> silence ─> part ─┘
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from streamhmm.graph import Graph
from streamhmm.packing import NEVER
from streamhmm.text.phones import SILENCE
from streamhmm.text.pronounce import SpokenWord
from streamhmm.text.thrift import Reading

SILENCE_FRAMES = 8  # a shorter pause is part of a stop's closure
PHONE_FRAMES = 5
SHORT_PHONE_FRAMES = dict.fromkeys(("AH", "B", "D", "DH", "G", "IH", "T"), 3)  # flaps, schwas, voiced stops
HURRY = -2.0
"""Log-weight of passing over a state: the usual durations can be cut to 3 frames, those of short phones to 2."""


class Phone(NamedTuple):
    """One phone of one pronunciation, and the index of its word."""

    label: str
    word: int


@dataclass(frozen=True)
class Topology:
    """The graph of a text, and what its states stand for.

    ``phone_of_state`` (S,) int64 indexes ``phones``; −1 is silence. ``word_of_state`` (S,) int64 indexes the words;
    silence within a word belongs to it here, other silence is −1. ``min_frames`` is the length of its shortest path.
    """

    graph: Graph
    phones: tuple[Phone, ...]
    phone_of_state: Tensor
    word_of_state: Tensor
    min_frames: int


def build_topology(words: Sequence[SpokenWord], columns: Mapping[str, int]) -> Topology:
    """The graph of ``words``.

    Args:
        words: at least one, each with its pronunciations.
        columns: score column of each phone and of silence.
    """
    builder = _Builder(columns)
    for index, word in enumerate(words):
        builder.add_word(index, word.readings)
        silence = builder.add_optional_silence()
    return builder.topology(silence)


@dataclass
class _Builder:
    columns: Mapping[str, int]
    pdfs: list[int] = field(default_factory=list)
    phone_of_state: list[int] = field(default_factory=list)
    word_of_state: list[int] = field(default_factory=list)
    phones: list[Phone] = field(default_factory=list)
    sources: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    entries: list[int] = field(default_factory=list)  # states that a path may start in
    open_ends: list[int] = field(default_factory=list)  # states that lead on to what comes next
    at_start: bool = True  # no phone so far: what comes next may start a path
    min_frames: int = 0

    def __post_init__(self) -> None:
        self.entries += self.add_optional_silence()[1:]  # a recording may begin within silence …

    def add_optional_silence(self, word: int = -1) -> range:
        """Its states; they may lie within a word."""
        first, last = self._add_chain(SILENCE, -1, word, SILENCE_FRAMES)
        self._enter(first)
        self.open_ends = [*self.open_ends, last]
        return range(first, last + 1)

    def add_word(self, word: int, readings: Sequence[Reading]) -> None:
        before, at_start = self.open_ends, self.at_start
        ends, lengths = [], []
        for first, *others in readings:
            self.open_ends, self.at_start = before, at_start
            length = self._add_part(word, first)
            for part in others:
                self.add_optional_silence(word)  # people pause within "1,234,567"
                length += self._add_part(word, part)
            ends += self.open_ends
            lengths.append(length)
        self.open_ends = ends
        self.min_frames += min(lengths)

    def _add_part(self, word: int, pronunciations: Sequence[Sequence[str]]) -> int:
        """The frames of its shortest pronunciation."""
        ends, lengths = [], []
        for pronunciation in pronunciations:
            chains = [self._add_phone(label, word) for label in pronunciation]
            self._enter(chains[0][0])
            for (_, last), (first, _) in pairwise(chains):
                self._connect(last, first)
            ends.append(chains[-1][1])
            lengths.append(sum((last - first) // 2 + 1 for first, last in chains))
        self.open_ends = ends
        self.at_start = False
        return min(lengths)

    def topology(self, last_silence: range) -> Topology:
        states = len(self.pdfs)
        initial, final = torch.full((2, states), NEVER, dtype=torch.float64)
        initial[self.entries] = 0.0
        final[[*self.open_ends, *last_silence]] = 0.0  # … and end within it
        graph = Graph.from_arcs(
            states, self.sources, self.targets, self.weights, pdfs=self.pdfs, initial=initial, final=final
        )
        return Topology(
            graph,
            tuple(self.phones),
            torch.tensor(self.phone_of_state),
            torch.tensor(self.word_of_state),
            self.min_frames,
        )

    def _add_phone(self, label: str, word: int) -> tuple[int, int]:
        self.phones.append(Phone(label, word))
        first, last = self._add_chain(label, len(self.phones) - 1, word, SHORT_PHONE_FRAMES.get(label, PHONE_FRAMES))
        for state in range(first, last, 2):
            self._connect(state, state + 2, HURRY)
        return first, last

    def _add_chain(self, label: str, phone: int, word: int, frames: int) -> tuple[int, int]:
        first = len(self.pdfs)
        last = first + frames - 1
        self.pdfs += [self.columns[label]] * frames
        self.phone_of_state += [phone] * frames
        self.word_of_state += [word] * frames
        for state in range(first, last):
            self._connect(state, state + 1)
        self._connect(last, last)
        return first, last

    def _enter(self, state: int) -> None:
        if self.at_start:
            self.entries.append(state)
        for end in self.open_ends:
            self._connect(end, state)

    def _connect(self, source: int, target: int, weight: float = 0.0) -> None:
        self.sources.append(source)
        self.targets.append(target)
        self.weights.append(weight)
