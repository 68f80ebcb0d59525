"""From pronounced words to the graph that the engine aligns.

A phone is a chain of states, one a frame of its usual shortest duration, the last one repeating. Every other state can
be passed over at a cost, so that a phone may be shorter still. The readings of a word are branches side by side, each a
chain of parts, and so are the pronunciations of a part; between words and parts, before the first and after the last
there may be silence. In the order of the states the branches lie one behind the other: so nearly all arcs go to the
next state, and the graph runs on the linear kernel.

    … ─> word ─┬──────────────┬─> part, pronunciation 1 ─┬─> …
               │              ├─> part, pronunciation 2 ─┤
               └─> silence ───┴─> part ─> silence ─> part ─┘

What else a speaker may do in the gaps between words is told in follow.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from streamhmm.align.follow import LEAD_IN, PAID_LEAVING, START, Follow, breaks_of_gaps, hops, with_sections
from streamhmm.graph import Graph
from streamhmm.packing import NEVER
from streamhmm.text import SILENCE, SpokenWord
from streamhmm.text.thrift import Reading

SILENCE_FRAMES = 8  # a shorter pause is part of a stop's closure
PHONE_FRAMES = 5
SHORT_PHONE_FRAMES = dict.fromkeys(("AH", "B", "D", "DH", "G", "IH", "T"), 3)  # flaps, schwas, voiced stops
TALK_FRAMES = 5
HURRY = -2.0
"""Log-weight of passing over a state: the usual durations can be cut to 3 frames, those of short phones to 2."""
SILENT, OFFSCRIPT = -1, -2
"""In place of a phone: silence, and speech that is not in the text."""


class Phone(NamedTuple):
    """One phone of one pronunciation, and the index of its word."""

    label: str
    word: int


@dataclass(frozen=True)
class Topology:
    """The graph of a text, and what its states stand for.

    ``phone_of_state`` (S,) int64 indexes ``phones``; ``SILENT``, −1, is silence or a jump,
    ``OFFSCRIPT``, −2, other speech. ``word_of_state`` (S,)
    int64 indexes the words; silence within a word belongs to it here, what is between words is −1. The states of a gap
    stand between those of its words. ``begins_word`` (S,) bool: a path reads a word anew with every frame in such a
    state. ``min_frames`` is the length of its shortest path.
    """

    graph: Graph
    phones: tuple[Phone, ...]
    phone_of_state: Tensor
    word_of_state: Tensor
    begins_word: Tensor
    min_frames: int


def build_topology(
    words: Sequence[SpokenWord], columns: Mapping[str, int], *, follow: Follow | None = None, lead_in: bool = False
) -> Topology:
    """The graph of ``words``.

    Args:
        words: at least one, each with its pronunciations.
        columns: score column of each phone and of silence. The column after the highest is that of other speech
            (filler.py), which graphs with ``follow`` or ``lead_in`` need.
        follow: what a speaker may do besides reading word after word; None: nothing.
        lead_in: before the first word there may be any talk, music or noise.
    """
    builder = _Builder(columns)
    kinds = breaks_of_gaps([word.followed_by for word in words])
    talk: list[float | None] = [None if follow is None else follow.talk(kind) for kind in kinds]
    if lead_in:
        talk[0] = LEAD_IN
    jump = None if follow is None else follow.jump
    builder.add_gap(talk[0], jump, start=START if lead_in else 0.0)
    for index, word in enumerate(words):
        builder.add_word(index, word.readings)
        builder.add_gap(talk[index + 1], jump)
    if follow is not None:
        levels = kinds if follow.goes_back else with_sections(kinds)
        for source, target, weight in hops(levels, follow):
            builder.connect(builder.jumps[source], builder.jumps[target], weight)
    return builder.topology(follow, least_frames(words) if follow is None else 1)


def least_frames(words: Sequence[SpokenWord]) -> int:
    """The length of the shortest path through all ``words``."""
    return sum(min(sum(map(_least_of_part, reading)) for reading in word.readings) for word in words)


def _least_of_part(pronunciations: Sequence[Sequence[str]]) -> int:
    return min(sum((_usual_frames(label) + 1) // 2 for label in labels) for labels in pronunciations)


def _usual_frames(label: str) -> int:
    return SHORT_PHONE_FRAMES.get(label, PHONE_FRAMES)


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
    open_ends: list[tuple[int, float]] = field(default_factory=list)  # states that lead on to what comes next, weights
    initial: dict[int, float] = field(default_factory=dict)  # states that a path may start in
    final: list[list[int]] = field(default_factory=list)  # of each gap: states that a recording may end in
    jumps: list[int] = field(default_factory=list)  # of each gap, if there are any
    word_starts: list[int] = field(default_factory=list)
    start: float = 0.0

    def __post_init__(self) -> None:
        self.filler_column = max(self.columns.values()) + 1

    def add_gap(self, talk: float | None, jump: float | None, start: float = 0.0) -> None:
        """Silence; talk and a jump at these weights. The first gap is where paths start, and leave it at ``start``."""
        ends = [state for state, _ in self.open_ends]
        silence = self.add_optional_silence()
        resting = dict.fromkeys(silence, 0.0)  # recordings begin and end within silence …
        if talk is not None:
            self._add_talk(silence, talk)
            resting |= dict.fromkeys(range(silence.stop, len(self.pdfs)), talk)  # … or talk
        if not self.final:
            self.initial, self.start = resting, start
            self.open_ends = [(state, start) for state, _ in self.open_ends]
        if jump is not None:
            (state,) = self._add_chain(self.filler_column, SILENT, -1, 1, repeats=False)
            self._enter(state, jump)
            self.open_ends = [*self.open_ends, (state, 0.0)]
            self.jumps.append(state)
        self.final.append([*ends, *resting])

    def add_optional_silence(self, word: int = -1) -> range:
        """Its states; they may lie within a word."""
        states = self._add_chain(self.columns[SILENCE], SILENT, word, SILENCE_FRAMES)
        self._enter(states[0])
        self.open_ends = [*self.open_ends, (states[-1], 0.0)]
        return states

    def _add_talk(self, silence: range, weight: float) -> None:
        """Speech that is not in the text, then silence or not."""
        talk = self._add_chain(self.filler_column, OFFSCRIPT, -1, TALK_FRAMES)
        leaving = weight * PAID_LEAVING if self.final else 0.0
        self._enter(talk[0], weight - leaving)
        before, self.open_ends = self.open_ends, [(talk[-1], leaving)]
        if self.final:
            self.connect(talk[-1], silence[0], leaving)
        else:  # without an arc back the kernel is faster, if there are no others
            self.add_optional_silence()
        self.open_ends = [*before, *self.open_ends]

    def add_word(self, word: int, readings: Sequence[Reading]) -> None:
        before = self.open_ends
        ends = []
        for first, *others in readings:
            self.open_ends = before
            begin = len(self.word_starts)
            self._add_part(word, first, self.word_starts)
            if word == 0:
                self.initial |= dict.fromkeys(self.word_starts[begin:], self.start)
            for part in others:
                self.add_optional_silence(word)  # people pause within "1,234,567"
                self._add_part(word, part, [])
            ends += self.open_ends
        self.open_ends = ends

    def _add_part(self, word: int, pronunciations: Sequence[Sequence[str]], starts: list[int]) -> None:
        """``starts`` gets the states that it is entered by."""
        ends = []
        for pronunciation in pronunciations:
            chains = [self._add_phone(label, word) for label in pronunciation]
            self._enter(chains[0][0])
            starts.append(chains[0][0])
            for before, after in pairwise(chains):
                self.connect(before[-1], after[0])
            ends.append((chains[-1][-1], 0.0))
        self.open_ends = ends

    def topology(self, follow: Follow | None, min_frames: int) -> Topology:
        states = len(self.pdfs)
        initial, final = torch.full((2, states), NEVER, dtype=torch.float64)
        initial[list(self.initial)] = torch.tensor(list(self.initial.values()), dtype=torch.float64)
        if follow is not None:
            final[[state for gap in self.final for state in gap]] = follow.unfinished
        final[self.final[-1]] = 0.0
        begins_word = torch.zeros(states, dtype=torch.bool)
        begins_word[self.word_starts] = True
        return Topology(
            Graph.from_arcs(
                states, self.sources, self.targets, self.weights, pdfs=self.pdfs, initial=initial, final=final
            ),
            tuple(self.phones),
            torch.tensor(self.phone_of_state),
            torch.tensor(self.word_of_state),
            begins_word,
            min_frames,
        )

    def _add_phone(self, label: str, word: int) -> range:
        self.phones.append(Phone(label, word))
        states = self._add_chain(self.columns[label], len(self.phones) - 1, word, _usual_frames(label))
        for state in states[:-1:2]:
            self.connect(state, state + 2, HURRY)
        return states

    def _add_chain(self, column: int, phone: int, word: int, frames: int, *, repeats: bool = True) -> range:
        states = range(len(self.pdfs), len(self.pdfs) + frames)
        self.pdfs += [column] * frames
        self.phone_of_state += [phone] * frames
        self.word_of_state += [word] * frames
        for state in states[:-1]:
            self.connect(state, state + 1)
        if repeats:
            self.connect(states[-1], states[-1])
        return states

    def _enter(self, state: int, weight: float = 0.0) -> None:
        for end, leaving in self.open_ends:
            self.connect(end, state, leaving + weight)

    def connect(self, source: int, target: int, weight: float = 0.0) -> None:
        self.sources.append(source)
        self.targets.append(target)
        self.weights.append(weight)
