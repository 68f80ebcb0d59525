"""How many labels a recognised sequence has wrong: phone error rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamhmm.metrics.pairing import pair
from streamhmm.metrics.phone_classes import is_silence, phone_key


@dataclass(frozen=True)
class PhoneErrorRate:
    """Counts of a comparison by least edit distance; those of several sequences are added with ``+``."""

    phones: int
    substitutions: int
    deletions: int
    insertions: int

    @property
    def errors(self) -> int:
        """Substitutions, deletions and insertions together."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def percent(self) -> float:
        """Errors for each hundred phones of the reference, above 100 where much is added; NaN without any phone."""
        return 100 * self.errors / self.phones if self.phones else math.nan

    def __add__(self, other: PhoneErrorRate) -> PhoneErrorRate:
        return PhoneErrorRate(
            self.phones + other.phones,
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
        )


def phone_error_rate(reference: Sequence[str], hypothesis: Sequence[str]) -> PhoneErrorRate:
    """Errors of a sequence of phones by Levenshtein's distance, (S + D + I) / N: to replace, to leave out and to add a
    phone cost 1 each.

    ARPAbet is compared without stress, and silence is no phone. Which errors count as which kind is not unique, their
    sum is.

    >>> from streamhmm.metrics import phone_error_rate
    >>> phone_error_rate("B AH1 T ER0".split(), "sil B AH D AH R".split()).percent
    75.0
    """
    ours, theirs = ([phone_key(label) for label in side if not is_silence(label)] for side in (reference, hypothesis))
    labels = np.array(theirs, dtype=object)

    def swap_costs(row: int, low: int, high: int) -> NDArray[np.float64]:
        return np.where(labels[low:high] == ours[row], 0.0, 1.0)

    partners = pair(len(ours), len(theirs), swap_costs)
    found = [(label, theirs[partner]) for label, partner in zip(ours, partners, strict=True) if partner is not None]
    return PhoneErrorRate(
        phones=len(ours),
        substitutions=sum(label != other for label, other in found),
        deletions=len(ours) - len(found),
        insertions=len(theirs) - len(found),
    )
