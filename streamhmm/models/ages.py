"""A semi-Markov chain as a plain one: its states are (state, frames that its segment has lasted so far)."""

from __future__ import annotations

import torch
from torch import Tensor

from streamhmm.graph import Graph
from streamhmm.models.chain import Chain
from streamhmm.models.durations import log_survival


class AgeChain:
    """What a stream needs of a chain, for segments that go on: each frame they end or grow older, by how many last
    longer.

    At most S · D states and S · D · S transitions: from (s, d) to (s, d + 1), by P(more than d) / P(d or more), and to
    (s', 1), by P(d) / P(d or more) · P(s' after s). A path's score is that of its segments, the last one censored;
    unless ``censored``, the last one has to end at the end.

    Args:
        chain: of segments, as it is now.
        durations: (S, D) logarithms of the probabilities of 1 … D frames.
    """

    def __init__(self, chain: Chain, durations: Tensor, censored: bool) -> None:
        survival = log_survival(durations)
        alive = survival > -torch.inf
        state, age = alive.nonzero(as_tuple=True)
        number = (alive.flatten().cumsum(0) - 1).reshape(alive.shape)
        self.n_states = len(state)
        self.pdfs = chain.topology.pdfs[state.cpu()]
        self.n_emissions = chain.topology.n_emissions
        self.initial = torch.where(age == 0, chain.initial[state], 0.0)
        hazard = (durations - survival)[state, age]  # log P(it ends now)
        last = torch.zeros_like(hazard) if censored else hazard
        self._last = last.masked_fill(~chain.topology.last.to(state.device)[state], -torch.inf)
        self.ends_anywhere = bool((self._last == 0).all())
        older = (age + 1 < durations.shape[1]).nonzero()[:, 0]
        older = older[alive[state[older], age[older] + 1]]
        grown = survival[state[older], age[older] + 1] - survival[state[older], age[older]]
        leaving, entered = self._left(chain, state, hazard)
        moved = hazard[leaving] + chain.log_transitions().detach()[state[leaving], entered]
        self._source = torch.cat((older, leaving))
        self._target = torch.cat((older + 1, number[entered, 0]))
        self._weights = torch.cat((grown, moved))
        self._passage = self._weights.exp()
        self._graphs: dict[bool, tuple[Tensor, Graph]] = {}

    def step(self, probabilities: Tensor) -> Tensor:
        """Probabilities of the states one frame later."""
        passed = probabilities[self._source] * self._passage
        return torch.zeros_like(probabilities).index_add_(0, self._target, passed)

    def graph(self, initial: Tensor | None = None, may_end_anywhere: bool = False) -> Graph:
        """As :meth:`Chain.graph`. There is one graph of either kind, whose ``initial`` changes: making one takes longer
        than a frame."""
        if may_end_anywhere not in self._graphs:
            begin = self.initial.log()
            self._graphs[may_end_anywhere] = begin, self._make_graph(begin, may_end_anywhere)
        begin, graph = self._graphs[may_end_anywhere]
        begin.copy_(self.initial.log() if initial is None else initial)
        return graph

    def _make_graph(self, initial: Tensor, may_end_anywhere: bool) -> Graph:
        final = torch.zeros_like(self._last) if may_end_anywhere else self._last
        arcs = self._source.cpu(), self._target.cpu(), self._weights
        return Graph.from_arcs(self.n_states, *arcs, pdfs=self.pdfs, initial=initial, final=final)

    @staticmethod
    def _left(chain: Chain, state: Tensor, hazard: Tensor) -> tuple[Tensor, Tensor]:
        """Pairs of an (state, age) that may end and a state that may follow."""
        follows = chain.topology.allowed.to(state.device)[state] & (hazard > -torch.inf)[:, None]
        leaving, entered = follows.nonzero(as_tuple=True)
        return leaving, entered
