"""What a batch of pairs of sequences is to the core, and what comes back."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from streamhmm import _C
from streamhmm.warping_checks import Options

PairLengths = tuple[Tensor | None, Tensor | None]  # on the CPU


class Warped(NamedTuple):
    """What dynamic time warping has found: ``path`` (B, N + M − 1, 2), each at the end of its places, of which it takes
    ``sizes`` (B,). ``invalid`` (B,): row · M + column of the first bad cost, or −1; None where that has been raised."""

    path: Tensor
    sizes: Tensor
    distance: Tensor
    normalized: Tensor
    invalid: Tensor | None = None

    @staticmethod
    def empty(x: Tensor, y: Tensor | None) -> Warped:
        """Room for it. ``x`` and ``y`` (B, N, D) and (B, M, D), or the costs (B, N, M) and None."""
        batch, rows, columns = x.shape[0], x.shape[1], x.shape[2] if y is None else y.shape[1]
        path = x.new_empty((batch, max(rows + columns - 1, 0), 2), dtype=torch.int64)
        distance, normalized = x.new_empty((2, batch), dtype=torch.float64)
        return Warped(path, x.new_empty(batch, dtype=torch.int64), distance, normalized)


def dtw_batch(
    x: Tensor,
    y: Tensor | None,
    lengths: PairLengths,
    metric: int,
    options: Options,
    open_begin: bool,
    open_end: bool,
    memory_budget: int,
) -> _C.DtwBatch:
    x_lengths, y_lengths = lengths
    return _C.DtwBatch(
        x=x.data_ptr(),
        y=0 if y is None else y.data_ptr(),
        is_double=x.dtype == torch.float64,
        batch=x.shape[0],
        rows=x.shape[1],
        columns=x.shape[2] if y is None else y.shape[1],
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
        memory_budget=memory_budget,
        threads=torch.get_num_threads(),
    )
