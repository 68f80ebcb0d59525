"""What the frames so far, and a few ahead, tell of each state; the recursion stands in csrc/filter.h."""

from __future__ import annotations

from torch import Tensor

from streamhmm.arguments import GraphOrGraphs, Lengths, check_by, prepare
from streamhmm.library_sums import SMOOTH


def filter(
    scores: Tensor,
    graph: GraphOrGraphs,
    lengths: Lengths = None,
    by: str = "state",
    *,
    memory_budget: int | None = None,
) -> Tensor:
    """How probable each state is in each frame, given the frames up to it (filtering; Rabiner 1989, scaled forward).

    p(state_t | frames 0 … t). What follows is unknown, so the final weights do not count, not even in the last frame.

    Arguments, errors and result as in :func:`posteriors`; a frame that no path reaches is 0, the ones before are not.
    """
    return _windows(scores, graph, lengths, by, 0, False, memory_budget)


def smooth(
    scores: Tensor,
    graph: GraphOrGraphs,
    lengths: Lengths = None,
    by: str = "state",
    *,
    lag: int,
    memory_budget: int | None = None,
) -> Tensor:
    """How probable each state is in each frame, given the frames up to ``lag`` ahead of it (fixed-lag smoothing).

    p(state_t | frames 0 … min(t + lag, T−1)). Where this reaches the sequence's last frame, the final weights count:
    a lag of T−1 or more gives :func:`posteriors`; a lag of 0 gives :func:`filter` except in the last frame. Time grows
    with (T − lag) · lag · arcs.

    Arguments, errors and result as in :func:`posteriors`; a frame is 0 where no path fits the frames that it is given.

    Args:
        lag: frames, at least 0.
    """
    if not isinstance(lag, int):
        raise TypeError(f"lag must be an integer, got {type(lag).__name__}")
    if lag < 0:
        raise ValueError(f"lag must be at least 0 frames, got {lag}")
    return _windows(scores, graph, lengths, by, lag, True, memory_budget)


def _windows(
    scores: Tensor,
    graph: GraphOrGraphs,
    lengths: Lengths,
    by: str,
    lag: int,
    end_counts: bool,
    memory_budget: int | None,
) -> Tensor:
    check_by(by)
    call = prepare(scores, graph, lengths, memory_budget)
    result: Tensor = SMOOTH(*call.constants, lag, end_counts, 0 if by == "pdf" else call.states)
    return result
