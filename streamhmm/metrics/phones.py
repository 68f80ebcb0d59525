"""Phone boundaries of two pronunciations of one word, which may differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamhmm.metrics.pairing import pair
from streamhmm.metrics.phone_classes import phone_class, unit_phones
from streamhmm.segment import Segment


class PhoneErrors(NamedTuple):
    """Errors of the starts and ends that can be compared, one entry a phone of the reference; how many labels agree.

    ``starts`` and ``ends`` hold None where the phones around that boundary differ in number between the two sides;
    ``partners`` the index of the phone on the other side, None for one that it lacks.
    """

    starts: tuple[float | None, ...]
    ends: tuple[float | None, ...]
    same_label: int
    partners: tuple[int | None, ...]


def phone_errors(reference: Sequence[Segment], hypothesis: Sequence[Segment]) -> PhoneErrors:
    """Compare the phones of one word.

    Pronunciations differ, so the phones are first paired by edit distance. A boundary is compared where both phones
    that meet there are paired with neighbours on the other side (at the edge of the word: with its first or last
    phone). A unit "X_Y" of the reference has only the start of X and the end of Y.
    """
    parts = [(unit, label) for unit, segment in enumerate(reference) for label in unit_phones(segment.label)]
    pairs = pair_phones([label for _, label in parts], [segment.label for segment in hypothesis])
    starts: list[float | None] = [None] * len(reference)
    ends: list[float | None] = [None] * len(reference)
    partners: list[int | None] = [None] * len(reference)
    same_label = 0
    last = len(parts) - 1
    for index, (unit, label) in enumerate(parts):
        partner = pairs[index]
        if partner is None:
            continue
        partners[unit] = partner if partners[unit] is None else partners[unit]
        same_label += label == hypothesis[partner].label
        before = -1 if index == 0 else pairs[index - 1]
        after = len(hypothesis) if index == last else pairs[index + 1]
        if (index == 0 or parts[index - 1][0] != unit) and before == partner - 1:
            starts[unit] = hypothesis[partner].start - reference[unit].start
        if (index == last or parts[index + 1][0] != unit) and after == partner + 1:
            ends[unit] = hypothesis[partner].end - reference[unit].end
    return PhoneErrors(tuple(starts), tuple(ends), same_label, tuple(partners))


def pair_phones(reference: Sequence[str], hypothesis: Sequence[str]) -> list[int | None]:
    """For each phone of the reference its partner's index, in order, by least edit distance.

    A vowel may stand for a vowel and a consonant for a consonant (cost 1, as for one too many or too few).
    """
    if list(reference) == list(hypothesis):
        return list(range(len(reference)))
    others = np.array(hypothesis, dtype=object)
    vowels = np.array([phone_class(label) == "vowel" for label in hypothesis], dtype=bool)

    def swap_costs(row: int, low: int, high: int) -> NDArray[np.float64]:
        label = reference[row]
        costs = np.where(vowels[low:high] == (phone_class(label) == "vowel"), 1.0, 3.0)
        costs[others[low:high] == label] = 0.0
        return costs

    return pair(len(reference), len(hypothesis), swap_costs)
