"""A chain and emissions, composed: what every model of the family computes through the engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from streamhmm.counts import forward_backward
from streamhmm.models.chain import Chain, ChainCounts
from streamhmm.models.emission import Emission
from streamhmm.models.sequences import Sequences
from streamhmm.models.sums import Sums
from streamhmm.ops import Path, log_likelihood, posteriors, viterbi

BLOCK_CELLS = 1 << 21
"""Numbers (frames × states, or mixtures) that are held at once; more sequences go through in blocks. Blocks of this
size get the memory that the one before had: fresh memory costs more than what is computed in it."""


class Expectation(NamedTuple):
    """The E step: log-likelihood of all sequences, counts of the chain, statistics of the emissions."""

    log_likelihood: float
    counts: ChainCounts
    statistics: Sums


class HMM(nn.Module):
    """A hidden Markov model: ``chain`` says which states follow which, ``emission`` what each looks like.

    Its parameters are those of the two; ``loss = -model.log_prob(x).mean()`` trains them with any optimiser.
    """

    chain: Chain
    emission: Emission

    def sequence_log_prob(self, sequences: Sequences) -> Tensor:
        """(B,) log-likelihoods, with gradients; 0 of a sequence without frames."""
        found = log_likelihood(self._scores(sequences), self.chain.graph(), sequences.lengths)
        return _unless_empty(found, sequences.lengths)

    @torch.no_grad()
    def sequence_paths(self, sequences: Sequences) -> Path:
        """The emissions along the best paths (B, T), −1 behind the ends, and the paths' scores (B,)."""
        path = viterbi(self._scores(sequences), self.chain.graph(), sequences.lengths)
        emissions = self.chain.topology.pdfs.to(path.states.device)[path.states]
        return Path(emissions.masked_fill(path.states < 0, -1), _unless_empty(path.score, sequences.lengths))

    @torch.no_grad()
    def sequence_posteriors(self, sequences: Sequences) -> Tensor:
        """(B, T, S) probabilities of the emissions given all frames."""
        return posteriors(self._scores(sequences), self.chain.graph(), sequences.lengths, by="pdf")

    @torch.no_grad()
    def expectation(self, sequences: Sequences) -> Expectation:
        """The E step of Baum and Welch, block by block, so that memory does not grow with the data.

        Raises:
            ValueError: a sequence is impossible: it has too few frames, or symbols that no state gives.
        """
        total, done = 0.0, 0
        counts: ChainCounts | None = None
        sums: Sums | None = None
        graph = self.chain.graph()
        for part in blocks(sequences, max(self.chain.n_states, self.emission.n_cells)):
            scores, statistics_of = self.emission.evaluate(part.frames)
            found = forward_backward(part.pad(scores), graph, part.lengths, reduction="sum")
            likelihoods = _unless_empty(found.log_likelihood, part.lengths)
            _check_possible(likelihoods, done, part.lengths)
            total, done = total + float(likelihoods.sum()), done + len(part.lengths)
            passed = self.chain.counts(found.counts)
            statistics = statistics_of(part.join(found.posteriors))
            counts = passed if counts is None else ChainCounts(*(a + b for a, b in zip(counts, passed, strict=True)))
            sums = statistics if sums is None else sums + statistics
        if counts is None or sums is None:
            raise ValueError("there must be at least one sequence, got none")
        return Expectation(total, counts, sums)

    def _scores(self, sequences: Sequences) -> Tensor:
        return sequences.pad(self.emission.scores(sequences.frames))


def blocks(sequences: Sequences, n_cells: int) -> Iterator[Sequences]:
    """Parts of at most ``BLOCK_CELLS`` numbers, ``n_cells`` a frame, padding counted; a sequence stays whole."""
    first, longest = 0, 0
    for index, length in enumerate(sequences.lengths.tolist()):
        longest = max(longest, length)
        if index > first and (index - first + 1) * longest * n_cells > BLOCK_CELLS:
            yield sequences.part(first, index)
            first, longest = index, length
    if len(sequences.lengths):
        yield sequences.part(first, len(sequences.lengths))


def _unless_empty(likelihoods: Tensor, lengths: Tensor) -> Tensor:
    """0 where there are no frames: that there are none is certain."""
    if bool((lengths > 0).all()):
        return likelihoods
    return likelihoods.masked_fill((lengths == 0).to(likelihoods.device), 0.0)


def _check_possible(likelihoods: Tensor, first: int, lengths: Tensor) -> None:
    impossible = (likelihoods == -torch.inf).cpu()
    if bool(impossible.any()):
        index = int(impossible.nonzero()[0, 0])
        raise ValueError(
            f"sequence {first + index} of {int(lengths[index])} frames is impossible for this model: "
            "no path through its states is so short, or gives what it holds"
        )
