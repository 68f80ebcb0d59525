"""Which state comes first and which may follow which: the Markov chain of a model."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from streamhmm.counts import ExpectedCounts
from streamhmm.graph import Graph
from streamhmm.models.topology import Topology


class Chain(nn.Module):
    """Initial and transition probabilities of S states, as logits that an optimiser may move.

    Probabilities are the softmax of the logits over what the topology allows; −inf forbids, and stays forbidden.
    """

    source: Tensor
    target: Tensor
    group: Tensor

    def __init__(self, topology: Topology, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        self.topology = topology
        source, target = topology.allowed.nonzero(as_tuple=True)
        numbers = torch.arange(len(source)) if topology.ties is None else topology.ties[source, target]
        _, group = numbers.unique(return_inverse=True)
        for name, values in (("source", source), ("target", target), ("group", group)):
            self.register_buffer(name, values, persistent=False)
        barred = torch.zeros(topology.n_states, dtype=dtype).masked_fill(~topology.first, -torch.inf)
        self.initial_logits = nn.Parameter(barred)
        self.transition_logits = nn.Parameter(torch.zeros(int(group.max()) + 1 if len(group) else 0, dtype=dtype))

    @property
    def n_states(self) -> int:
        """S."""
        return self.topology.n_states

    @property
    def n_emissions(self) -> int:
        """How many different emissions the states have."""
        return self.topology.n_emissions

    @property
    def pdfs(self) -> Tensor:
        """(S,) the emission of each state."""
        return self.topology.pdfs

    @property
    def ends_anywhere(self) -> bool:
        """A sequence may end in any state."""
        return bool(self.topology.last.all())

    @property
    def initial(self) -> Tensor:
        """(S,) probabilities."""
        return self.initial_logits.detach().softmax(-1)

    @property
    def transitions(self) -> Tensor:
        """(S, S) probabilities, row i those of what follows state i; zeros in a row without any."""
        return self.log_transitions().detach().exp()

    def set_initial(self, probabilities: Tensor) -> None:
        """Take (S,) probabilities. Raises ValueError unless they are, or where the topology lets nothing begin."""
        values = check_probabilities(probabilities, (self.n_states,), "startprob_")
        if bool((values.cpu()[~self.topology.first] != 0).any()):
            raise ValueError("startprob_ must be 0 where the topology lets no sequence begin")
        with torch.no_grad():
            self.initial_logits.copy_(values.log())

    def set_transitions(self, probabilities: Tensor) -> None:
        """Take (S, S) probabilities. Raises ValueError unless they are, or where the topology has no transition."""
        values = check_probabilities(probabilities, (self.n_states, self.n_states), "transmat_").cpu()
        if bool((values[~self.topology.allowed] != 0).any()):
            raise ValueError("transmat_ must be 0 where the topology allows no transition")
        with torch.no_grad():
            self.transition_logits.copy_(self._pooled(values.to(self.source.device)).log())

    def graph(
        self, initial: Tensor | None = None, may_end_anywhere: bool = False, final: Tensor | None = None
    ) -> Graph:
        """The states with their score columns; the kernels follow from which transitions there are.

        ``initial``, ``final``: (S,) logarithms in place of the chain's own, and of where it may end.
        """
        matrix, topology = self.log_transitions(), self.topology
        begin = self.log_initial() if initial is None else initial
        if final is None:
            barred = ~topology.last.to(matrix.device) & (not may_end_anywhere)
            final = matrix.new_zeros(self.n_states).masked_fill(barred, -torch.inf)
        if bool(topology.allowed.all()):
            return Graph.dense(matrix, initial=begin, final=final, pdfs=topology.pdfs)
        arcs = self.source, self.target, matrix[self.source, self.target]
        return Graph.from_arcs(self.n_states, *arcs, pdfs=topology.pdfs, initial=begin, final=final)

    def step(self, probabilities: Tensor) -> Tensor:
        """(S,) probabilities of the states one frame later."""
        return probabilities @ self.transitions

    def counts(self, expected: ExpectedCounts) -> ChainCounts:
        """Counts of the graph's arcs, summed over sequences, as (S, S)."""
        if expected.arcs.dim() == 2:
            return ChainCounts(expected.initial, expected.arcs)
        matrix = expected.arcs.new_zeros(self.n_states, self.n_states)
        matrix[self.source, self.target] = expected.arcs
        return ChainCounts(expected.initial, matrix)

    def log_weight(self, counts: ChainCounts) -> Tensor:
        """() the logarithm of a path's probability that begins and passes so often, with gradients."""
        begin, passed = self.log_initial(), self.log_transitions()
        begin, passed = (torch.where(n > 0, log, 0.0) * n for log, n in zip((begin, passed), counts, strict=True))
        return begin.sum() + passed.sum()

    def maximise(self, counts: ChainCounts, initial_prior: Tensor, transition_prior: Tensor, parts: str) -> None:
        """The M step: counts + prior − 1, at least 0, normalised; what is forbidden stays so, what is tied is pooled.

        Where nothing is left of them, the probabilities stay as they are. The priors are Dirichlet's concentrations,
        numbers or of the shape of what they are for. ``parts``: "s" for the initial, "t" for the transition
        probabilities.
        """
        if "s" in parts:
            initial = torch.where(self.initial == 0, 0, (initial_prior - 1 + counts.initial).clamp(min=0))
            self.set_initial(torch.where(initial.sum() == 0, self.initial, normalised(initial)))
        if "t" in parts:
            weights = torch.where(self.transitions == 0, 0, transition_prior - 1 + counts.transitions)
            pooled = torch.zeros_like(weights)
            pooled[self.source, self.target] = self._pooled(weights).clamp(min=0)[self.group]
            unseen = pooled.sum(-1, keepdim=True) == 0
            self.set_transitions(torch.where(unseen, self.transitions, normalised(pooled)))

    def draw(self, count: int, generator: torch.Generator, begin: int | None = None) -> Tensor:
        """(count,) states, one after another on the CPU, the first being ``begin`` if that is given.

        Fewer where nothing follows a state.
        """
        rows = self.transitions.cpu().cumsum(1)
        first = self.initial.cpu().cumsum(0)
        states = torch.empty(count, dtype=torch.int64)
        for index, number in enumerate(torch.rand(count, dtype=rows.dtype, generator=generator)):
            chances = rows[states[index - 1]] if index else first
            if not chances[-1] > 0:
                return states[:index]
            states[index] = torch.searchsorted(chances, number * chances[-1], right=True)
            if index == 0 and begin is not None:
                states[0] = begin
        return states

    def free_parameters(self) -> int:
        """How many numbers it takes: transitions that differ, but for one in each row that differs."""
        rows = {tuple(sorted(self.group[self.source == state].tolist())) for state in range(self.n_states)}
        return int(self.topology.first.sum()) - 1 + len(self.transition_logits) - len(rows - {()})

    def log_initial(self) -> Tensor:
        """(S,) logarithms of :attr:`initial`, with gradients."""
        return self.initial_logits.log_softmax(-1)

    def log_transitions(self) -> Tensor:
        """(S, S) logarithms of :attr:`transitions`, with gradients."""
        matrix = self.transition_logits.new_full((self.n_states, self.n_states), -torch.inf)
        matrix = matrix.index_put((self.source, self.target), self.transition_logits[self.group])
        dead = (matrix == -torch.inf).all(-1, keepdim=True)
        return matrix.masked_fill(dead, 0.0).log_softmax(-1).masked_fill(dead, -torch.inf)

    def _pooled(self, matrix: Tensor) -> Tensor:
        """(G,) means over the transitions of each group."""
        pooled = matrix.new_zeros(len(self.transition_logits))
        values = matrix[self.source, self.target]
        return pooled.scatter_reduce(0, self.group, values, "mean", include_self=False)


class ChainCounts(NamedTuple):
    """Expected numbers: (S,) sequences that begin in each state, (S, S) passages."""

    initial: Tensor
    transitions: Tensor


def normalised(weights: Tensor) -> Tensor:
    """Weights over their sums along the last axis; zeros stay zeros."""
    total = weights.sum(-1, keepdim=True)
    return weights / torch.where(total == 0, 1, total)


def check_probabilities(values: Tensor, shape: tuple[int, ...], name: str) -> Tensor:
    """The values. Raises ValueError for another shape, or rows that do not add up to 1; rows of a matrix may be 0."""
    if tuple(values.shape) != shape:
        raise ValueError(f"{name} must have shape {shape}, got {tuple(values.shape)}")
    sums = values.sum(-1)
    unused = (sums == 0) & (values.dim() > 1)  # a state that nothing follows
    if bool((values < 0).any()) or not bool(((sums - 1).abs() < 1e-5).logical_or(unused).all()):
        raise ValueError(f"{name} must be probabilities that add up to 1, got sums of {sums.tolist()}")
    return values
