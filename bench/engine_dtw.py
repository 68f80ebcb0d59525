"""Rows of bench/engine.py: dynamic time warping of two sequences of 3000 frames, distance and path.

What is compared gives the path too: dtaidistance's ``warping_path`` in C, librosa's accumulated cost in numba with its
backtracking. dtaidistance squares the differences and takes the root of the sum; the others sum the differences.
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
    ours = [torch.from_numpy(side).float() for side in (x, y)]
    theirs = (x[:, 0].copy(), y[:, 0].copy()) if size == 1 else (x, y)
    columns = (x.T.copy(), y.T.copy())
    yardsticks = [
        limit(ADD_MAX, 3 * FRAMES**2),
        peer("dtaidistance", lambda: dtaidistance.warping_path_fast(*theirs, include_distance=True), BARS),
        peer("librosa", lambda: librosa_dtw(*columns), BARS, lambda: librosa_dtw(*columns)[0][-1, -1]),
    ]
    return Case(lambda: sh.dtw(*ours), yardsticks, lambda: sh.dtw(*ours).distance)


def from_cost() -> Case:
    x, y = sequences(13)
    costs = torch.cdist(torch.from_numpy(x), torch.from_numpy(y))
    single, double = costs.float(), costs.numpy()
    yardsticks = [
        limit(ADD_MAX, 3 * FRAMES**2),
        peer("librosa", lambda: librosa_dtw(C=double), BARS, lambda: librosa_dtw(C=double)[0][-1, -1]),
    ]
    return Case(lambda: sh.dtw_from_cost(single), yardsticks, lambda: sh.dtw_from_cost(single).distance)


def sequences(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Two (T, D) random walks."""
    random = np.random.default_rng(size)
    x, y = (np.cumsum(random.standard_normal((FRAMES, size)), 0) for _ in range(2))
    return x, y
