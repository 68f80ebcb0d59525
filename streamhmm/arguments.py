"""The checks of the engine's arguments, once for all operations, and the form in which operations take them.

Nothing here looks at values in scores or lengths, so that tracing (``torch.compile``, ``torch.export``) passes through;
those are checked by the operations themselves.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from streamhmm.graph import Graph
from streamhmm.library import DEFAULT_BUDGET, HALF_PRECISION, sizes, weights_dtype
from streamhmm.packing import check_weights

GraphOrGraphs = Graph | Sequence[Graph]
Lengths = Tensor | Sequence[int] | None
Durations = Tensor | Sequence[Sequence[float]] | None
SemiMarkovArguments = tuple[Tensor, Tensor, Tensor | None, Tensor, Tensor, int]


class Call(NamedTuple):
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
        return scores, self._check_durations(durations), lengths, structure, weights, memory_budget

    def constants_with(self, durations: Durations) -> SemiMarkovArguments:
        scores, lengths, structure, weights, memory_budget = self.constants
        return scores, self._check_durations(durations).detach(), lengths, structure, weights, memory_budget

    def _check_durations(self, durations: Durations) -> Tensor:
        return _check_durations(durations, self.graphs, self.arguments[0].device)

    @property
    def states(self) -> int:
        """States of the largest graph."""
        return max([0, *(graph.num_states for graph in self.graphs)])


def prepare(scores: Tensor, graph: GraphOrGraphs, lengths: Lengths, memory_budget: int | None) -> Call:
    """The arguments of an operation, checked. Raises ValueError or TypeError naming the one that is wrong."""
    if not isinstance(scores, Tensor):
        raise TypeError(f"scores must be a torch.Tensor, got {type(scores).__name__}")
    if scores.dim() not in (2, 3):
        raise ValueError(f"scores must be (B, T, V) or (T, V), got shape {tuple(scores.shape)}")
    if scores.dtype not in (torch.float32, torch.float64):
        if scores.dtype not in HALF_PRECISION:
            raise TypeError(f"scores must be float16, bfloat16, float32 or float64, got {scores.dtype}")
        if not scores.is_cuda:  # whose kernels read them as they are
            scores = scores.float()
    if scores.stride(-1) != 1 and scores.shape[-1] != 1:
        scores = scores.contiguous()
    graphs = _check_graphs(graph, scores)
    structure, weights = packed(graphs, weights_dtype(scores.dtype), scores.device)
    arguments = (scores, _check_lengths(lengths, scores), structure, weights, _check_budget(memory_budget))
    return Call(arguments, graphs)


def _check_budget(memory_budget: int | None) -> int:
    if memory_budget is None:
        return DEFAULT_BUDGET
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


def _check_durations(durations: Durations, graphs: Sequence[Graph], device: torch.device) -> Tensor:
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
    weights = weights.to(device, torch.float64).contiguous()
    check_weights(weights, "durations")
    return weights


def packed(graphs: Sequence[Graph], dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """The structure and the weights of csrc/graph.h."""
    if len(graphs) == 1:
        return graphs[0].structure, graphs[0].packed_weights(dtype, device)
    if not graphs:
        return torch.zeros(1, dtype=torch.int32), torch.zeros(0, dtype=dtype, device=device)
    return Graph.structure_of(graphs), Graph.weights_of(graphs, dtype, device)


def _check_lengths(lengths: Lengths, scores: Tensor) -> Tensor | None:
    if lengths is None:
        return None
    tensor = torch.as_tensor(lengths)
    if scores.dim() == 2 and tensor.dim() == 0:
        tensor = tensor.unsqueeze(0)
    batch = sizes(scores)[0]
    if tuple(tensor.shape) != (batch,):
        raise ValueError(f"lengths must be ({batch},), one a sequence, got shape {tuple(tensor.shape)}")
    if batch > 0 and (tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool):
        raise TypeError(f"lengths must be integers, got {tensor.dtype}")
    return tensor.to(scores.device, torch.int64, non_blocking=scores.is_cuda).contiguous()


def check_by(by: str) -> None:
    if by not in ("state", "pdf"):
        raise ValueError(f'by must be "state" or "pdf", got {by!r}')


def check_constraints(
    call: Call, allowed: Tensor | None, fixed: Tensor | Sequence[int] | Sequence[Sequence[int]] | None
) -> tuple[Tensor | None, Tensor | None]:
    """The constraints of ``viterbi`` as the operation takes them; it checks the fixed states themselves."""
    shape = tuple(call.arguments[0].shape[:-1])
    if allowed is not None:
        if not isinstance(allowed, Tensor) or allowed.dtype != torch.bool:
            kind = allowed.dtype if isinstance(allowed, Tensor) else type(allowed).__name__
            raise TypeError(f"allowed must be a tensor of bool, got {kind}")
        _check_shape(allowed, [(*shape[-1:], call.states), (*shape, call.states)], "allowed")
        allowed = allowed.to(call.arguments[0].device).contiguous()
    if fixed is not None:
        fixed = torch.as_tensor(fixed)
        if fixed.is_floating_point() or fixed.is_complex() or fixed.dtype == torch.bool:
            raise TypeError(f"fixed must be integers, got {fixed.dtype}")
        _check_shape(fixed, [shape[-1:], shape], "fixed")
        fixed = fixed.to(call.arguments[0].device, torch.int64).contiguous()
    return allowed, fixed


def _check_shape(constraint: Tensor, shapes: Sequence[tuple[int, ...]], name: str) -> None:
    if tuple(constraint.shape) not in shapes:
        wanted = " or ".join(str(shape) for shape in dict.fromkeys(shapes))
        raise ValueError(f"{name} must be {wanted}, got shape {tuple(constraint.shape)}")


def check_beam(beam: float | None) -> float:
    if beam is None:
        return float("inf")
    if not isinstance(beam, (int, float)):
        raise TypeError(f"beam must be a number of nats or None, got {type(beam).__name__}")
    if not beam > 0:
        raise ValueError(f"beam must be above 0 nats, got {beam}")
    return float(beam)
