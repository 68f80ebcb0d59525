"""Dynamic time warping: how one sequence of frames runs along another. The recursion stands in csrc/dtw.h."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from streamhmm import _C
from streamhmm.warping_checks import (
    Lengths,
    Options,
    Pairs,
    check_features,
    check_kind,
    check_metric,
    check_options,
    check_values,
    ready,
    real_dtype,
)


class WarpingPath(NamedTuple):
    """The cheapest warping path.

    Attributes:
        path: (K, 2) int64, the cells (frame of x, frame of y) in order; (0, 2) where no path fits. For a batch a list
            of B.
        distance: (B,) float64, the sum of the weighted costs along the path, in double; +inf where no path fits.
        normalized_distance: (B,) float64, the distance a frame: divided by N + M for symmetric2, where M counts the
            frames of y from the path's first to its last, and by N for asymmetric. NaN for symmetric1, whose paths
            have no common length.

    Without a batch axis the distances have shape ().
    """

    path: Tensor | list[Tensor]
    distance: Tensor
    normalized_distance: Tensor


def dtw(
    x: Tensor,
    y: Tensor,
    *,
    metric: str = "euclidean",
    step: str = "symmetric2",
    band: str | None = None,
    radius: int | None = None,
    slope: float | None = None,
    open_begin: bool = False,
    open_end: bool = False,
    x_lengths: Lengths = None,
    y_lengths: Lengths = None,
    memory_budget: int | None = None,
) -> WarpingPath:
    """The cheapest monotonous alignment of two feature sequences (Sakoe and Chiba 1978).

    Exact: costs are computed in the features' precision (at least float32), sums along paths run in double. Costs are
    never stored as an N × M matrix.

    >>> import streamhmm as sh, torch
    >>> x = torch.tensor([[0.0], [1.0], [2.0]])
    >>> y = torch.tensor([[0.0], [0.0], [1.0], [2.0]])
    >>> warping = sh.dtw(x, y)
    >>> warping.path.tolist()
    [[0, 0], [0, 1], [1, 2], [2, 3]]
    >>> warping.distance.item()
    0.0

    Where in a longer recording is x? The path starts and ends anywhere in y:

    >>> sh.dtw(x, y, step="asymmetric", open_begin=True, open_end=True).path.tolist()
    [[0, 1], [1, 2], [2, 3]]

    Args:
        x, y: features (N, D) and (M, D), or batches (B, N, D) and (B, M, D); float16, bfloat16, float32 or float64.
        metric: cost of a pair of frames: "euclidean", "sqeuclidean" (its square), "cityblock", or "cosine"
            (1 − cosine of their angle; a frame of zeros costs 1).
        step: the moves and how often they count the cost of the cell that they reach, as named by Giorgino (J. Stat.
            Softw. 31(7), 2009). symmetric1: diagonal, right, down, once each. symmetric2: the same, the diagonal
            twice. asymmetric: every frame of x once, on to the same frame of y, the next or the next but one.
            The path's first cell counts once.
        band: cells outside are forbidden. "sakoe_chiba": at most ``radius`` frames of the shorter sequence away from
            the straight line between the corners. "itakura": seen from either corner, at least 1/``slope`` and at
            most ``slope`` frames of y for each frame of x (Itakura 1975). None: all cells.
        radius: frames, an integer of at least 0.
        slope: at least 1; by default 2.
        open_begin: the path may start at any frame of y.
        open_end: the path may end at any frame of y: where the distance is least (Müller 2007), with symmetric2 where
            the distance divided by N + the frames of y so far is least (Tormene et al. 2009) unless the beginning is
            open too; the first such frame.
        x_lengths, y_lengths: (B,) frames of each sequence; all by default.
        memory_budget: bytes for back-pointers; beyond it parts are computed twice, with the same result. By default
            256 MiB or a quarter of the memory limit, whichever is less.

    Ties: starting here wins over a move from elsewhere; then the diagonal, the move within x's frame, the move within
    y's frame; for asymmetric, the shortest step.

    Returns:
        :class:`WarpingPath`; where no path fits, or for a sequence without frames, an empty path and the distance +inf.

    Raises:
        ValueError, TypeError: for arguments that are not as said; features that are NaN, infinite, or so large that
            their squares might be.
    """
    batched = check_features(x, y)
    metric_index = check_metric(metric)
    options = check_options(step, band, radius, slope, memory_budget)
    x, y = (features if batched else features[None] for features in (x, y))
    pairs = Pairs(len(x), x.shape[1], y.shape[1], batched)
    lengths = pairs.check_lengths(x_lengths, y_lengths)
    dtype = real_dtype(torch.promote_types(x.dtype, y.dtype))
    x, y = ready(x, dtype), ready(y, dtype)
    check_values(x, "x", lengths[0], batched)
    check_values(y, "y", lengths[1], batched)
    return _run(pairs, x, y, lengths, metric_index, options, open_begin, open_end)


def dtw_from_cost(
    cost: Tensor,
    *,
    step: str = "symmetric2",
    band: str | None = None,
    radius: int | None = None,
    slope: float | None = None,
    open_begin: bool = False,
    open_end: bool = False,
    x_lengths: Lengths = None,
    y_lengths: Lengths = None,
    memory_budget: int | None = None,
) -> WarpingPath:
    """The cheapest monotonous path through a matrix of costs.

    >>> import streamhmm as sh, torch
    >>> sh.dtw_from_cost(torch.tensor([[0.0, 9.0], [1.0, 2.0]])).path.tolist()
    [[0, 0], [1, 0], [1, 1]]

    Args:
        cost: (N, M) or (B, N, M), of any sign; float16, bfloat16, float32 or float64. +inf forbids a cell.

    Other arguments, ties and the result as in :func:`dtw`.

    Raises:
        ValueError, TypeError: for arguments that are not as said; a cost that is NaN or −inf inside the band.
    """
    if not isinstance(cost, Tensor):
        raise TypeError(f"cost must be a torch.Tensor, got {type(cost).__name__}")
    if cost.dim() not in (2, 3):
        raise ValueError(f"cost must be (B, N, M) or (N, M), got shape {tuple(cost.shape)}")
    check_kind(cost, "cost")
    options = check_options(step, band, radius, slope, memory_budget)
    batched = cost.dim() == 3
    cost = ready(cost if batched else cost[None], real_dtype(cost.dtype))
    pairs = Pairs(len(cost), cost.shape[1], cost.shape[2], batched)
    lengths = pairs.check_lengths(x_lengths, y_lengths)
    return _run(pairs, cost, None, lengths, 0, options, open_begin, open_end)


def _run(
    pairs: Pairs,
    x: Tensor,
    y: Tensor | None,
    lengths: tuple[Tensor | None, Tensor | None],
    metric: int,
    options: Options,
    open_begin: bool,
    open_end: bool,
) -> WarpingPath:
    path = torch.empty((pairs.batch, max(pairs.rows + pairs.columns - 1, 0), 2), dtype=torch.int64)
    sizes = torch.empty(pairs.batch, dtype=torch.int64)
    distance, normalized = torch.empty((2, pairs.batch), dtype=torch.float64)
    x_lengths, y_lengths = lengths
    call = _C.DtwBatch(
        x=x.data_ptr(),
        y=0 if y is None else y.data_ptr(),
        is_double=x.dtype == torch.float64,
        batch=pairs.batch,
        rows=pairs.rows,
        columns=pairs.columns,
        dims=0 if y is None else x.shape[2],
        x_batch_stride=x.stride(0),
        x_stride=x.stride(1),
        y_batch_stride=0 if y is None else y.stride(0),
        y_stride=0 if y is None else y.stride(1),
        x_lengths=0 if x_lengths is None else x_lengths.data_ptr(),
        y_lengths=0 if y_lengths is None else y_lengths.data_ptr(),
        metric=metric,
        pattern=options.pattern,
        band=options.band,
        width=options.width,
        open_begin=open_begin,
        open_end=open_end,
        memory_budget=options.memory_budget,
        threads=torch.get_num_threads(),
    )
    _C.dtw(call, path.data_ptr(), sizes.data_ptr(), distance.data_ptr(), normalized.data_ptr())
    paths = [each[len(each) - size :].clone() for each, size in zip(path, sizes.tolist(), strict=True)]
    if pairs.batched:
        return WarpingPath(paths, distance, normalized)
    return WarpingPath(paths[0], distance[0], normalized[0])
