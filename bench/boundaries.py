"""How far boundaries lie from the truth: pure functions on times and labels.

An error is hypothesis − truth in seconds, or None for a boundary that was missed: it counts against every percentage
and in no mean.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

THRESHOLDS_MS = (10, 20, 25, 50, 100)
VOWELS = frozenset(("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW"))
_EPSILON_S = 1e-9  # 0.31 − 0.30 is a little more than 0.01

Error = float | None


class Summary(NamedTuple):
    """Errors in the field's usual figures: % within each threshold, milliseconds; bias > 0 is late."""

    boundaries: int
    missed: int
    within: tuple[float, ...]
    mean_ms: float
    median_ms: float
    bias_ms: float


def summarise(errors: Sequence[Error]) -> Summary:
    """The figures of some boundaries; NaN where there is nothing to count."""
    known = [error for error in errors if error is not None]
    sizes = [abs(error) for error in known]
    within = tuple(
        100.0 * sum(size <= limit / 1000 + _EPSILON_S for size in sizes) / len(errors) if errors else math.nan
        for limit in THRESHOLDS_MS
    )
    if not known:
        return Summary(len(errors), len(errors), within, math.nan, math.nan, math.nan)
    return Summary(
        len(errors),
        len(errors) - len(known),
        within,
        1000 * statistics.fmean(sizes),
        1000 * statistics.median(sizes),
        1000 * statistics.fmean(known),
    )


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


class Span(NamedTuple):
    """A label with its times, in the truth or in a hypothesis."""

    label: str
    start: float
    end: float


class PhoneErrors(NamedTuple):
    """Errors of the starts and ends that can be compared, one entry a phone; how many phones, and how many agree.

    ``starts`` and ``ends`` hold None where the phones around that boundary differ in number between the two sides:
    such a boundary is left out, not missed.
    """

    starts: tuple[float | None, ...]
    ends: tuple[float | None, ...]
    same_label: int


def phone_errors(truth: Sequence[Span], hypothesis: Sequence[Span]) -> PhoneErrors:
    """Compare the phones of one word.

    Pronunciations differ, so the phones are first paired by edit distance. A boundary is compared where both phones
    that meet there are paired with neighbours on the other side (at the edge of the word: with its first or last
    phone). A unit "X_Y" of the truth has only the start of X and the end of Y.
    """
    parts = [(unit, label) for unit, span in enumerate(truth) for label in unit_phones(span.label)]
    pairs = pair_phones([label for _, label in parts], [span.label for span in hypothesis])
    starts: list[float | None] = [None] * len(truth)
    ends: list[float | None] = [None] * len(truth)
    same_label = 0
    last = len(parts) - 1
    for index, (unit, label) in enumerate(parts):
        partner = pairs[index]
        if partner is None:
            continue
        same_label += label == hypothesis[partner].label
        before = -1 if index == 0 else pairs[index - 1]
        after = len(hypothesis) if index == last else pairs[index + 1]
        if (index == 0 or parts[index - 1][0] != unit) and before == partner - 1:
            starts[unit] = hypothesis[partner].start - truth[unit].start
        if (index == last or parts[index + 1][0] != unit) and after == partner + 1:
            ends[unit] = hypothesis[partner].end - truth[unit].end
    return PhoneErrors(tuple(starts), tuple(ends), same_label)


def unit_phones(label: str) -> list[str]:
    """The phones of a unit: "EH_R" is EH and R, and "EH_R_R" is no more."""
    phones = label.split("_")
    return [phone for index, phone in enumerate(phones) if index == 0 or phone != phones[index - 1]]


def pair_phones(truth: Sequence[str], hypothesis: Sequence[str]) -> list[int | None]:
    """For each phone of the truth its partner's index, in order, by least edit distance.

    A vowel may stand for a vowel and a consonant for a consonant (cost 1, as for one too many or too few).
    """
    columns = len(hypothesis) + 1
    costs = [list(range(columns))]
    for row, label in enumerate(truth, 1):
        costs.append([row])
        for column, other in enumerate(hypothesis, 1):
            swap = costs[row - 1][column - 1] + _swap_cost(label, other)
            costs[row].append(min(swap, costs[row - 1][column] + 1, costs[row][column - 1] + 1))
    pairs: list[int | None] = [None] * len(truth)
    row, column = len(truth), len(hypothesis)
    while row and column:
        if costs[row][column] == costs[row - 1][column - 1] + _swap_cost(truth[row - 1], hypothesis[column - 1]):
            row, column = row - 1, column - 1
            pairs[row] = column
        elif costs[row][column] == costs[row - 1][column] + 1:
            row -= 1
        else:
            column -= 1
    return pairs


def _swap_cost(one: str, other: str) -> int:
    if one == other:
        return 0
    return 1 if (one in VOWELS) == (other in VOWELS) else 3
