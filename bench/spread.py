"""How far the standard deviations that an alignment tells agree with its errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class SpreadCheck(NamedTuple):
    """How far standard deviations tell errors: rank correlation, and % of errors within one and within two of them."""

    boundaries: int
    correlation: float
    within_one: float
    within_two: float


def check_spread(pairs: Sequence[tuple[float, float]]) -> SpreadCheck:
    """Of (standard deviation, error) pairs; NaN where there is nothing to count."""
    if len(pairs) < 2:
        return SpreadCheck(len(pairs), math.nan, math.nan, math.nan)
    sds, sizes = np.array([sd for sd, _ in pairs]), np.array([abs(error) for _, error in pairs])
    correlation = float(np.corrcoef(_ranks(sds), _ranks(sizes))[0, 1])
    shares = [100 * float(np.mean(sizes <= times * sds)) for times in (1, 2)]
    return SpreadCheck(len(pairs), correlation, *shares)


def _ranks(values: np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(values, kind="stable"), kind="stable").astype(float)
