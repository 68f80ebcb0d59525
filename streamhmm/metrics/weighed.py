"""Medians and mean distances of values that belong to units, for many weightings of the units at once.

The bootstrap weighs units (recordings) a thousand times. To sort or even to look at all values each time would take
minutes for a corpus. So the values are sorted once and cut into bins; of each bin the count and the sum are known for
each unit, one matrix product weighs them all, and values are looked at only in the bin where the answer lies. The
results are exact.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Units = NDArray[np.int64]

_BINS = 64


class WeighedValues:
    """N values, each of one of U units.

    Weights are (B, U) throughout: B samples, in which unit u is there ``weights[b, u]`` times.
    """

    def __init__(self, values: FloatArray, units: Units, count: int) -> None:
        order = np.argsort(values, kind="stable")
        self._values, self._units = values[order], units[order]
        self._bounds = np.linspace(0, len(values), min(_BINS, max(len(values), 1)) + 1).astype(np.int64)
        bins = len(self._bounds) - 1
        cells = self._units * bins + np.repeat(np.arange(bins), np.diff(self._bounds))
        shape = (count, bins)
        self._counts = np.bincount(cells, minlength=count * bins).reshape(shape).astype(np.float64)
        self._sums = np.bincount(cells, self._values, minlength=count * bins).reshape(shape)

    def total(self, weights: FloatArray) -> FloatArray:
        """(B,) how many values there are."""
        counts: FloatArray = weights @ self._counts.sum(axis=1)
        return counts

    def mean(self, weights: FloatArray) -> FloatArray:
        """(B,) NaN where there is none."""
        return divided(weights @ self._sums.sum(axis=1), self.total(weights))

    def median(self, weights: FloatArray) -> FloatArray:
        """(B,) the median, each value there as often as its unit; NaN where there is none."""
        cumulated = np.cumsum(weights @ self._counts, axis=1)
        return np.array([self._median(own, counts) for own, counts in zip(weights, cumulated, strict=True)])

    def mean_distance(self, weights: FloatArray, centres: FloatArray) -> FloatArray:
        """(B,) the mean of |value − centre|, with a centre for each sample; NaN where there is none."""
        counts, sums = weights @ self._counts, weights @ self._sums
        distances = np.full(len(weights), np.nan)
        starts = self._values[self._bounds[:-1]] if len(self._values) else np.zeros(0)
        for sample, centre in enumerate(centres):
            if counts[sample].sum() and not np.isnan(centre):
                own = max(int(np.searchsorted(starts, centre, side="right")) - 1, 0)
                sides = np.where(np.arange(len(starts)) < own, -1.0, 1.0)
                sides[own] = 0.0  # this bin has values on both sides
                part = slice(self._bounds[own], self._bounds[own + 1])
                inner = np.abs(self._values[part] - centre) @ weights[sample, self._units[part]]
                outer = sides @ (sums[sample] - centre * counts[sample])
                distances[sample] = (inner + outer) / counts[sample].sum()
        return distances

    def _median(self, weights: FloatArray, cumulated: FloatArray) -> float:
        """From one sample's weights (U,) and the cumulated counts of the bins."""
        half = cumulated[-1] / 2
        if not half:
            return float("nan")
        below = self._value(weights, cumulated, half, "left")
        return (below + self._value(weights, cumulated, half, "right")) / 2

    def _value(self, weights: FloatArray, cumulated: FloatArray, rank: float, side: str) -> float:
        """The first value up to which there are at least (side "left") or more than (side "right") ``rank`` values."""
        own = int(np.searchsorted(cumulated, rank, side=side))  # type: ignore[call-overload]
        part = slice(self._bounds[own], self._bounds[own + 1])
        before = cumulated[own - 1] if own else 0.0
        within = np.cumsum(weights[self._units[part]])
        return float(self._values[part][np.searchsorted(within, rank - before, side=side)])  # type: ignore[call-overload]


def divided(sums: FloatArray, counts: FloatArray) -> FloatArray:
    """``sums`` / ``counts``, which broadcast to their shape; NaN where nothing was counted."""
    means: FloatArray = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return means
