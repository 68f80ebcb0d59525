"""The engine's three main operations on tensors, and what they mean.

The recursions stand in csrc/viterbi.h, csrc/constrained_viterbi.h, csrc/forward_backward.h and csrc/semi_markov.h, the
slow and obvious version in ``reference.py``, the checks of the arguments in ``arguments.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from torch import Tensor

import streamhmm.library_cuda
import streamhmm.library_cuda_semi_markov  # noqa: F401  (registers the kernels for CUDA)
from streamhmm.arguments import Durations, GraphOrGraphs, Lengths, check_beam, check_by, check_constraints, prepare
from streamhmm.library import CONSTRAINED_VITERBI, LOG_LIKELIHOOD, call_posteriors, call_viterbi
from streamhmm.library_semi_markov import SEMI_MARKOV_LOG_LIKELIHOOD, SEMI_MARKOV_POSTERIORS, SEMI_MARKOV_VITERBI


class Path(NamedTuple):
    """A best path: ``states`` (B, T) int64, −1 past the lengths or where no path fits, and its ``score`` (B,) float64.

    Without a batch axis in the scores, (T,) and ().
    """

    states: Tensor
    score: Tensor


Result = TypeVar("Result", bound="Tensor | tuple[Tensor, ...]")


def check(result: Result) -> Result:
    """The result of an operation, once it is known that its scores and weights were numbers.

    On the CPU an operation raises for NaN and +inf by itself. On CUDA nobody waits for the device to find out: such a
    sequence gets the score NaN and states −1, or NaN in every result. This waits, and raises.

    >>> import streamhmm as sh, torch
    >>> sh.check(sh.viterbi(torch.zeros(3, 2), sh.Graph.linear([0, 1]))).states.tolist()
    [0, 0, 1]

    Raises:
        ValueError: naming the first such sequence.
    """
    for values in (result,) if isinstance(result, Tensor) else result:
        wrong = values.isnan()
        if bool(wrong.any()):
            batched = values.dim() in (1, 3)
            where = f" in sequence {int(wrong.nonzero()[0, 0])}" if batched else ""
            raise ValueError(
                f"scores and weights must be finite or -inf where the graph reads them, got NaN or +inf{where}"
            )
    return result


def viterbi(
    scores: Tensor,
    graph: GraphOrGraphs,
    lengths: Lengths = None,
    *,
    allowed: Tensor | None = None,
    fixed: Tensor | Sequence[int] | Sequence[Sequence[int]] | None = None,
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
        allowed: (T, S) or (B, T, S) bool: the path passes through these states only. S is that of the largest graph.
            A constrained search goes arc by arc, which is slower than the free one.
        fixed: (T,) or (B, T) integers: the state that the path passes through in each frame, −1 where it is free.
        beam: None for the best path of all, guaranteed. With a number, in nats and above 0, the search is not exact:
            before every 32nd frame, blocks of 64 neighbouring states whose best partial path scores more than ``beam``
            below the best of all are given up. In linear graphs the work then follows the states that are left, not
            the graph's size. Where every path to the end was given up, there is none.
        durations: (S, D) log-weights, entry [s, d−1] of staying d frames in state s: a semi-Markov model (Yu 2010,
            Hidden semi-Markov models). The path is a row of segments of 1 … D frames, the last of which ends with the
            sequence. Arcs are passed between segments only; a self loop joins two segments of one state. Every graph
            must have S states, and transitions that do not vary with time.
        memory_budget: bytes for back-pointers; beyond it parts are computed twice, with the same result. By default
            256 MiB or a quarter of the memory limit, whichever is less; on CUDA an eighth of the card's memory.

    Returns:
        :class:`Path`; where no path fits, or for no frames, states −1 and score −inf.

    Raises:
        ValueError, TypeError: for arguments that are not as said; NaN or +inf in a column that the graph reads.
    """
    call = prepare(scores, graph, lengths, memory_budget)
    constrained = allowed is not None or fixed is not None
    if durations is not None:
        if constrained or beam is not None:
            raise ValueError("durations do not go with allowed, fixed or beam")
        return Path(*SEMI_MARKOV_VITERBI(*call.constants_with(durations)))
    if constrained:
        if beam is not None:
            raise ValueError("a beam does not go with allowed or fixed")
        return Path(*CONSTRAINED_VITERBI(*call.constants, *check_constraints(call, allowed, fixed)))
    return Path(*call_viterbi(*call.constants, check_beam(beam)))


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
    call = prepare(scores, graph, lengths, memory_budget)
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
    check_by(by)
    call = prepare(scores, graph, lengths, memory_budget)
    width = 0 if by == "pdf" else call.states
    result: Tensor
    if durations is not None:
        result = SEMI_MARKOV_POSTERIORS(*call.constants_with(durations), width)
    else:
        result = call_posteriors(*call.constants, width)
    return result
