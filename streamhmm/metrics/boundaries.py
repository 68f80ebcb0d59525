"""How far boundaries lie from the truth, in the field's usual figures.

An error is hypothesis − reference in seconds, or missing (None, NaN) for a boundary that was missed: it counts against
every percentage and in no mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

THRESHOLDS_MS = (10, 20, 25, 50, 100)
_EPSILON_S = 1e-9  # 0.31 − 0.30 is a little more than 0.01

FloatArray = NDArray[np.float64]


class Summary(NamedTuple):
    """Errors in figures: % within each threshold, milliseconds; bias is their mean, > 0 is late."""

    boundaries: int
    missed: int
    within: tuple[float, ...]
    mean_ms: float
    median_ms: float
    bias_ms: float


class Shifts(NamedTuple):
    """How much segments are shifted, milliseconds.

    ``aas_ms`` (average absolute shift) is the mean over the segments of (|start error| + |end error|) / 2.
    ``offset_ms`` is the median of all signed errors, ``aas_corrected_ms`` the shift that is left once it is taken off
    every time: what an aligner that is late by the same amount everywhere does not pay for.
    """

    aas_ms: float
    offset_ms: float
    aas_corrected_ms: float


def summarise(errors: Sequence[float | None] | ArrayLike) -> Summary:
    """The figures of some boundaries; NaN where there is nothing to count."""
    return SortedErrors(errors).summary()


def shifts(starts: ArrayLike, ends: ArrayLike) -> Shifts:
    """The shifts of segments from the errors of their starts and ends, (N,) each; segments that miss one don't count.

    Raises ValueError for numbers of starts and ends that differ.
    """
    return SegmentShifts(starts, ends).shifts()


class SortedErrors:
    """Errors sorted once, to be summarised with any weights.

    ``units`` (N,) has for each error the index of the unit that it belongs to (a recording, say), from 0; by default
    all belong to unit 0.
    """

    def __init__(self, errors: Any, units: ArrayLike | None = None) -> None:
        values = np.asarray(errors, dtype=np.float64)  # None becomes NaN
        self._units = np.zeros(len(values), np.int64) if units is None else np.asarray(units, dtype=np.int64)
        known = ~np.isnan(values)
        sizes = np.abs(values[known])
        order = np.argsort(sizes, kind="stable")
        self._sizes = sizes[order]
        self._signed = values[known][order]
        self._known_units = self._units[known][order]
        limits_s = np.array(THRESHOLDS_MS) / 1000 + _EPSILON_S
        self._counts = np.searchsorted(self._sizes, limits_s, side="right")

    def summary(self, weights: NDArray[np.int64] | None = None) -> Summary:
        """The figures, each unit counted ``weights[unit]`` times; by default once."""
        weights = _once(self._units) if weights is None else weights
        boundaries = int(weights[self._units].sum())
        own = weights[self._known_units]
        cumulated = np.cumsum(own)
        known = int(cumulated[-1]) if len(own) else 0
        reached = np.concatenate([[0], cumulated])[self._counts]
        within = tuple(100.0 * reached / boundaries) if boundaries else (math.nan,) * len(THRESHOLDS_MS)
        within = tuple(float(share) for share in within)
        if not known:
            return Summary(boundaries, boundaries, within, math.nan, math.nan, math.nan)
        return Summary(
            boundaries,
            boundaries - known,
            within,
            1000 * float(self._sizes @ own) / known,
            1000 * _weighted_median(self._sizes, cumulated),
            1000 * float(self._signed @ own) / known,
        )


class SegmentShifts:
    """Starts and ends of segments, to be summarised with any weights; ``units`` are as in :class:`SortedErrors`."""

    def __init__(self, starts: Any, ends: Any, units: ArrayLike | None = None) -> None:
        pairs = np.stack([np.asarray(starts, dtype=np.float64), np.asarray(ends, dtype=np.float64)])
        every = np.zeros(pairs.shape[1], np.int64) if units is None else np.asarray(units, dtype=np.int64)
        both = ~np.isnan(pairs).any(axis=0)
        self._pairs, self._units = pairs[:, both], every[both]
        errors, owners = pairs.ravel(), np.concatenate([every, every])
        known = ~np.isnan(errors)
        order = np.argsort(errors[known], kind="stable")
        self._errors, self._owners = errors[known][order], owners[known][order]
        self._once = _once(every)

    def shifts(self, weights: NDArray[np.int64] | None = None) -> Shifts:
        """The figures, each unit counted ``weights[unit]`` times; by default once."""
        weights = self._once if weights is None else weights
        cumulated = np.cumsum(weights[self._owners])
        offset = _weighted_median(self._errors, cumulated) if len(cumulated) and cumulated[-1] else math.nan
        own = weights[self._units]
        if not own.sum():
            return Shifts(math.nan, 1000 * offset, math.nan)
        raw, corrected = (float(np.abs(self._pairs - taken).mean(axis=0) @ own / own.sum()) for taken in (0.0, offset))
        return Shifts(1000 * raw, 1000 * offset, 1000 * corrected)


def _once(units: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.ones(int(units.max(initial=0)) + 1, np.int64)


def _weighted_median(values: FloatArray, cumulated: NDArray[np.int64]) -> float:
    """The median of sorted values, each there as often as its weight says, from the cumulated weights."""
    half = cumulated[-1] / 2
    below, above = np.searchsorted(cumulated, half, side="left"), np.searchsorted(cumulated, half, side="right")
    return float(values[below] + values[above]) / 2
