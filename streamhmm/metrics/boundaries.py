"""How far boundaries lie from the truth, in the field's usual figures.

An error is hypothesis − reference in seconds, or missing (None, NaN) for a boundary that was missed: it counts against
every percentage and in no mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from streamhmm.metrics.weighed import FloatArray, WeighedValues

THRESHOLDS_MS = (10, 20, 25, 50, 100)
_EPSILON_S = 1e-9  # 0.31 − 0.30 is a little more than 0.01


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

    ``aas_ms`` (accumulated averaging shift; Shi et al. 2023, "Achieving timestamp prediction while recognizing with
    non-autoregressive end-to-end ASR model") is the mean over the segments of (|start error| + |end error|) / 2: the
    mean absolute error of all their times. Where a paper adds the errors of start and end without halving, its values
    are twice these.
    ``offset_ms`` is the median of all signed errors, ``aas_corrected_ms`` the shift that is left once it is taken off
    every time: what an aligner that is late by the same amount everywhere does not pay for.
    """

    aas_ms: float
    offset_ms: float
    aas_corrected_ms: float


def summarise(errors: Sequence[float | None] | ArrayLike) -> Summary:
    """The figures of some boundaries; NaN where there is nothing to count."""
    return BoundaryErrors(errors).summary()


def shifts(starts: ArrayLike, ends: ArrayLike) -> Shifts:
    """The shifts of segments from the errors of their starts and ends, (N,) each; segments that miss one don't count.

    Raises ValueError for numbers of starts and ends that differ.
    """
    found = SegmentShifts(starts, ends)
    return Shifts(*found.figures(np.ones((1, found.units)))[0].tolist())


class BoundaryErrors:
    """Errors (N,), to be summarised with any weights.

    ``owners`` (N,) has for each error the index of the unit that it belongs to (a recording, say), of so many
    ``units``; by default all belong to one. Weights are (B, U), as :class:`~streamhmm.metrics.weighed.WeighedValues`
    takes them.
    """

    def __init__(self, errors: Any, owners: ArrayLike | None = None, units: int = 1) -> None:
        values = np.asarray(errors, dtype=np.float64)  # None becomes NaN
        self.units = units
        of = np.zeros(len(values), np.int64) if owners is None else np.asarray(owners, dtype=np.int64)
        known = ~np.isnan(values)
        limits_s = np.array(THRESHOLDS_MS) / 1000 + _EPSILON_S
        sizes = np.abs(values[known])
        near = [np.bincount(of[known], sizes <= limit_s, minlength=units) for limit_s in limits_s]
        self._near = np.stack(near, axis=1)
        self._all = np.bincount(of, minlength=units).astype(np.float64)
        self._sizes = WeighedValues(sizes, of[known], units)
        self._signed = WeighedValues(values[known], of[known], units)

    def figures(self, weights: FloatArray) -> FloatArray:
        """(B, 8): % within each threshold, mean, median and bias in ms."""
        boundaries = (weights @ self._all)[:, None]
        counted = weights @ self._near
        within = np.divide(100 * counted, boundaries, out=np.full(counted.shape, np.nan), where=boundaries > 0)
        times_s = [self._sizes.mean(weights), self._sizes.median(weights), self._signed.mean(weights)]
        return np.column_stack([within, *(1000 * column for column in times_s)])

    def summary(self) -> Summary:
        """The figures with each unit once."""
        once = np.ones((1, self.units))
        *within, mean, median, bias = self.figures(once)[0].tolist()
        boundaries, known = int(self._all.sum()), int(self._sizes.total(once)[0])
        return Summary(boundaries, boundaries - known, tuple(within), mean, median, bias)


class SegmentShifts:
    """Errors of starts and ends (N,), to be summarised with any weights; the rest as in :class:`BoundaryErrors`."""

    def __init__(self, starts: Any, ends: Any, owners: ArrayLike | None = None, units: int = 1) -> None:
        pairs = np.stack([np.asarray(starts, dtype=np.float64), np.asarray(ends, dtype=np.float64)])
        self.units = units
        one_side = np.zeros(pairs.shape[1], np.int64) if owners is None else np.asarray(owners, dtype=np.int64)
        of = np.stack([one_side, one_side])
        known, both = ~np.isnan(pairs), np.tile(~np.isnan(pairs).any(axis=0), (2, 1))
        self._known = WeighedValues(pairs[known], of[known], units)
        self._paired = WeighedValues(pairs[both], of[both], units)

    def figures(self, weights: FloatArray) -> FloatArray:
        """(B, 3): the fields of :class:`Shifts`."""
        offsets = self._known.median(weights)
        raw = self._paired.mean_distance(weights, np.zeros(len(weights)))
        return 1000 * np.column_stack([raw, offsets, self._paired.mean_distance(weights, offsets)])
