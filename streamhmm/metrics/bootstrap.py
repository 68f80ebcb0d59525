"""How sure figures are: percentile intervals from recordings drawn with replacement."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
LEVEL = 0.95

Weights = NDArray[np.int64]


def intervals(
    measure: Callable[[Weights], Sequence[float]], units: int, *, seed: int = 0, resamples: int = RESAMPLES
) -> list[tuple[float, float]]:
    """The interval of each value that ``measure`` gives, at a level of 95 %: the percentile bootstrap (Efron 1979).

    Args:
        measure: figures of a sample in which unit i (a recording, say) is there ``weights[i]`` times.
        units: how many there are to draw; of fewer than two nothing can be said, and the intervals are NaN.
        seed: of the draws.
        resamples: how many samples are drawn.
    """
    if units < 2:
        return [(np.nan, np.nan)] * len(measure(np.ones(units, np.int64)))
    chance = np.random.default_rng(seed)
    draws = (np.bincount(chance.integers(0, units, units), minlength=units) for _ in range(resamples))
    values = np.array([measure(weights) for weights in draws], dtype=np.float64)
    tail = 100 * (1 - LEVEL) / 2
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)  # a figure that no sample has
        low, high = np.nanpercentile(values, [tail, 100 - tail], axis=0)
    return [(float(one), float(other)) for one, other in zip(low, high, strict=True)]
