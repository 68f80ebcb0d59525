"""Boundaries found, missed and added: one-to-one matching within a tolerance, and what is computed from it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

TOLERANCE_MS = 20.0
_EPSILON_S = 1e-9  # 0.32 − 0.30 is a little more than 0.02


class Matches(NamedTuple):
    """For each time of the reference and of the hypothesis, in the order of time, whether it has a partner."""

    reference: NDArray[np.bool_]
    hypothesis: NDArray[np.bool_]


class Detection(NamedTuple):
    """How well boundaries are detected, from 0 to 1 (the R-value may be below); NaN where there is nothing to count.

    ``r_value`` (Räsänen, Laine & Altosaar 2009, "An improved speech segmentation quality measure: the R-value") is
    1 − (|r₁| + |r₂|) / 2 with r₁ = √((1 − HR)² + OS²), r₂ = (HR − 1 − OS) / √2, the hit rate HR being the recall and
    OS = hypothesis / reference − 1 the oversegmentation. Adding boundaries at random does not raise it.
    """

    precision: float
    recall: float
    f1: float
    r_value: float


def match_times(reference: ArrayLike, hypothesis: ArrayLike, tolerance_s: float = TOLERANCE_MS / 1000) -> Matches:
    """Match as many times as possible one to one, partners at most ``tolerance_s`` apart; both sorted, in seconds.

    The earliest pair that is near enough is matched first. No other choice gives more matches: of any best matching
    the earliest partners can be exchanged for these.
    """
    ours, theirs = np.asarray(reference, dtype=np.float64), np.asarray(hypothesis, dtype=np.float64)
    found = Matches(np.zeros(len(ours), bool), np.zeros(len(theirs), bool))
    one = other = 0
    for _ in range(len(ours) + len(theirs)):
        if one == len(ours) or other == len(theirs):
            break
        distance = theirs[other] - ours[one]
        if abs(distance) <= tolerance_s + _EPSILON_S:
            found.reference[one] = found.hypothesis[other] = True
        one += distance >= -tolerance_s - _EPSILON_S
        other += distance <= tolerance_s + _EPSILON_S
    return found


def detection(reference: float, hypothesis: float, hits: float) -> Detection:
    """The measures of so many boundaries on both sides and so many matches."""
    precision = hits / hypothesis if hypothesis else math.nan
    recall = hits / reference if reference else math.nan
    if not reference:
        return Detection(precision, recall, math.nan, math.nan)
    f1 = 2 * hits / (reference + hypothesis)
    oversegmentation = hypothesis / reference - 1
    first = math.hypot(1 - recall, oversegmentation)
    second = (recall - 1 - oversegmentation) / math.sqrt(2)
    return Detection(precision, recall, f1, 1 - (abs(first) + abs(second)) / 2)
