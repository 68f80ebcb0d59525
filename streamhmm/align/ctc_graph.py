"""From the words of a text to the graph of a CTC network's tokens.

A token is a state that may repeat. Between two tokens there may be blanks, and between two equal ones there must be
(Graves et al. 2006). Between two words, or words of a reading, there may be the network's word delimiter besides, more
than once in a long pause:

    … ─> token ─┬──────────────────────────────────────┬─> token ─> …
                ├─> blank ──────────────────────────────┤
                └─> blank or not ─> delimiter ⇄ blank ──┘

What the vocabulary lacks altogether is one token of any sound, which may last.
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
from streamhmm.text import SpokenWord

BETWEEN = -1
"""In place of a token: between two, or before the first, or after the last."""


class Token(NamedTuple):
    """One unit of one way to say a word, and the index of that."""

    unit: str
    word: int


@dataclass(frozen=True)
class CtcGraph:
    """The graph of a text, and what its states stand for.

    ``token_of_state`` (S,) int64 indexes ``tokens``, in order of time; ``BETWEEN``, −1, are blanks and delimiters.
    """

    graph: Graph
    tokens: tuple[Token, ...]
    token_of_state: Tensor


def build_ctc_graph(
    words: Sequence[SpokenWord], columns: Mapping[str, int], blank: int, delimiter: int | None, lasting: str = ""
) -> CtcGraph:
    """The graph of ``words``, at least one, whose pronunciations are units.

    Args:
        columns: score column of each unit.
        blank, delimiter: the columns between tokens, between words; None: nothing stands between words.
        lasting: the unit that goes on over blanks.
    """
    builder = _Builder(columns, blank, delimiter, lasting)
    builder.add_gap(is_first=True)
    for index, word in enumerate(words):
        builder.add_word(index, word)
        builder.add_gap()
    return builder.built()


def least_frames(words: Sequence[SpokenWord]) -> int:
    """So many at least the words take: one a token, and one between equal ones."""
    return sum(min(sum(min(map(_least_of, part)) for part in reading) for reading in word.readings) for word in words)


def _least_of(units: Sequence[str]) -> int:
    return len(units) + sum(first == second for first, second in pairwise(units))


@dataclass
class _Builder:
    columns: Mapping[str, int]
    blank: int
    delimiter: int | None
    lasting: str
    pdfs: list[int] = field(default_factory=list)
    tokens: list[Token] = field(default_factory=list)
    token_of_state: list[int] = field(default_factory=list)
    arcs: list[tuple[int, int]] = field(default_factory=list)
    initial: list[int] = field(default_factory=list)
    open_ends: list[int] = field(default_factory=list)  # states that lead on to what comes next
    is_begin: bool = False  # what comes next may be the first of all

    def add_gap(self, is_first: bool = False) -> None:
        """Blanks and delimiters, or nothing."""
        self.is_begin = is_first
        before = list(self.open_ends)
        pause = self._add_state(self.blank, BETWEEN, before)
        self.open_ends = [*before, pause]
        if self.delimiter is not None:
            mark = self._add_state(self.delimiter, BETWEEN, [*before, pause])
            after = self._add_state(self.blank, BETWEEN, [mark], may_begin=False)
            self.arcs.append((after, mark))
            self.open_ends += [mark, after]

    def add_word(self, index: int, word: SpokenWord) -> None:
        """The readings side by side."""
        entry, is_begin, ends = self.open_ends, self.is_begin, []
        for reading in word.readings:
            self.open_ends, self.is_begin = entry, is_begin
            for place, part in enumerate(reading):
                if place:
                    self.add_gap()
                self._add_part(index, part)
            ends += self.open_ends
        self.open_ends, self.is_begin = ends, False

    def built(self) -> CtcGraph:
        states = len(self.pdfs)
        initial, final = torch.full((2, states), NEVER, dtype=torch.float64)
        initial[self.initial], final[self.open_ends] = 0.0, 0.0
        sources, targets = zip(*self.arcs, strict=True)
        graph = Graph.from_arcs(
            states,
            sources,
            targets,
            torch.zeros(len(sources), dtype=torch.float64),
            pdfs=self.pdfs,
            initial=initial,
            final=final,
        )
        return CtcGraph(graph, tuple(self.tokens), torch.tensor(self.token_of_state))

    def _add_part(self, index: int, part: Sequence[Sequence[str]]) -> None:
        entry, is_begin, ends = self.open_ends, self.is_begin, []
        for units in part:
            self.open_ends, self.is_begin = entry, is_begin
            for place, unit in enumerate(units):
                if place:
                    self.open_ends = [*self.open_ends, self._add_state(self.blank, BETWEEN, self.open_ends)]
                self._add_token(Token(unit, index))
            ends += self.open_ends
        self.open_ends, self.is_begin = ends, False

    def _add_token(self, token: Token) -> None:
        column = self.columns[token.unit]
        self.tokens.append(token)
        number = len(self.tokens) - 1
        state = self._add_state(column, number, [end for end in self.open_ends if self.pdfs[end] != column])
        self.open_ends, self.is_begin = [state], False
        if token.unit == self.lasting:
            between = self._add_state(self.blank, number, [state])
            self.arcs.append((between, state))

    def _add_state(self, column: int, token: int, sources: Sequence[int], may_begin: bool = True) -> int:
        state = len(self.pdfs)
        self.pdfs.append(column)
        self.token_of_state.append(token)
        self.arcs += [(source, state) for source in sources]
        self.arcs.append((state, state))
        if self.is_begin and may_begin:
            self.initial.append(state)
        return state
