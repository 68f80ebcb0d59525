"""Expected counts: how often each arc is passed on average; with all else that the expectation step of EM needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from streamhmm.arguments import Call, GraphOrGraphs, Lengths, prepare
from streamhmm.graph import Graph
from streamhmm.library import sizes
from streamhmm.library_sums import EXPECTED_COUNTS, FORWARD_BACKWARD


class ExpectedCounts(NamedTuple):
    """Expected numbers of passages, float64: ``arcs`` (B, A), ``initial`` (B, S) starts, ``final`` (B, S) ends.

    Arcs stand in the order in which the graph was given them: those of ``Graph.from_arcs`` as they came; of
    ``Graph.linear`` and ``Graph.ctc`` the S self loops, the S−1 advances, then the S−2 skips where there are any, each
    by source state; of ``Graph.dense`` as its transitions, (B, S, S) or (B, T, S, S). Without a batch axis in the
    scores, or summed over it, the first axis is missing.
    """

    arcs: Tensor
    initial: Tensor
    final: Tensor


class ForwardBackward(NamedTuple):
    """``log_likelihood`` (B,) float64, ``posteriors`` (B, T, V) of the score columns, and the expected ``counts``."""

    log_likelihood: Tensor
    posteriors: Tensor
    counts: ExpectedCounts


def expected_counts(
    scores: Tensor,
    graph: GraphOrGraphs,
    lengths: Lengths = None,
    *,
    reduction: str = "none",
    memory_budget: int | None = None,
) -> ExpectedCounts:
    """How often each arc is passed and each state is the first or the last, on average over the posterior over paths
    (Baum and Welch's expectation step).

    Σ_t p(arc passed between t−1 and t | all frames), summed in double. It is the gradient of the log-likelihood to the
    weights; parallel arcs share a passage in proportion to exp(weight). Arguments and errors as in :func:`viterbi`.

    Args:
        reduction: "none": counts of each sequence, zero-padded where graphs differ in size; "sum": over the batch, a
            shared graph's B copies never being held at once.

    Returns:
        :class:`ExpectedCounts`; 0 where no path fits.
    """
    call = prepare(scores, graph, lengths, memory_budget)
    return _delivered(EXPECTED_COUNTS(*call.constants, _rows(call, graph, reduction)), call, graph, reduction)


def forward_backward(
    scores: Tensor,
    graph: GraphOrGraphs,
    lengths: Lengths = None,
    *,
    reduction: str = "none",
    memory_budget: int | None = None,
) -> ForwardBackward:
    """:func:`log_likelihood`, :func:`posteriors` by pdf and :func:`expected_counts` from one pass there and back.

    Without gradients. Arguments and errors as in :func:`expected_counts`.
    """
    call = prepare(scores, graph, lengths, memory_budget)
    rows = _rows(call, graph, reduction)
    log_likelihood, posteriors, counts = FORWARD_BACKWARD(*call.constants, rows)
    return ForwardBackward(log_likelihood, posteriors, _delivered(counts, call, graph, reduction))


def _rows(call: Call, graph: GraphOrGraphs, reduction: str) -> int:
    """How many rows of counts an operation is to give."""
    if reduction not in ("none", "sum"):
        raise ValueError(f'reduction must be "none" or "sum", got {reduction!r}')
    return sizes(call.arguments[0])[0] if isinstance(graph, Graph) and reduction == "none" else 1


def _delivered(counts: Tensor, call: Call, graph: GraphOrGraphs, reduction: str) -> ExpectedCounts:
    """Packed counts as the caller wants them."""
    alone = call.arguments[0].dim() == 2
    if isinstance(graph, Graph):
        result = _in_given_order(counts, graph)
        return ExpectedCounts(*(each[0] for each in result)) if alone or reduction == "sum" else result
    result = _stacked(counts[0], call.graphs)
    if reduction == "sum":
        _check_alike(call.graphs)
        return ExpectedCounts(*(each.sum(0) for each in result))
    return ExpectedCounts(*(each[0] for each in result)) if alone else result


def _stacked(packed: Tensor, graphs: Sequence[Graph]) -> ExpectedCounts:
    """The counts of each sequence's own graph, zero-padded to the largest."""
    if not graphs:
        return ExpectedCounts(*(packed.new_zeros(0, 0) for _ in ExpectedCounts._fields))
    parts = packed.split([graph.num_weights for graph in graphs])
    each = [_in_given_order(part, graph) for part, graph in zip(parts, graphs, strict=True)]
    return ExpectedCounts(*(_padded(counts) for counts in zip(*each, strict=True)))


def _padded(counts: Sequence[Tensor]) -> Tensor:
    if any(each.dim() != counts[0].dim() for each in counts):
        raise ValueError(
            "graph must be a list of matrices of one kind or of none, as counts have the shape of the arcs"
        )
    widest = [max(sizes) for sizes in zip(*(each.shape for each in counts), strict=True)]
    return torch.stack([each if list(each.shape) == widest else _pad(each, widest) for each in counts])


def _pad(counts: Tensor, shape: Sequence[int]) -> Tensor:
    missing = [(0, wide - own) for wide, own in zip(shape, counts.shape, strict=True)]
    return pad(counts, [end for axis in reversed(missing) for end in axis])


def _in_given_order(packed: Tensor, graph: Graph) -> ExpectedCounts:
    """Packed counts (…, weights of the graph) by arc and state."""
    *_, initial, final = packed.split([piece.size for piece in graph.pieces], -1)
    return ExpectedCounts(graph.counts_of_arcs(packed), initial, final)


def _check_alike(graphs: Sequence[Graph]) -> None:
    for graph in graphs:
        if (graph.num_states, graph.num_arcs) != (graphs[0].num_states, graphs[0].num_arcs):
            raise ValueError(
                'reduction="sum" needs graphs of the same size, got '
                f"{graphs[0].num_states} states with {graphs[0].num_arcs} arcs and "
                f"{graph.num_states} with {graph.num_arcs}"
            )
