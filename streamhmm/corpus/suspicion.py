"""Which files to look at first."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from streamhmm.corpus.measures import Measures

TEXT_OFFSET = 1.5
"""Makes doubts about a whole text comparable with those about its least fitting word (bench/corpus.py --planted)."""
FEWEST_PHONES = 20
"""A label that is rarer in the corpus has no usual duration."""
LEAST_SPREAD = 0.1
"""Of the logarithm of a phone's duration."""


def suspicion(row: Measures) -> float:
    """How much speaks against a text, from 0 on, in powers of ten: 2 is what one right text in a hundred shows.

    That is the rarest of what its words and its speech show, or the odds against the text as a whole.
    """
    right = min(max(row.text_score, 1e-12), 1 - 1e-12)
    return max(0.0, row.surprise, TEXT_OFFSET + math.log10((1 - right) / right))


class LongestPhone(NamedTuple):
    """The phone of an utterance that lasts longest beside others of its label, in standard deviations of the log."""

    deviation: float
    label: str


def longest_phones(rows: Mapping[str, Measures]) -> dict[str, LongestPhone]:
    """Of each utterance, against the usual durations of the phones in all of them."""
    usual = _usual_durations(phone for row in rows.values() for phone in _phones(row))
    return {
        name: max(
            (
                LongestPhone((log - usual[label][0]) / usual[label][1], label)
                for label, log in _phones(row)
                if label in usual
            ),
            default=LongestPhone(0.0, ""),
        )
        for name, row in rows.items()
    }


def _phones(row: Measures) -> Iterator[tuple[str, float]]:
    """Labels and logarithms of the durations."""
    values = row.phones.split()
    return ((label, math.log(max(1.0, float(ms)))) for label, ms in zip(values[::2], values[1::2], strict=True))


def _usual_durations(phones: Iterable[tuple[str, float]]) -> dict[str, tuple[float, float]]:
    """Mean and spread of each label; sums only are held, however large the corpus."""
    sums: dict[str, tuple[int, float, float]] = defaultdict(lambda: (0, 0.0, 0.0))
    for label, log in phones:
        count, total, squares = sums[label]
        sums[label] = count + 1, total + log, squares + log * log
    return {
        label: (total / count, max(LEAST_SPREAD, math.sqrt(max(0.0, squares / count - (total / count) ** 2))))
        for label, (count, total, squares) in sums.items()
        if count >= FEWEST_PHONES
    }
