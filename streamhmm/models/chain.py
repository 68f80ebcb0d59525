"""Which state comes first and which may follow which: the Markov chain of a model."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from streamhmm.graph import Graph


class Chain(nn.Module):
    """Initial and transition probabilities of S states, as logits that an optimiser may move.

    Probabilities are the softmax of the logits (of each row); −inf forbids, and stays forbidden.
    """

    def __init__(self, n_states: int, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        self.initial_logits = nn.Parameter(torch.zeros(n_states, dtype=dtype))
        self.transition_logits = nn.Parameter(torch.zeros(n_states, n_states, dtype=dtype))

    @property
    def n_states(self) -> int:
        """S."""
        return len(self.initial_logits)

    @property
    def initial(self) -> Tensor:
        """(S,) probabilities."""
        return self.initial_logits.detach().softmax(-1)

    @property
    def transitions(self) -> Tensor:
        """(S, S) probabilities, row i those of what follows state i; zeros in a row without any."""
        return _rows(self.transition_logits.detach())

    def set_initial(self, probabilities: Tensor) -> None:
        """Take (S,) probabilities. Raises ValueError unless they are."""
        set_probabilities(self.initial_logits, probabilities, "startprob_")

    def set_transitions(self, probabilities: Tensor) -> None:
        """Take (S, S) probabilities. Raises ValueError unless they are."""
        set_probabilities(self.transition_logits, probabilities, "transmat_")

    def graph(self) -> Graph:
        """All pairs of states, each emitting its own column of scores."""
        rows = self.transition_logits.log_softmax(-1)
        dead = (self.transition_logits == -torch.inf).all(-1, keepdim=True)
        return Graph.dense(rows.masked_fill(dead, -torch.inf), initial=self.initial_logits.log_softmax(-1))

    def maximise(self, counts: ChainCounts, initial_prior: Tensor, transition_prior: Tensor, parts: str) -> None:
        """The M step: counts + prior − 1, at least 0, normalised; what is forbidden stays so.

        The priors are Dirichlet's concentrations, numbers or of the shape of what they are for. ``parts``: "s" for the
        initial, "t" for the transition probabilities.
        """
        if "s" in parts:
            initial = (initial_prior - 1 + counts.initial).clamp(min=0)
            self.set_initial(normalised(torch.where(self.initial == 0, 0, initial)))
        if "t" in parts:
            transitions = (transition_prior - 1 + counts.transitions).clamp(min=0)
            self.set_transitions(normalised(torch.where(self.transitions == 0, 0, transitions)))


class ChainCounts(NamedTuple):
    """Expected numbers: (S,) sequences that begin in each state, (S, S) passages."""

    initial: Tensor
    transitions: Tensor


def normalised(weights: Tensor) -> Tensor:
    """Weights over their sums along the last axis; zeros stay zeros."""
    total = weights.sum(-1, keepdim=True)
    return weights / torch.where(total == 0, 1, total)


def _rows(logits: Tensor) -> Tensor:
    return torch.where((logits == -torch.inf).all(-1, keepdim=True), 0, logits.softmax(-1))


@torch.no_grad()
def set_probabilities(logits: nn.Parameter, probabilities: Tensor, name: str) -> None:
    """Set logits to the logarithms. Raises ValueError for another shape, or rows that are no probabilities."""
    values = torch.as_tensor(probabilities).to(logits)
    if values.shape != logits.shape:
        raise ValueError(f"{name} must have shape {tuple(logits.shape)}, got {tuple(values.shape)}")
    sums = values.sum(-1)
    unused = (sums == 0) & (values.dim() > 1)  # a state that nothing follows
    if bool((values < 0).any()) or not bool(((sums - 1).abs() < 1e-5).logical_or(unused).all()):
        raise ValueError(f"{name} must be probabilities that add up to 1, got sums of {sums.tolist()}")
    logits.copy_(values.log())
