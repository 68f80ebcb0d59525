"""The E step of Viterbi training: all counts from the best paths alone."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from streamhmm.models.chain import ChainCounts
from streamhmm.models.hmm import HMM, Expectation, blocks, check_possible, unless_empty
from streamhmm.models.long_sequence import SEGMENT_CELLS
from streamhmm.models.sequences import Sequences
from streamhmm.models.sums import Sums


@torch.no_grad()
def path_expectation(model: HMM, sequences: Sequences) -> Expectation:
    """Scores, passages and statistics of the best paths (segmental k-means, Juang & Rabiner 1990), block by block.

    Raises:
        ValueError: a sequence is impossible.
    """
    total, done, n_states = 0.0, 0, model.chain.n_states
    zeros = torch.zeros(n_states, n_states, dtype=torch.float64, device=sequences.frames.device)
    counts, sums = ChainCounts(zeros[0], zeros), Sums()
    for part in blocks(sequences, n_states):
        path = model.chain_paths(part)
        scores = unless_empty(path.score, part.lengths)
        check_possible(scores, done, part.lengths)
        total, done = total + float(scores.sum()), done + len(part.lengths)
        counts = ChainCounts(*(a + b for a, b in zip(counts, passages(path.states, n_states), strict=True)))
        statistics = path_statistics(model, part.frames, part.join(path.states))
        sums = sums + statistics if sums else statistics
    return Expectation(total, counts, sums)


def path_statistics(model: HMM, frames: Tensor, states: Tensor) -> Sums:
    """Statistics of the emissions where (N, D) frames are in (N,) states of the chain, a segment at a time."""
    pdfs, sums = model.chain.topology.pdfs.to(states.device), Sums()
    rows = max(1, SEGMENT_CELLS // model.emission.n_cells)
    for part, own in zip(frames.split(rows), states.split(rows), strict=True):
        found = model.emission.statistics(part, one_hot(pdfs[own], model.emission.n_states).to(part))
        sums = sums + found if sums else found
    return sums


def passages(states: Tensor, n_states: int) -> ChainCounts:
    """How often (B, T) paths begin in each state and pass from one to another; −1 is behind the ends."""
    first = states[:, :1].flatten()
    before, after = states[:, :-1].flatten(), states[:, 1:].flatten()
    pairs = (before * n_states + after)[after >= 0]
    initial = torch.bincount(first[first >= 0], minlength=n_states)
    matrix = torch.bincount(pairs, minlength=n_states * n_states).unflatten(0, (n_states, n_states))
    return ChainCounts(initial.double(), matrix.double())
