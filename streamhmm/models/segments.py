"""The paths of a semi-Markov model as the engine takes them: a graph between segments, and how long these last."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from streamhmm.graph import Graph
from streamhmm.models.chain import Chain
from streamhmm.models.durations import log_survival


class SegmentWeights(NamedTuple):
    """Logarithms: (S,) of the first state, (A,) of the transitions that there are, (S, D) of the durations."""

    initial: Tensor
    transitions: Tensor
    durations: Tensor


class Segments(NamedTuple):
    """What ``log_likelihood(scores, graph, durations=durations)`` and its neighbours take."""

    graph: Graph
    durations: Tensor


def segments_of(chain: Chain, weights: SegmentWeights, censored: bool) -> Segments:
    """The segments' graph, with gradients to ``weights``.

    Where the last segment is ``censored`` it may go on behind the end: what counts is the probability to last as long
    as was seen, or longer (Guédon 2003). Each state s has a twin S + s then, that nothing leaves, for a segment that is
    the last. By the chain rule, the gradient by log p(d) counts a last segment by its expected true length.
    """
    topology, states = chain.topology, chain.n_states
    last = torch.zeros_like(weights.initial).masked_fill(~topology.last.to(weights.initial.device), -torch.inf)
    if not censored:
        arcs = chain.source, chain.target, weights.transitions
        graph = Graph.from_arcs(states, *arcs, pdfs=topology.pdfs, initial=weights.initial, final=last)
        return Segments(graph, weights.durations)
    graph = Graph.from_arcs(
        2 * states,
        torch.cat((chain.source, chain.source)),
        torch.cat((chain.target, chain.target + states)),
        torch.cat((weights.transitions, weights.transitions)),
        pdfs=torch.cat((topology.pdfs, topology.pdfs)),
        initial=torch.cat((weights.initial, weights.initial)),
        final=torch.cat((torch.full_like(last, -torch.inf), last)),
    )
    return Segments(graph, torch.cat((weights.durations, log_survival(weights.durations))))
