"""Rows of bench/engine.py: dynamic time warping of two sequences of 3000 frames, distance and path.

Each gives the path too: dtaidistance's ``warping_path`` in C, librosa's accumulated cost in numba and its backtracking.
All sum squared differences along steps that count once, ours and librosa's with ``metric="sqeuclidean"``, as
dtaidistance does (and then takes the root).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from dtaidistance import dtw as dtaidistance
from engine_case import ADD_MAX, Case, limit, peer
from librosa.sequence import dtw as librosa_dtw

import streamhmm as sh

FRAMES = 3000
BARS = {2: 1.0}  # as fast, at least
LIMIT = limit(ADD_MAX, 1.5 * FRAMES**2, is_double=True)  # a cell: two minima and an addition; the costs apart


def rows() -> dict[str, Callable[[], Case]]:
    """Each row by its name; a row's numbers are made when it is called for."""
    size = f"{FRAMES}×{FRAMES}"
    return {
        f"DTW {size}, 1 feature": partial(features, 1),
        f"DTW {size}, 13 features": partial(features, 13),
        f"DTW {size}, from the costs": from_cost,
    }


def features(size: int) -> Case:
    x, y = sequences(size)
    single = [torch.from_numpy(side).float() for side in (x, y)]
    theirs = (x[:, 0].copy(), y[:, 0].copy()) if size == 1 else (x, y)
    columns = (x.T.copy(), y.T.copy())

    def ours() -> sh.WarpingPath:
        return sh.dtw(*single, metric="sqeuclidean", step="symmetric1")

    def in_c() -> tuple[list[tuple[int, int]], float]:
        return dtaidistance.warping_path_fast(*theirs, include_distance=True)

    def in_numba() -> tuple[np.ndarray, np.ndarray]:
        return librosa_dtw(*columns, metric="sqeuclidean")

    yardsticks = [
        LIMIT,
        peer("dtaidistance", in_c, BARS, lambda: in_c()[1] ** 2),
        peer("librosa", in_numba, BARS, lambda: in_numba()[0][-1, -1]),
    ]
    return Case(ours, yardsticks, lambda: ours().distance)


def from_cost() -> Case:
    costs = torch.cdist(*(torch.from_numpy(side) for side in sequences(13)))
    single, double = costs.float(), costs.numpy()

    def ours() -> sh.WarpingPath:
        return sh.dtw_from_cost(single, step="symmetric1")

    def in_numba() -> tuple[np.ndarray, np.ndarray]:
        return librosa_dtw(C=double)

    yardsticks = [LIMIT, peer("librosa", in_numba, BARS, lambda: in_numba()[0][-1, -1])]
    return Case(ours, yardsticks, lambda: ours().distance)


def sequences(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Two (T, D) random walks."""
    random = np.random.default_rng(size)
    x, y = (np.cumsum(random.standard_normal((FRAMES, size)), 0) for _ in range(2))
    return x, y
