"""How sure figures are: percentile intervals from recordings drawn with replacement."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
LEVEL = 0.95
_MOST_CELLS = 2**22

FloatArray = NDArray[np.float64]


def intervals(
    measure: Callable[[FloatArray], FloatArray], units: int, *, seed: int = 0, resamples: int = RESAMPLES
) -> list[tuple[float, float]]:
    """The interval of each figure that ``measure`` gives, at a level of 95 %: the percentile bootstrap (Efron 1979).

    Args:
        measure: (B, U) weights → (B, K) figures of B samples, in which unit u is there ``weights[b, u]`` times.
        units: how many there are to draw; of fewer than two nothing can be said, and the intervals are NaN.
        seed: of the draws.
        resamples: how many samples are drawn.
    """
    if units < 2:
        return [(np.nan, np.nan)] * measure(np.ones((1, units))).shape[1]
    chance = np.random.default_rng(seed)
    at_once = max(1, _MOST_CELLS // units)
    sizes = [min(at_once, resamples - done) for done in range(0, resamples, at_once)]
    even = np.full(units, 1 / units)
    values = np.concatenate([measure(chance.multinomial(units, even, size).astype(np.float64)) for size in sizes])
    tail = 100 * (1 - LEVEL) / 2
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)  # a figure that no sample has
        low, high = np.nanpercentile(values, [tail, 100 - tail], axis=0)
    return [(float(one), float(other)) for one, other in zip(low, high, strict=True)]
