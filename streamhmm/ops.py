"""The engine's operations on tensors: what they mean, and the checks of their arguments.

The recursions stand in csrc/viterbi.h, csrc/forward_backward.h and csrc/semi_markov.h, the slow and obvious version in
``reference.py``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from streamhmm.graph import Graph
from streamhmm.library import LOG_LIKELIHOOD, POSTERIORS, VITERBI, sizes
from streamhmm.library_semi_markov import SEMI_MARKOV_LOG_LIKELIHOOD, SEMI_MARKOV_POSTERIORS, SEMI_MARKOV_VITERBI
from streamhmm.memory import default_memory_budget
from streamhmm.packing import check_weights, pack_structure

GraphOrGraphs = Graph | Sequence[Graph]
Lengths = Tensor | Sequence[int] | None
Durations = Tensor | Sequence[Sequence[float]] | None


class Path(NamedTuple):
    """A best path: ``states`` (B, T) int64, −1 past the lengths or where no path fits, and its ``score`` (B,) float64.

    Without a batch axis in the scores, (T,) and ().
    """

    states: Tensor
    score: Tensor


def viterbi(
    scores: Tensor,
    graph: GraphOrGraphs,
    lengths: Lengths = None,
    *,
    beam: float | None = None,
    durations: Durations = None,
    memory_budget: int | None = None,
) -> Path:
    """The best path of each sequence through its graph (Viterbi 1967).

    Ties go to the lowest source state, at the end to the lowest state; with ``durations``, going back from there, to
    the shortest duration, then to the lowest source state. The score is the path's own, summed in double.

    Args:
        scores: (T, V) or (B, T, V) log-likelihoods; float16, bfloat16, float32 or float64. −inf forbids.
        graph: one :class:`Graph`, or a list of B.
        lengths: (B,) frames of each sequence; all T by default.
        beam: None for the best path of all, guaranteed. With a number, in nats and above 0, the search is not exact:
            before every 32nd frame, blocks of 64 neighbouring states whose best partial path scores more than ``beam``
            below the best of all are given up. In linear graphs the work then follows the states that are left, not
            the graph's size. Where every path to the end was given up, there is none.
        durations: (S, D) log-weights, entry [s, d−1] of staying d frames in state s: a semi-Markov model (Yu 2010,
            Hidden semi-Markov models). The path is a row of segments of 1 … D frames, the last of which ends with the
            sequence. Arcs are passed between segments only; a self loop joins two segments of one state. Every graph
            must have S states, and transitions that do not vary with time.
        memory_budget: bytes for back-pointers; beyond it parts are computed twice, with the same result. By default
            256 MiB or a quarter of the memory limit, whichever is less.

    Returns:
        :class:`Path`; where no path fits, or for no frames, states −1 and score −inf.

    Raises:
        ValueError, TypeError: for arguments that are not as said; NaN or +inf in a column that the graph reads.
    """
    call = _prepare(scores, graph, lengths, memory_budget)
    if durations is not None:
        if beam is not None:
            raise ValueError("a beam can't be had with durations")
        return Path(*SEMI_MARKOV_VITERBI(*call.constants_with(durations)))
    return Path(*VITERBI(*call.constants, _check_beam(beam)))


def log_likelihood(
    scores: Tensor,
    graph: GraphOrGraphs,
    lengths: Lengths = None,
    *,
    durations: Durations = None,
    memory_budget: int | None = None,
) -> Tensor:
    """The logarithm of the sum over all paths of each sequence (the forward algorithm).

    Differentiable to the scores, to the graph's weights and to ``durations``; the gradient is the posteriors. Arguments
    and errors as in :func:`viterbi`.

    Returns:
        (B,) float64, or () without a batch axis; −inf where no path fits (its gradients are 0).
    """
    call = _prepare(scores, graph, lengths, memory_budget)
    result: Tensor
    if durations is not None:
        result = SEMI_MARKOV_LOG_LIKELIHOOD(*call.arguments_with(durations))
    else:
        result = LOG_LIKELIHOOD(*call.arguments)
    return result


def posteriors(
    scores: Tensor,
    graph: GraphOrGraphs,
    lengths: Lengths = None,
    by: str = "state",
    *,
    durations: Durations = None,
    memory_budget: int | None = None,
) -> Tensor:
    """How probable each state is in each frame, given all frames (forward-backward).

    Arguments and errors as in :func:`viterbi`.

    Args:
        by: "state": (B, T, S), zero-padded where S differs; "pdf": (B, T, V), summed over the states of each score
            column, which is what long audio needs.

    Returns:
        Probabilities in the scores' dtype, at least float32; 0 past the lengths and where no path fits.
    """
    if by not in ("state", "pdf"):
        raise ValueError(f'by must be "state" or "pdf", got {by!r}')
    call = _prepare(scores, graph, lengths, memory_budget)
    states = max((g.num_states for g in call.graphs), default=0)
    width = 0 if by == "pdf" else states
    result: Tensor
    if durations is not None:
        result = SEMI_MARKOV_POSTERIORS(*call.constants_with(durations), width)
    else:
        result = POSTERIORS(*call.constants, width)
    return result


SemiMarkovArguments = tuple[Tensor, Tensor, Tensor | None, Tensor, Tensor, int]


class _Call(NamedTuple):
    arguments: tuple[Tensor, Tensor | None, Tensor, Tensor, int]
    graphs: Sequence[Graph]

    @property
    def constants(self) -> tuple[Tensor, Tensor | None, Tensor, Tensor, int]:
        """The arguments for an operation that no gradient passes."""
        scores, lengths, structure, weights, memory_budget = self.arguments
        if not (scores.requires_grad or weights.requires_grad):
            return self.arguments
        return scores.detach(), lengths, structure, weights.detach(), memory_budget

    def arguments_with(self, durations: Durations) -> SemiMarkovArguments:
        scores, lengths, structure, weights, memory_budget = self.arguments
        return scores, _check_durations(durations, self.graphs), lengths, structure, weights, memory_budget

    def constants_with(self, durations: Durations) -> SemiMarkovArguments:
        scores, lengths, structure, weights, memory_budget = self.constants
        return scores, _check_durations(durations, self.graphs).detach(), lengths, structure, weights, memory_budget


def _prepare(scores: Tensor, graph: GraphOrGraphs, lengths: Lengths, memory_budget: int | None) -> _Call:
    if not isinstance(scores, Tensor):
        raise TypeError(f"scores must be a torch.Tensor, got {type(scores).__name__}")
    if scores.dim() not in (2, 3):
        raise ValueError(f"scores must be (B, T, V) or (T, V), got shape {tuple(scores.shape)}")
    if scores.dtype not in (torch.float32, torch.float64):
        if scores.dtype not in (torch.float16, torch.bfloat16):
            raise TypeError(f"scores must be float16, bfloat16, float32 or float64, got {scores.dtype}")
        scores = scores.float()
    if scores.stride(-1) != 1 and scores.shape[-1] != 1:
        scores = scores.contiguous()
    graphs = _check_graphs(graph, scores)
    structure, weights = _packed(graphs, scores.dtype)
    arguments = (scores, _check_lengths(lengths, scores), structure, weights, _check_budget(memory_budget))
    return _Call(arguments, graphs)


def _check_budget(memory_budget: int | None) -> int:
    if memory_budget is None:
        return default_memory_budget()
    if not isinstance(memory_budget, int):
        raise TypeError(f"memory_budget must be a whole number of bytes, got {memory_budget!r}")
    if memory_budget < 0:
        raise ValueError(f"memory_budget must be at least 0 bytes, got {memory_budget}")
    return min(memory_budget, sys.maxsize)


def _check_graphs(graph: GraphOrGraphs, scores: Tensor) -> Sequence[Graph]:
    batch, frames, columns = sizes(scores)
    if isinstance(graph, Graph):
        graphs: Sequence[Graph] = (graph,)
    elif not isinstance(graph, Sequence):
        raise TypeError(f"graph must be a Graph or a list of them, got {type(graph).__name__}")
    elif len(graph) != batch:
        raise ValueError(f"graph must be one Graph or a list of {batch}, one a sequence, got {len(graph)}")
    else:
        graphs = graph
    for g in graphs:
        if not isinstance(g, Graph):
            raise TypeError(f"graph must be a Graph or a list of them, got {type(g).__name__}")
        if g.num_pdfs > columns:
            raise ValueError(f"graph reads score column {g.num_pdfs - 1}, but scores have {columns} columns")
        if g.num_slices is not None and g.num_slices < frames:
            raise ValueError(f"graph has transitions for {g.num_slices} frames, but scores have {frames} frames")
    return graphs


def _check_durations(durations: Durations, graphs: Sequence[Graph]) -> Tensor:
    try:
        weights = torch.as_tensor(durations)
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"durations must be a tensor or rows of numbers, got {type(durations).__name__}") from None
    if weights.is_complex() or weights.dtype == torch.bool:
        raise TypeError(f"durations must be real numbers, got {weights.dtype}")
    if weights.dim() != 2 or 0 in weights.shape:
        raise ValueError(f"durations must be (S, D) with S and D at least 1, got shape {tuple(weights.shape)}")
    for graph in graphs:
        if graph.num_states != weights.shape[0]:
            raise ValueError(
                f"durations must have a row for each of the graph's {graph.num_states} states,"
                f" got shape {tuple(weights.shape)}"
            )
        if graph.num_slices is not None:
            raise ValueError("durations are not supported with transitions that vary with time")
    weights = weights.to("cpu", torch.float64).contiguous()
    check_weights(weights, "durations")
    return weights


def _packed(graphs: Sequence[Graph], dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    if len(graphs) == 1:
        return graphs[0].structure, graphs[0].packed_weights(dtype)
    if not graphs:
        return torch.zeros(1, dtype=torch.int32), torch.zeros(0, dtype=dtype)
    return pack_structure(graphs), torch.cat([graph.packed_weights(dtype) for graph in graphs])


def _check_beam(beam: float | None) -> float:
    if beam is None:
        return float("inf")
    if not isinstance(beam, (int, float)):
        raise TypeError(f"beam must be a number of nats or None, got {type(beam).__name__}")
    if not beam > 0:
        raise ValueError(f"beam must be above 0 nats, got {beam}")
    return float(beam)


def _check_lengths(lengths: Lengths, scores: Tensor) -> Tensor | None:
    if lengths is None:
        return None
    tensor = torch.as_tensor(lengths)
    if scores.dim() == 2 and tensor.dim() == 0:
        tensor = tensor.unsqueeze(0)
    batch, frames, _ = sizes(scores)
    if tuple(tensor.shape) != (batch,):
        raise ValueError(f"lengths must be ({batch},), one a sequence, got shape {tuple(tensor.shape)}")
    if batch > 0 and (tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool):
        raise TypeError(f"lengths must be integers, got {tensor.dtype}")
    tensor = tensor.to("cpu", torch.int64).contiguous()
    if batch > 0 and not 0 <= int(tensor.min()) <= int(tensor.max()) <= frames:
        raise ValueError(f"lengths must be in 0…{frames}, got {tensor.tolist()}")
    return tensor
