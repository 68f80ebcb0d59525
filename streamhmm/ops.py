"""The engine's operations on tensors: checks, memory budget, registration with ``torch.library``, gradients.

The recursions stand in csrc/viterbi.h and csrc/forward_backward.h, the slow and obvious version in ``reference.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from streamhmm import _C
from streamhmm.graph import Graph, pack_structure
from streamhmm.memory import default_memory_budget

GraphOrGraphs = Graph | Sequence[Graph]
Lengths = Tensor | Sequence[int] | None


class Path(NamedTuple):
    """A best path: ``states`` (B, T) int64, −1 past the lengths or where no path fits, and its ``score`` (B,) float64.

    Without a batch axis in the scores, (T,) and ().
    """

    states: Tensor
    score: Tensor


def viterbi(scores: Tensor, graph: GraphOrGraphs, lengths: Lengths = None, *, memory_budget: int | None = None) -> Path:
    """The best path of each sequence through its graph (Viterbi 1967).

    Ties go to the lowest source state, at the end to the lowest state. The score is the path's own, summed in double.

    Args:
        scores: (T, V) or (B, T, V) log-likelihoods; float16, bfloat16, float32 or float64. −inf forbids.
        graph: one :class:`Graph`, or a list of B.
        lengths: (B,) frames of each sequence; all T by default.
        memory_budget: bytes for back-pointers; beyond it parts are computed twice, with the same result. By default
            256 MiB or a quarter of the memory limit, whichever is less.

    Returns:
        :class:`Path`; where no path fits, or for no frames, states −1 and score −inf.

    Raises:
        ValueError, TypeError: for arguments that are not as said; NaN or +inf in a column that the graph reads.
    """
    call = _prepare(scores, graph, lengths, memory_budget)
    return Path(*_VITERBI(*call.constants))


def log_likelihood(
    scores: Tensor, graph: GraphOrGraphs, lengths: Lengths = None, *, memory_budget: int | None = None
) -> Tensor:
    """The logarithm of the sum over all paths of each sequence (the forward algorithm).

    Differentiable to the scores and to the graph's weights; the gradient is the posteriors. Arguments and errors as in
    :func:`viterbi`.

    Returns:
        (B,) float64, or () without a batch axis; −inf where no path fits (its gradients are 0).
    """
    call = _prepare(scores, graph, lengths, memory_budget)
    result: Tensor = _LOG_LIKELIHOOD(*call.arguments)
    return result


def posteriors(
    scores: Tensor,
    graph: GraphOrGraphs,
    lengths: Lengths = None,
    by: str = "state",
    *,
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
    result: Tensor = _POSTERIORS(*call.constants, 0 if by == "pdf" else states)
    return result


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
    if memory_budget is None:
        memory_budget = default_memory_budget()
    elif memory_budget < 0:
        raise ValueError(f"memory_budget must be at least 0 bytes, got {memory_budget}")
    arguments = (scores, _check_lengths(lengths, scores), structure, weights, int(memory_budget))
    return _Call(arguments, graphs)


def _check_graphs(graph: GraphOrGraphs, scores: Tensor) -> Sequence[Graph]:
    batch, _, columns = _sizes(scores)
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
    return graphs


def _packed(graphs: Sequence[Graph], dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    if len(graphs) == 1:
        return graphs[0].structure, graphs[0].packed_weights(dtype)
    if not graphs:
        return torch.zeros(1, dtype=torch.int32), torch.zeros(0, dtype=dtype)
    return pack_structure(graphs), torch.cat([graph.packed_weights(dtype) for graph in graphs])


def _check_lengths(lengths: Lengths, scores: Tensor) -> Tensor | None:
    if lengths is None:
        return None
    tensor = torch.as_tensor(lengths)
    if scores.dim() == 2 and tensor.dim() == 0:
        tensor = tensor.unsqueeze(0)
    batch, frames, _ = _sizes(scores)
    if tuple(tensor.shape) != (batch,):
        raise ValueError(f"lengths must be ({batch},), one a sequence, got shape {tuple(tensor.shape)}")
    if tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool:
        raise TypeError(f"lengths must be integers, got {tensor.dtype}")
    tensor = tensor.to("cpu", torch.int64).contiguous()
    if batch > 0 and not 0 <= int(tensor.min()) <= int(tensor.max()) <= frames:
        raise ValueError(f"lengths must be in 0…{frames}, got {tensor.tolist()}")
    return tensor


def _sizes(scores: Tensor) -> tuple[int, int, int]:
    """(B, T, V); B is 1 without a batch axis."""
    shape = scores.shape
    return (1, shape[0], shape[1]) if len(shape) == 2 else (shape[0], shape[1], shape[2])


# From here on: the operations as torch sees them. Results have a batch axis where the scores have one.


def _batch(scores: Tensor, lengths: Tensor | None, structure: Tensor, weights: Tensor, memory_budget: int) -> _C.Batch:
    batch, frames, columns = _sizes(scores)
    *batch_stride, frame_stride, _ = scores.stride()
    return _C.Batch(
        scores.data_ptr(),
        scores.dtype == torch.float64,
        batch,
        frames,
        columns,
        batch_stride[0] if batch_stride else 0,
        frame_stride,
        0 if lengths is None else lengths.data_ptr(),
        structure.data_ptr(),
        structure.numel(),
        weights.data_ptr(),
        weights.numel(),
        memory_budget,
        torch.get_num_threads(),
    )


def _viterbi_cpu(scores: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    shape = scores.shape
    states = torch.empty(shape[:-1], dtype=torch.int64)
    score = torch.empty(shape[:-2], dtype=torch.float64)
    _C.viterbi(_batch(scores, *rest), states.data_ptr(), score.data_ptr())
    return states, score


def _log_likelihood_cpu(scores: Tensor, *rest: Any) -> Tensor:
    result = torch.empty(scores.shape[:-2], dtype=torch.float64)
    _C.forward_backward(_batch(scores, *rest), result.data_ptr(), 0, 0, 0, 0, 0)
    return result


def _posteriors_cpu(
    scores: Tensor, lengths: Tensor | None, structure: Tensor, weights: Tensor, memory_budget: int, states: int
) -> Tensor:
    result = scores.new_zeros((*scores.shape[:-1], states or scores.shape[-1]))
    by_state, by_pdf = (result.data_ptr(), 0) if states else (0, result.data_ptr())
    call = _batch(scores, lengths, structure, weights, memory_budget)
    _C.forward_backward(call, 0, by_state, states, by_pdf, 0, 0)
    return result


def _gradients_cpu(
    grad: Tensor,
    scores: Tensor,
    lengths: Tensor | None,
    structure: Tensor,
    weights: Tensor,
    memory_budget: int,
    wants_weights: bool,
) -> tuple[Tensor, Tensor]:
    batch, size = _sizes(scores)[0], weights.numel()
    by_pdf = torch.zeros(scores.shape, dtype=scores.dtype)
    shared = int(structure[0]) == 1
    counts = torch.zeros((batch if shared else 1, size if wants_weights else 0), dtype=torch.float64)
    call = _batch(scores, lengths, structure, weights, memory_budget)
    total = torch.empty(scores.shape[:-2], dtype=torch.float64)
    stride = size if shared else 0
    to_counts = counts.data_ptr() if wants_weights else 0
    _C.forward_backward(call, total.data_ptr(), 0, 0, by_pdf.data_ptr(), to_counts, stride)
    grad = grad.masked_fill(total == float("-inf"), 0.0)  # where no path fits, whatever comes from above
    by_pdf.mul_(grad.to(scores.dtype)[..., None, None])
    if not wants_weights:
        return by_pdf, counts[0].to(scores.dtype)
    grad = grad.reshape(batch)
    per_weight = grad if shared else _spread(grad, structure, size)
    return by_pdf, (per_weight @ counts if shared else per_weight * counts[0]).to(scores.dtype)


def _spread(grad: Tensor, structure: Tensor, size: int) -> Tensor:
    """Each sequence's gradient at the places of its graph's packed weights."""
    starts = structure[1 : 1 + 6 * len(grad)].view(-1, 6)[:, 5].to(torch.int64)
    ends = torch.cat([starts[1:], torch.tensor([size])])
    return torch.repeat_interleave(grad, ends - starts)


_OPERANDS = "Tensor scores, Tensor? lengths, Tensor structure, Tensor weights, int memory_budget"
_LIBRARY = torch.library.Library("streamhmm", "DEF")
_LIBRARY.define(f"viterbi({_OPERANDS}) -> (Tensor, Tensor)")
_LIBRARY.define(f"log_likelihood({_OPERANDS}) -> Tensor")
_LIBRARY.define(f"posteriors({_OPERANDS}, int states) -> Tensor")
_LIBRARY.define(f"gradients(Tensor grad, {_OPERANDS}, bool wants_weights) -> (Tensor, Tensor)")
_LIBRARY.impl("viterbi", _viterbi_cpu, "CPU")
_LIBRARY.impl("log_likelihood", _log_likelihood_cpu, "CPU")
_LIBRARY.impl("posteriors", _posteriors_cpu, "CPU")
_LIBRARY.impl("gradients", _gradients_cpu, "CPU")

# Looking an operation up by name costs as much as dispatching it.
_VITERBI = torch.ops.streamhmm.viterbi.default
_LOG_LIKELIHOOD = torch.ops.streamhmm.log_likelihood.default
_POSTERIORS = torch.ops.streamhmm.posteriors.default
_GRADIENTS = torch.ops.streamhmm.gradients.default


@torch.library.register_fake("streamhmm::viterbi", lib=_LIBRARY)
def _viterbi_fake(scores: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    shape = scores.shape
    return scores.new_empty(shape[:-1], dtype=torch.int64), scores.new_empty(shape[:-2], dtype=torch.float64)


@torch.library.register_fake("streamhmm::log_likelihood", lib=_LIBRARY)
def _log_likelihood_fake(scores: Tensor, *rest: Any) -> Tensor:
    return scores.new_empty(scores.shape[:-2], dtype=torch.float64)


@torch.library.register_fake("streamhmm::posteriors", lib=_LIBRARY)
def _posteriors_fake(scores: Tensor, *rest: Any) -> Tensor:
    return scores.new_empty((*scores.shape[:-1], rest[-1] or scores.shape[-1]))


@torch.library.register_fake("streamhmm::gradients", lib=_LIBRARY)
def _gradients_fake(grad: Tensor, scores: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    weights = rest[2]
    return torch.empty_like(scores), weights.new_empty(weights.numel() if rest[-1] else 0)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    *tensors, ctx.memory_budget = inputs
    ctx.save_for_backward(*tensors)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    wants_scores, _, _, wants_weights, _ = ctx.needs_input_grad
    by_pdf, by_weight = _GRADIENTS(grad, *ctx.saved_tensors, ctx.memory_budget, wants_weights)
    return by_pdf if wants_scores else None, None, None, by_weight if wants_weights else None, None


def _backward_of_backward(ctx: Any, *grads: Tensor) -> None:
    raise NotImplementedError("log_likelihood has first derivatives only")


torch.library.register_autograd("streamhmm::log_likelihood", _backward, setup_context=_setup_context, lib=_LIBRARY)
torch.library.register_autograd("streamhmm::gradients", _backward_of_backward, lib=_LIBRARY)
