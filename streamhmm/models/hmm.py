"""A chain and emissions, composed: what every model of the family computes through the engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from streamhmm.counts import forward_backward
from streamhmm.models.chain import Chain, ChainCounts
from streamhmm.models.emission import Emission
from streamhmm.models.long_gradient import long_log_prob
from streamhmm.models.long_sequence import LongSequence
from streamhmm.models.sequences import Sequences
from streamhmm.models.stream_chain import StreamChain
from streamhmm.models.sums import Sums
from streamhmm.ops import Path, log_likelihood, posteriors, viterbi

BLOCK_CELLS = 1 << 21
"""Numbers (frames × states, or mixtures) that are held at once; more sequences go through in blocks. Blocks of this
size get the memory that the one before had: fresh memory costs more than what is computed in it."""

WHOLE_CELLS = 1 << 24
"""A sequence of more such numbers is cut into segments, which costs twice the time."""


class Expectation(NamedTuple):
    """The E step: log-likelihood of all sequences, counts of the chain, statistics of the emissions."""

    log_likelihood: float
    counts: ChainCounts
    statistics: Sums


class HMM(nn.Module):
    """A hidden Markov model: ``chain`` says which states follow which, ``emission`` what each looks like.

    Its parameters are those of the two; ``loss = -model.log_prob(x).mean()`` trains them with any optimiser. States
    that begin alike stay alike: ``fit`` with ``n_iter=0`` makes the first guess, and nothing more.
    """

    chain: Chain
    emission: Emission

    def sequence_log_prob(self, sequences: Sequences) -> Tensor:
        """(B,) log-likelihoods, with gradients; what is large is computed again for them, block by block.

        A sequence without frames has 0.
        """
        parts = _parts(sequences, self._cells)
        if len(parts) == 1:
            return unless_empty(self._log_prob(parts[0]), sequences.lengths)
        found = [checkpoint(self._log_prob, part, use_reentrant=False, preserve_rng_state=False) for part in parts]
        return unless_empty(torch.cat(found), sequences.lengths)

    @torch.no_grad()
    def sequence_paths(self, sequences: Sequences) -> Path:
        """The emissions along the best paths (B, T), −1 behind the ends, and the paths' scores (B,)."""
        paths = [self.chain_paths(part) for part in _parts(sequences, self._cells)]
        states = _stacked((path.states for path in paths), sequences, -1)
        emissions = self.chain.topology.pdfs.to(states.device)[states]
        scores = unless_empty(torch.cat([path.score for path in paths]), sequences.lengths)
        return Path(emissions.masked_fill(states < 0, -1), scores)

    @torch.no_grad()
    def sequence_posteriors(self, sequences: Sequences) -> Tensor:
        """(B, T, S) probabilities of the emissions given all frames."""
        return _stacked(map(self._posteriors, _parts(sequences, self._cells)), sequences, 0)

    @torch.no_grad()
    def chain_paths(self, part: Sequences) -> Path:
        """The states of the chain (B, T) along the best paths of a block, and the paths' scores (B,)."""
        if _is_long(part, self._cells):
            return LongSequence(self.chain, self.emission, part).best_path()
        return viterbi(self._scores(part), self.chain.graph(), part.lengths)

    @torch.no_grad()
    def expectation(self, sequences: Sequences) -> Expectation:
        """The E step of Baum and Welch, block by block, so that memory does not grow with the data.

        Raises:
            ValueError: a sequence is impossible: it has too few frames, or symbols that no state gives.
        """
        total, done = 0.0, 0
        counts: ChainCounts | None = None
        sums: Sums | None = None
        for part in self._blocks(sequences):
            likelihoods, passed, statistics = self._block_expectation(part)
            likelihoods = unless_empty(likelihoods, part.lengths)
            check_possible(likelihoods, done, part.lengths)
            total, done = total + float(likelihoods.sum()), done + len(part.lengths)
            counts = passed if counts is None else ChainCounts(*(a + b for a, b in zip(counts, passed, strict=True)))
            sums = statistics if sums is None else sums + statistics
        if counts is None or sums is None:
            raise ValueError("there must be at least one sequence, got none")
        return Expectation(total, counts, sums)

    def stream_chain(self) -> StreamChain:
        """The chain as a stream steps through it."""
        return self.chain

    @property
    def _cells(self) -> int:
        """Numbers that a frame takes."""
        return max(self.chain.n_states, self.emission.n_cells)

    def _blocks(self, sequences: Sequences) -> Iterator[Sequences]:
        return blocks(sequences, self._cells)

    def _log_prob(self, part: Sequences) -> Tensor:
        if _is_long(part, self._cells):
            return long_log_prob(self.chain, self.emission, part)
        return log_likelihood(self._scores(part), self.chain.graph(), part.lengths)

    def _posteriors(self, part: Sequences) -> Tensor:
        if _is_long(part, self._cells):
            return LongSequence(self.chain, self.emission, part).posteriors()
        return posteriors(self._scores(part), self.chain.graph(), part.lengths, by="pdf")

    def _block_expectation(self, part: Sequences) -> tuple[Tensor, ChainCounts, Sums]:
        """(B,) log-likelihoods, counts and statistics."""
        if _is_long(part, self._cells):
            return LongSequence(self.chain, self.emission, part).expectation()
        scores, statistics_of = self.emission.evaluate(part.frames)
        scores = part.pad(part.barred(scores))
        found = forward_backward(scores, self.chain.graph(), part.lengths, reduction="sum")
        statistics = statistics_of(part.join(found.posteriors))
        return found.log_likelihood, self.chain.counts(found.counts), statistics

    def _scores(self, sequences: Sequences) -> Tensor:
        return sequences.pad(sequences.barred(self.emission.scores(sequences.frames)))


