"""Roughly where in a long recording each word of its text is spoken, in a hundredth of the time of an alignment.

Frames are taken three together, phones are one state each, in their first pronunciation, and between words there may
be silence or other speech at no cost of its own. Whole phrases may be passed over. This graph is nearly free of arcs
beside its main line, so its exact best path through an hour takes seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamhmm import ops
from streamhmm.align.filler import with_filler
from streamhmm.align.follow import Follow, breaks_of_gaps, hops, with_sections
from streamhmm.graph import Graph
from streamhmm.packing import NEVER
from streamhmm.text import Break, SpokenWord

STEP_FRAMES = 3
"""Frames taken together."""
OTHER_SPEECH = -1.0
"""Nats a frame, on top of what other speech costs elsewhere: here nothing else is paid for it."""
PASSING = -7.0
"""Log-weight of each hop over phrases and sentences, nats a frame of the three."""
CLEAR_MISFIT = 0.4
"""Nats a frame by which most words of a clear speaker fit worse than any phones would. Of others, whom the model hears
less well …"""
FORGIVEN, MOST_FORGIVEN = 5.0, 1.2
"""… more is forgiven before it counts as other words: so much for each further nat, nats a frame at most."""
COSTS = Follow(
    skip_word=PASSING,
    skip_phrase=PASSING,
    skip_sentence=PASSING,
    back_word=NEVER,
    back_phrase=NEVER,
    back_sentence=NEVER,
)


class Coarse(NamedTuple):
    """Where words are, roughly.

    Attributes:
        starts, ends: (W,) frames; both −1 for words that were passed over.
        support: (W,) mean score of the path above that of the best phones whatever the text, nats a frame, at most
            about 0; −inf for words that were passed over.
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    support: NDArray[np.float64]

    @property
    def talk_weight(self) -> float:
        """Log-weight of a frame of other speech in a search for differences, from how well most words fit."""
        found = self.support[self.starts >= 0]
        misfit = -float(np.median(found)) if len(found) else 0.0
        return -min(MOST_FORGIVEN, FORGIVEN * max(0.0, misfit - CLEAR_MISFIT))


def coarse_places(
    scores: Tensor, loop: Tensor, words: Sequence[SpokenWord], columns: Mapping[str, int], silence: int
) -> Coarse:
    """Where the words are in (T, V) ``scores``, nowhere in fewer than 6 frames.

    ``loop`` are the (T,) columns of the best path through any phones.
    """
    steps = len(scores) // STEP_FRAMES
    if steps < 2:
        nowhere = np.full(len(words), -1)
        return Coarse(nowhere, nowhere, np.full(len(words), -np.inf))
    used = scores[: steps * STEP_FRAMES]
    best = _mean_of_steps(used.gather(1, loop[: len(used), None]))[:, 0]
    means = with_filler(_mean_of_steps(used), silence, OTHER_SPEECH)
    graph, word_of_state = _graph(words, columns, means.shape[1] - 1)
    states = ops.viterbi(means, graph).states
    gain = means.gather(1, graph.pdfs[states][:, None])[:, 0] - best
    return _read(word_of_state[states].numpy(), gain.double().numpy(), len(words))


def _mean_of_steps(values: Tensor) -> Tensor:
    return values.view(-1, STEP_FRAMES, values.shape[1]).mean(1)


def _graph(words: Sequence[SpokenWord], columns: Mapping[str, int], other: int) -> tuple[Graph, Tensor]:
    """The graph and the word of each state, −1 between words; ``other`` is the column of all that is no word."""
    pdfs, owners, gaps = [other], [-1], [0]
    for index, word in enumerate(words):
        phones = [columns[label] for part in word.readings[0] for label in part[0]]
        pdfs += [*phones, other]
        owners += [index] * len(phones) + [-1]
        gaps.append(len(pdfs) - 1)
    states = torch.arange(len(pdfs))
    before = torch.tensor(gaps[1:-1], dtype=torch.int64) - 1  # the last phones, from which a gap may be left out
    levels = with_sections(breaks_of_gaps([word.followed_by for word in words]))
    ends = [gap for gap, level in enumerate(levels) if level >= Break.PHRASE]
    found = list(hops([levels[end] - Break.PHRASE for end in ends], COSTS))  # so phrases stand for words
    sources = torch.tensor([gaps[ends[hop.source]] for hop in found], dtype=torch.int64)
    targets = torch.tensor([gaps[ends[hop.target]] for hop in found], dtype=torch.int64)
    weights = torch.zeros(2 * len(states) - 1 + len(before) + len(found), dtype=torch.float64)
    weights[len(weights) - len(found) :] = PASSING
    initial, final = torch.full((2, len(states)), NEVER, dtype=torch.float64)
    initial[:2], final[-2:] = 0.0, 0.0
    graph = Graph.from_arcs(
        len(states),
        torch.cat([states, states[:-1], before, sources]),
        torch.cat([states, states[1:], before + 2, targets]),
        weights,
        pdfs=pdfs,
        initial=initial,
        final=final,
    )
    return graph, torch.tensor(owners)


def _read(owners: NDArray[np.int64], gain: NDArray[np.float64], count: int) -> Coarse:
    """From the word of each step and what the path gains in it."""
    bounds = np.concatenate([[0], np.flatnonzero(np.diff(owners)) + 1, [len(owners)]])
    first, last = bounds[:-1], bounds[1:]
    sums = np.concatenate([[0.0], gain.cumsum()])
    spoken = owners[first] >= 0
    first, last = first[spoken], last[spoken]
    starts, ends, support = np.full(count, -1), np.full(count, -1), np.full(count, -np.inf)
    place = owners[first]
    starts[place], ends[place] = first * STEP_FRAMES, last * STEP_FRAMES
    support[place] = (sums[last] - sums[first]) / (last - first)
    return Coarse(starts, ends, support)
