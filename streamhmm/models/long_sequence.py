"""One long sequence in segments, forward first and then back; scores are computed twice, and held for one segment.

Segment k > 0 begins with the last frame of the one before, whose score its message holds already. With t that frame:
  a_k[j] = log p(frames 0 … t, state_t = j)
  b_k[j] = log p(frames after t | state_t = j)
Within segment k the posteriors are those of the model's graph with a_k as initial and b_{k+1} as final weights, and
score 0 in its first frame. Messages are logarithms: what is improbable so far may win later.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from streamhmm.counts import forward_backward
from streamhmm.models.chain import Chain, ChainCounts
from streamhmm.models.emission import Emission
from streamhmm.models.sequences import Sequences
from streamhmm.models.sums import Sums
from streamhmm.online import OnlineViterbi
from streamhmm.ops import Path, log_likelihood

SEGMENT_CELLS = 1 << 21
"""Numbers (frames × states, or mixtures) of a segment."""
LEAST_SHARE = 1e-200
"""Smaller shares of a sum are found from a sum without the larger ones: below 1e-308 they would be lost."""


class Smoothed(NamedTuple):
    """Frames ``first`` … ``last`` − 1 given all frames: (n, V) posteriors, and the counts of their passages."""

    first: int
    last: int
    posteriors: Tensor
    counts: ChainCounts


class LongSequence:
    """One sequence of a chain and emissions, without gradients.

    The parameters must stay as they are while it is in use.
    """

    def __init__(self, chain: Chain, emission: Emission, sequence: Sequences) -> None:
        self.chain, self.emission, self._sequence = chain, emission, sequence
        count, frames = len(sequence.frames), max(1, SEGMENT_CELLS // max(chain.n_states, emission.n_cells))
        self._cuts = [(first, min(first + frames, count)) for first in range(0, count, frames)]
        self._messages: list[Tensor] = []

    @torch.no_grad()
    def log_prob(self) -> Tensor:
        """() float64, −inf where no path fits."""
        self._messages = [self.chain.log_initial().double()]
        total = self._messages[0].new_zeros(())
        for index in range(len(self._cuts) - 1):
            sums = end_sums(self._scores(index), self.chain, self._messages[-1])
            whole = sums.logsumexp(0)
            if not bool(whole > -torch.inf):
                return whole
            total = total + whole
            self._messages.append(sums - whole)
        return total + log_likelihood(self._scores(len(self._cuts) - 1), self.chain.graph(self._messages[-1]))

    @torch.no_grad()
    def smoothed(self) -> Iterator[Smoothed]:
        """The segments from the last to the first. :meth:`log_prob` has been called, and is not −inf."""
        final = None
        for index in reversed(range(len(self._cuts))):
            begin = self._messages[index]
            found = forward_backward(self._scores(index), self.chain.graph(begin, final=final))
            passed, initial = self.chain.counts(found.counts), found.counts.initial
            started = passed.initial if index == 0 else torch.zeros_like(passed.initial)
            inside = found.posteriors[min(index, 1) :]
            yield Smoothed(*self._cuts[index], inside, ChainCounts(started, passed.transitions))
            # What is 0 given all frames, in double, adds nothing before either.
            final = torch.where(initial > 0, initial.log() - begin, -torch.inf)
            final = final - final.max()

    @torch.no_grad()
    def expectation(self) -> tuple[Tensor, ChainCounts, Sums]:
        """The log-likelihood (1,), and the counts and statistics of the E step; none where it is −inf."""
        likelihood, size = self.log_prob()[None], self.chain.n_states
        counts = ChainCounts(likelihood.new_zeros(size), likelihood.new_zeros(size, size))
        sums = Sums()
        for part in self.smoothed() if bool(likelihood > -torch.inf) else ():
            frames = self._sequence.frames[part.first : part.last]
            found = self.emission.statistics(frames, part.posteriors.to(frames))
            sums = sums + found if sums else found
            counts = ChainCounts(*(a + b for a, b in zip(counts, part.counts, strict=True)))
        return likelihood, counts, sums

    def posteriors(self) -> Tensor:
        """(1, N, V), 0 where no path fits."""
        result = self._sequence.frames.new_zeros(1, len(self._sequence.frames), self.emission.n_states)
        for part in self.smoothed() if bool(self.log_prob() > -torch.inf) else ():
            result[0, part.first : part.last] = part.posteriors
        return result

    @torch.no_grad()
    def best_path(self) -> Path:
        """(1, N) states of the chain, −1 where no path fits, and their score (1,) float64."""
        decoder = OnlineViterbi(self.chain.graph())
        parts = [decoder.push(self._own_scores(*cut)) for cut in self._cuts]
        states = torch.cat([*parts, decoder.finish()]).to(self._sequence.frames.device)
        if not decoder.complete or bool((states < 0).any()):
            return Path(torch.full_like(states, -1)[None], torch.full((1,), -torch.inf, dtype=torch.float64))
        return Path(states[None], self._score_of(states)[None])

    def _score_of(self, states: Tensor) -> Tensor:
        pdfs = self.chain.topology.pdfs.to(states.device)
        initial, weights = self.chain.log_initial().double(), self.chain.log_transitions().double()
        total = initial[states[0]] + weights[states[:-1], states[1:]].sum()
        for first, last in self._cuts:
            total = total + self._own_scores(first, last).gather(1, pdfs[states[first:last], None]).double().sum()
        return total

    def _scores(self, index: int) -> Tensor:
        """(n, V) scores of a segment, float64, after the 0 of the frame that its message stands for."""
        scores = self._own_scores(*self._cuts[index]).double()
        return torch.cat((scores.new_zeros(1, scores.shape[1]), scores)) if index else scores

    def _own_scores(self, first: int, last: int) -> Tensor:
        return self._sequence.barred(self.emission.scores(self._sequence.frames[first:last]), first)


def end_sums(scores: Tensor, chain: Chain, begin: Tensor) -> Tensor:
    """(S,) logarithms of the sums over the paths that end in each state, whatever may be last, float64.

    ``begin``: (S,) logarithms of what they begin with.
    """
    found, open_ = torch.full_like(begin, -torch.inf), torch.ones_like(begin, dtype=torch.bool)
    while bool(open_.any()):
        graph = chain.graph(begin, final=torch.zeros_like(begin).masked_fill(~open_, -torch.inf))
        total, _, counts = forward_backward(scores, graph)
        if not bool(total > -torch.inf):
            break
        shares = counts.final
        clear = open_ & (shares > LEAST_SHARE)
        found = torch.where(clear, total + shares.log(), found)
        open_ = open_ & ~clear
    return found
