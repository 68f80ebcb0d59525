"""Dynamic time warping: how one sequence of frames runs along another. The recursion stands in csrc/dtw.h."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from streamhmm import _C
from streamhmm.library_cuda_dtw import warp_on_cuda
from streamhmm.memory import default_memory_budget
from streamhmm.warping_batch import PairLengths, Warped, dtw_batch
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

    Exact: costs are computed in the features' precision (at least float32), sums along paths run in double. On the CPU
    costs are never stored as an N × M matrix; on CUDA those of some rows at a time are. Results are on the features'
    device, and the same to the bit on both; on CUDA the call waits for the device, to see the features and the lengths
    of the paths.

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
            256 MiB or a quarter of the memory limit, whichever is less. On CUDA costs share it, by default a quarter
            of the card's memory.

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
    check_kind(cost, "cost", ("cpu", "cuda"))
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
    warp = warp_on_cuda if x.is_cuda else warp_on_cpu
    found = warp(x, y, lengths, metric, options, open_begin, open_end)
    paths = [each[len(each) - size :] for each, size in zip(found.path, _sizes_of(found, pairs.columns), strict=True)]
    if x.is_cpu:
        paths = [path.clone() for path in paths]
    if pairs.batched:
        return WarpingPath(paths, found.distance, found.normalized)
    return WarpingPath(paths[0], found.distance[0], found.normalized[0])


def _sizes_of(found: Warped, columns: int) -> list[int]:
    """How many cells each path has. Waits for the device; raises ValueError for the first bad cost."""
    sizes: list[int]
    if found.invalid is None:
        sizes = found.sizes.tolist()
        return sizes
    sizes, invalid = torch.stack([found.sizes, found.invalid]).tolist()
    for sequence, place in enumerate(invalid):
        if place >= 0:
            cell = f"({place // columns}, {place % columns})"
            raise ValueError(
                f"cost must be finite or +inf inside the band, got NaN or -inf in sequence {sequence} at {cell}"
            )
    return sizes


def warp_on_cpu(
    x: Tensor,
    y: Tensor | None,
    lengths: PairLengths,
    metric: int,
    options: Options,
    open_begin: bool,
    open_end: bool,
) -> Warped:
    budget = default_memory_budget() if options.memory_budget is None else options.memory_budget
    found = Warped.empty(x, y)
    call = dtw_batch(x, y, lengths, metric, options, open_begin, open_end, budget)
    _C.dtw(call, *(each.data_ptr() for each in (found.path, found.sizes, found.distance, found.normalized)))
    return found