def _is_long(part: Sequences, n_cells: int) -> bool:
    """It is one sequence of more than ``WHOLE_CELLS`` numbers."""
    return len(part.lengths) == 1 and len(part.frames) * n_cells > WHOLE_CELLS


def _stacked(values: Iterable[Tensor], sequences: Sequences, fill: float) -> Tensor:
    """(B, T, …) of all sequences from those of its parts, each as long as its own longest sequence."""
    result, done = None, 0
    for value in values:
        if len(value) == len(sequences.lengths):
            return value
        if result is None:
            result = value.new_full((len(sequences.lengths), sequences.longest, *value.shape[2:]), fill)
        result[done : done + len(value), : value.shape[1]] = value
        done += len(value)
    assert result is not None
    return result


def _parts(sequences: Sequences, n_cells: int) -> list[Sequences]:
    """All sequences, if their scores may be held at once, else blocks of them."""
    if len(sequences.lengths) * sequences.longest * n_cells <= WHOLE_CELLS:
        return [sequences]
    return list(blocks(sequences, n_cells))


def blocks(sequences: Sequences, n_cells: int, least_frames: int = 0) -> Iterator[Sequences]:
    """Parts of at most ``BLOCK_CELLS`` numbers, ``n_cells`` a frame, padding counted; each sequence counts as one of
    ``least_frames`` or more, and stays whole."""
    first, longest = 0, least_frames
    for index, length in enumerate(sequences.lengths.tolist()):
        longest = max(longest, length)
        if index > first and (index - first + 1) * longest * n_cells > BLOCK_CELLS:
            yield sequences.part(first, index)
            first, longest = index, max(length, least_frames)
    if len(sequences.lengths):
        yield sequences.part(first, len(sequences.lengths))


def unless_empty(likelihoods: Tensor, lengths: Tensor) -> Tensor:
    """0 where there are no frames: that there are none is certain."""
    if bool((lengths > 0).all()):
        return likelihoods
    return likelihoods.masked_fill((lengths == 0).to(likelihoods.device), 0.0)


def check_possible(likelihoods: Tensor, first: int, lengths: Tensor) -> None:
    """Raises ValueError naming the first sequence with a log-likelihood of −inf; ``first`` have been before these."""
    impossible = (likelihoods == -torch.inf).cpu() & (lengths > 0)
    if bool(impossible.any()):
        index = int(impossible.nonzero()[0, 0])
        raise ValueError(
            f"sequence {first + index} of {int(lengths[index])} frames is impossible for this model: "
            "no path through its states is of that length, or gives what it holds"
        )
