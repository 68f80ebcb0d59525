"""Figures of scores and warnings: pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

CHILD_AGE = 15
"""Speakers up to this age count as children."""
BINS = 10


class Scored(NamedTuple):
    """A word's score, whether it was what was spoken, and the speaker's age in years."""

    score: float
    right: bool
    age: int


def area_under_curve(scores: np.ndarray, right: np.ndarray) -> float:
    """The chance that a right word scores higher than a wrong one, ties counted half."""
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]  # equal scores share the mean of their ranks
    positives = int(right.sum())
    negatives = len(right) - positives
    if not positives or not negatives:
        return float("nan")
    return float((ranks[right].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def calibration_error(scores: np.ndarray, right: np.ndarray) -> float:
    """Mean distance, weighted by count, between mean score and share of right words in ``BINS`` equal bins of 0…1."""
    places = np.minimum((scores * BINS).astype(int), BINS - 1)
    bins = [places == place for place in range(BINS) if (places == place).any()]
    return float(sum(chosen.mean() * abs(scores[chosen].mean() - right[chosen].mean()) for chosen in bins))


def summarise_scores(scored: Sequence[Scored]) -> dict[str, dict[str, float]]:
    """Area under the curve and calibration error of all words, adults' and children's."""
    groups = {
        "all": list(scored),
        "adults": [word for word in scored if word.age > CHILD_AGE],
        "children": [word for word in scored if word.age <= CHILD_AGE],
    }
    return {name: _summary(group) for name, group in groups.items()}


def _summary(group: Sequence[Scored]) -> dict[str, float]:
    scores = np.array([word.score for word in group])
    right = np.array([word.right for word in group], dtype=bool)
    return {
        "words": len(group),
        "wrong": int((~right).sum()),
        "area_under_curve": area_under_curve(scores, right),
        "calibration_error": calibration_error(scores, right),
    }


def summarise_warnings(flags: Sequence[Mapping[str, bool]], right: Sequence[Mapping[str, bool]]) -> dict[str, Any]:
    """Share of cases with any warning, with each; precision beside as many ``right`` texts."""
    share = _share(flags)
    alarms = _share(right)
    return {
        "cases": len(flags),
        "flagged": share,
        "precision": share / (share + alarms) if share + alarms else float("nan"),
        "by_warning": {name: float(np.mean([flag[name] for flag in flags])) for name in (flags[0] if flags else ())},
    }


def _share(flags: Sequence[Mapping[str, bool]]) -> float:
    return float(np.mean([any(flag.values()) for flag in flags])) if flags else float("nan")
