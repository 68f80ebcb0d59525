"""Transitions that vary with time, through graphs that don't."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from streamhmm.graph import Graph
from streamhmm.models.chain import Chain

WIDEST = 16  # pairs of transitions for each cell of a matrix, beyond which the matrices are faster
SHORT_ROW = 8  # torch's log_softmax takes several times as long as its parts on rows so short


class ArcChain(nn.Module):
    """A chain whose states are the A transitions of another, then the F states in which that may begin.

    To be in (i → j) in frame t is to have come from i to j: it scores log p_t(j | i) + score_t[j], and (j → k) may
    follow at no cost. What varies with time so stands in the scores, (T, A + F), and whatever takes scores and a graph
    (sums, best paths, streams) serves as it is. Work grows with Σ_j (transitions into j) · (transitions from j); where
    that is ``too_wide``, whole sequences had better have graphs with a matrix for each frame.
    """

    group: Tensor
    rows: Tensor
    places: Tensor
    cells: Tensor
    begins: Tensor
    pdfs: Tensor

    def __init__(self, chain: Chain) -> None:
        super().__init__()
        topology = chain.topology
        source, target, group = (each.cpu() for each in (chain.source, chain.target, chain.group))
        begins = topology.first.nonzero()[:, 0]
        entered = torch.cat((target, begins))
        self.n_arcs, self.n_groups, self._n_own = len(source), len(chain.transition_logits), topology.n_states
        self.n_emissions = topology.n_emissions
        own_emissions = torch.equal(topology.pdfs, torch.arange(topology.n_states))
        self._any_follows_any = own_emissions and bool(topology.allowed.all())
        self._may_begin = torch.arange(len(entered)) >= self.n_arcs
        self._may_end = topology.last[entered]
        before, after = (entered[:, None] == source).nonzero(as_tuple=True)
        self._follows = before, after
        self.too_wide = len(before) > WIDEST * topology.n_states**2
        self._own_pdfs, self._own_last = topology.pdfs, topology.last
        rows, places = _by_source(source)
        named = {"group": group, "rows": rows, "places": places, "begins": begins, "pdfs": topology.pdfs[entered]}
        for name, values in {**named, "cells": source * topology.n_states + target}.items():
            self.register_buffer(name, values, persistent=False)
        self._whole = self.graph()

    @property
    def n_states(self) -> int:
        """A + F."""
        return len(self.pdfs)

    @property
    def ends_anywhere(self) -> bool:
        """A sequence may end in any state."""
        return bool(self._may_end.all())

    @property
    def initial(self) -> Tensor:
        """(A + F,) 1 where a sequence may begin; how likely that is stands in the scores."""
        return self._may_begin.to(self.pdfs.device, torch.float64)

    def step(self, probabilities: Tensor) -> Tensor:
        """(A + F,) weights of the states one frame later, but for what the scores will tell."""
        before, after = self._follows
        weights = torch.zeros_like(probabilities)
        return weights.index_add_(0, after.to(weights.device), probabilities[before])

    def graph(self, initial: Tensor | None = None, may_end_anywhere: bool = False) -> Graph:
        """The states, each with a score column of its own. ``initial``: (A + F,) logarithms in place of its own."""
        begin = self._may_begin.double().log() if initial is None else initial
        final = torch.zeros(self.n_states, dtype=torch.float64)
        if not may_end_anywhere:
            final = final.masked_fill(~self._may_end, -torch.inf)
        return Graph.from_arcs(self.n_states, *self._follows, 0.0, initial=begin, final=final)

    @property
    def whole(self) -> Graph:
        """The graph of whole sequences."""
        return self._whole

    def log_transitions(self, logits: Tensor) -> Tensor:
        """(B, T, A) logarithms of probabilities, from logits (B, T, G) of what differs or (B, T, S, S)."""
        arcs = self._by_arc(logits)
        if self.rows.numel() == self.n_arcs:
            return log_normalised(self._in_rows(arcs)).flatten(-2)
        padded = torch.cat((arcs, arcs.new_full((*arcs.shape[:-1], 1), -torch.inf)), -1)
        rows = self._in_rows(padded.index_select(-1, self.rows.flatten()))
        return log_normalised(rows).flatten(-2).index_select(-1, self.places)

    def matrices(self, log_transitions: Tensor) -> Tensor:
        """(B, T, S, S) from (B, T, A); −inf where there is no transition."""
        shape = *log_transitions.shape[:-1], self._n_own, self._n_own
        if self.n_arcs == self._n_own**2:
            return log_transitions.reshape(shape)
        matrix = log_transitions.new_full((*shape[:-2], self._n_own**2), -torch.inf)
        return matrix.index_copy(-1, self.cells, log_transitions).reshape(shape)

    def graphs(self, log_transitions: Tensor, log_initial: Tensor) -> list[Graph]:
        """Of the chain's own states, one for each sequence, from (B, T, A) and (S,)."""
        final = log_initial.new_zeros(self._n_own).masked_fill(~self._own_last.to(log_initial.device), -torch.inf)
        ends = {"initial": log_initial, "final": final, "pdfs": self._own_pdfs}
        matrices = self.matrices(log_transitions)
        if not matrices.shape[1]:
            matrices = matrices.new_zeros(len(matrices), 1, self._n_own, self._n_own)
        return [Graph.dense(each, **ends) for each in matrices]

    def scores(self, scores: Tensor, log_transitions: Tensor, log_initial: Tensor) -> Tensor:
        """(…, T, A + F) from (…, T, V) of the emissions, (…, T, A) and (S,)."""
        begun = scores.index_select(-1, self.pdfs[self.n_arcs :]) + log_initial[self.begins]
        if self._any_follows_any:  # and need not be looked up, which takes longer than the sums
            moved = (self._in_rows(log_transitions) + scores[..., None, :]).flatten(-2)
        else:
            moved = log_transitions + scores.index_select(-1, self.pdfs[: self.n_arcs])
        return torch.cat((moved, begun), -1)

    def by_emission(self, posteriors: Tensor) -> Tensor:
        """(…, V): the sums of (…, A + F) over the states of each emission."""
        sums = posteriors.new_zeros(*posteriors.shape[:-1], self.n_emissions)
        return sums.index_add_(-1, self.pdfs, posteriors)

    def _in_rows(self, values: Tensor) -> Tensor:
        return values.reshape(*values.shape[:-1], *self.rows.shape)

    def _by_arc(self, logits: Tensor) -> Tensor:
        if logits.dim() == 4:
            flat = logits.flatten(-2)
            return flat if self.n_arcs == self._n_own**2 else flat.index_select(-1, self.cells)
        return logits if self.n_groups == self.n_arcs else logits.index_select(-1, self.group)


def log_normalised(logits: Tensor) -> Tensor:
    """The logarithms of the softmax along the last axis."""
    if logits.shape[-1] > SHORT_ROW:
        return logits.log_softmax(-1)
    return logits - logits.logsumexp(-1, keepdim=True)


def _by_source(source: Tensor) -> tuple[Tensor, Tensor]:
    """The transitions from each state that any leaves, in rows (R, K) filled up with A; where in them each one is."""
    _, row, counts = source.unique(return_inverse=True, return_counts=True)
    place = torch.arange(len(source)) - (counts.cumsum(0) - counts)[row]
    rows = torch.full((len(counts), int(counts.max()) if len(counts) else 0), len(source))
    rows[row, place] = torch.arange(len(source))
    return rows, row * rows.shape[1] + place
