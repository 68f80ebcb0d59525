"""How well segments last as long as they should, wherever they stand: what alignments of two recordings can tell.

Durations are in seconds; those that can't be compared are None or NaN on either side, and count against every
percentage and in no other figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from streamhmm.metrics.boundaries import THRESHOLDS_MS
from streamhmm.metrics.comparison import TierComparison
from streamhmm.metrics.weighed import FloatArray, divided

THRESHOLDS_PERCENT = (10, 20, 25, 50)
DURATION_MEASURES = (
    *("duration_rmse_ms", "duration_mean_ms", "duration_bias_ms", "duration_correlation"),
    *(f"duration_within_{limit}_ms" for limit in THRESHOLDS_MS),
    *(f"duration_within_{limit}_percent" for limit in THRESHOLDS_PERCENT),
)
_EPSILON_S = 1e-9  # 0.31 − 0.30 is a little more than 0.01


@dataclass(frozen=True)
class DurationErrors:
    """Errors of durations, hypothesis − reference; NaN where there is nothing to count.

    Attributes:
        segments: of the reference.
        missed: those of them that could not be compared.
        rmse_ms, mean_ms, bias_ms: root of the mean square, mean size, and mean of the errors; a bias > 0 is too long.
        correlation: Pearson's; NaN if fewer than two could be compared, or one side is constant.
        within: % of the segments whose error is at most 10, 20, 25, 50, 100 ms.
        within_relative: % of the segments whose error is at most 10, 20, 25, 50 % of the reference's duration.
    """

    segments: int
    missed: int
    rmse_ms: float
    mean_ms: float
    bias_ms: float
    correlation: float
    within: tuple[float, ...]
    within_relative: tuple[float, ...]


def duration_errors(reference: ArrayLike | Sequence[float | None], hypothesis: Any) -> DurationErrors:
    """Compare the durations of segments that belong together, (N,) each.

    >>> from streamhmm.metrics import duration_errors
    >>> round(duration_errors([0.10, 0.20], [0.11, 0.18]).rmse_ms, 3)
    15.811

    Raises ValueError for numbers of segments that differ, and for durations that are negative or infinite.
    """
    pairs = DurationPairs(reference, hypothesis)
    rmse, mean, bias, correlation, *within = pairs.figures(np.ones((1, 1)))[0].tolist()
    absolute, relative = within[: len(THRESHOLDS_MS)], within[len(THRESHOLDS_MS) :]
    return DurationErrors(pairs.segments, pairs.missed, rmse, mean, bias, correlation, tuple(absolute), tuple(relative))


def durations_of(tier: TierComparison) -> tuple[FloatArray, FloatArray]:
    """The durations (N,) of a tier's segments in the reference and in the hypothesis, seconds, NaN where it lacks the
    segment or one of its boundaries can't be compared."""
    return tier.durations, tier.durations + tier.ends - tier.starts


class DurationPairs:
    """Durations (N,) of both sides, to be summarised with any weights.

    ``owners`` (N,) has for each segment the index of the unit that it belongs to (a recording, say), of so many
    ``units``; by default all belong to one. Weights are (B, U), as :class:`~streamhmm.metrics.weighed.WeighedValues`
    takes them.
    """

    def __init__(self, reference: Any, hypothesis: Any, owners: ArrayLike | None = None, units: int = 1) -> None:
        ours, theirs = _durations(reference, "reference"), _durations(hypothesis, "hypothesis")
        if len(ours) != len(theirs):
            raise ValueError(f"there must be equally many durations, got {len(ours)} and {len(theirs)}")
        of = np.zeros(len(ours), np.int64) if owners is None else np.asarray(owners, dtype=np.int64)
        known = ~(np.isnan(ours) | np.isnan(theirs))
        self.segments, self.missed = len(ours), int((~known).sum())
        self._all = np.bincount(of, minlength=units).astype(np.float64)
        one, other, errors = ours[known], theirs[known], (theirs - ours)[known]
        near = [np.abs(errors) <= limit / 1000 + _EPSILON_S for limit in THRESHOLDS_MS]
        near += [np.abs(errors) <= limit / 100 * one + _EPSILON_S for limit in THRESHOLDS_PERCENT]
        # Around the means, so that little is lost when squares are subtracted.
        first, second = (values - (values.mean() if len(values) else 0.0) for values in (one, other))
        columns = [np.ones_like(one), errors, np.abs(errors), errors**2]
        columns += [first, second, first**2, second**2, first * second, *near]
        self._sums = np.stack([np.bincount(of[known], column, minlength=units) for column in columns], axis=1)

    def figures(self, weights: FloatArray) -> FloatArray:
        """(B, 13): the figures of ``DURATION_MEASURES``."""
        sums = weights @ self._sums
        counts = sums[:, :1]
        bias, mean, square = divided(sums[:, 1:4], counts).T
        centres = divided(sums[:, 4:6], counts)
        spread = divided(sums[:, 6:8], counts) - centres**2
        product = divided(sums[:, 8:9], counts)[:, 0] - centres[:, 0] * centres[:, 1]
        spread[spread < _EPSILON_S**2] = np.nan  # a constant, but for rounding
        correlation = np.clip(product / np.sqrt(spread[:, 0] * spread[:, 1]), -1.0, 1.0)
        within = 100 * divided(sums[:, 9:], (weights @ self._all)[:, None])
        return np.column_stack([1000 * np.sqrt(square), 1000 * mean, 1000 * bias, correlation, within])


def _durations(values: Any, name: str) -> FloatArray:
    found = np.asarray(values.detach().double().cpu() if hasattr(values, "detach") else values, dtype=np.float64)
    if found.ndim != 1:
        raise ValueError(f"{name} must be durations (N,), got shape {found.shape}")
    wrong = found[(found < 0) | np.isinf(found)]
    if len(wrong):
        raise ValueError(f"{name} must be finite durations from 0 s on, got {wrong[0]:g}")
    return found
