"""Phone error rate against Levenshtein's recursion, and frame accuracy against a look at every frame."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamhmm.metrics import PhoneErrorRate, frame_accuracy, phone_error_rate
from streamhmm.segment import Segment

PHONES = st.lists(st.sampled_from(["AA", "B", "T", "S"]), max_size=9)


def levenshtein(ours: tuple[str, ...], theirs: tuple[str, ...]) -> int:
    """The textbook's recursion."""

    @cache
    def cost(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        return min(cost(i - 1, j) + 1, cost(i, j - 1) + 1, cost(i - 1, j - 1) + (ours[i - 1] != theirs[j - 1]))

    return cost(len(ours), len(theirs))


@given(PHONES, PHONES)
@settings(derandomize=True, deadline=None, max_examples=300)
def test_errors_are_the_edit_distance(ours: list[str], theirs: list[str]) -> None:
    found = phone_error_rate(ours, theirs)
    assert found.errors == levenshtein(tuple(ours), tuple(theirs))
    assert found.phones == len(ours)
    assert len(theirs) == len(ours) - found.deletions + found.insertions
    assert min(found.substitutions, found.deletions, found.insertions) >= 0


def test_each_kind_of_error() -> None:
    assert phone_error_rate(["B", "AH"], ["B", "AH"]) == PhoneErrorRate(2, 0, 0, 0)
    assert phone_error_rate(["B", "AH", "T"], ["B", "IH", "T"]) == PhoneErrorRate(3, 1, 0, 0)
    assert phone_error_rate(["B", "AH", "T"], ["B", "T"]) == PhoneErrorRate(3, 0, 1, 0)
    assert phone_error_rate(["B", "T"], ["B", "AH", "T", "S"]) == PhoneErrorRate(2, 0, 0, 2)
    assert phone_error_rate(["B"], ["B", "AH", "T", "S"]).percent == 300.0


def test_neither_stress_nor_silence_counts() -> None:
    assert phone_error_rate(["sil", "B", "AH1", "sp"], ["", "B", "pau", "ah0"]) == PhoneErrorRate(2, 0, 0, 0)
    assert phone_error_rate(["ʃ", "a"], ["s", "a"]) == PhoneErrorRate(2, 1, 0, 0)


def test_sequences_add_up() -> None:
    both = phone_error_rate(["B", "AH"], ["B"]) + phone_error_rate(["T"] * 8, ["T"] * 8)
    assert (both, both.percent) == (PhoneErrorRate(10, 0, 1, 0), 10.0)


def test_without_phones_there_is_no_rate() -> None:
    assert math.isnan(phone_error_rate([], []).percent)
    assert math.isnan(phone_error_rate([], ["B"]).percent)
    assert phone_error_rate([], ["B"]).errors == 1


# ---- frames


def segments(*parts: tuple[str, float, float]) -> list[Segment]:
    return [Segment(*part) for part in parts]


@pytest.mark.parametrize("shift_ms", [5.0, 10.0, 12.5])
def test_every_frame_looked_at(shift_ms: float) -> None:
    chance = np.random.default_rng(3)
    sides = []
    for _ in range(2):
        edges = np.sort(chance.choice(200, 12, replace=False)) / 100
        labels = chance.choice(["AA", "B", "sil"], 6)
        sides.append([Segment(str(a), *pair) for a, pair in zip(labels, edges.reshape(6, 2).tolist(), strict=True)])

    def label(side: list[Segment], time_s: float) -> str:
        here = [one.label for one in side if one.start - 1e-9 <= time_s < one.end - 1e-9]
        return here[0] if here and here[0] != "sil" else ""

    times = [(frame + 0.5) * shift_ms / 1000 for frame in range(round(2000 / shift_ms))]
    pairs = [(label(sides[0], time), label(sides[1], time)) for time in times]
    found = frame_accuracy(*sides, frame_shift_ms=shift_ms, duration_s=2.0)
    assert (found.frames, found.correct) == (len(pairs), sum(a == b for a, b in pairs))
    spoken = [(a, b) for a, b in pairs if a]
    heard = frame_accuracy(*sides, frame_shift_ms=shift_ms, duration_s=2.0, with_silence=False)
    assert heard == (len(spoken), sum(a == b for a, b in spoken), pytest.approx(100 * heard.correct / len(spoken)))


def test_equal_alignments_and_labels_that_differ_in_stress() -> None:
    ours = segments(("HH", 0.0, 0.1), ("AH0", 0.1, 0.2), ("sil", 0.2, 0.4))
    theirs = segments(("HH", 0.0, 0.1), ("AH1", 0.1, 0.2))
    assert frame_accuracy(ours, theirs) == (40, 40, 100.0)
    assert frame_accuracy(theirs, ours) == (40, 40, 100.0)
    assert frame_accuracy(ours, theirs, with_silence=False) == (20, 20, 100.0)


def test_nothing_to_look_at() -> None:
    assert frame_accuracy([], [])[:2] == (0, 0)
    assert math.isnan(frame_accuracy([], []).percent)
    assert frame_accuracy([], [], duration_s=0.1) == (10, 10, 100.0)  # silence on both sides
    assert frame_accuracy([], segments(("B", 0.0, 0.1))) == (10, 0, 0.0)


def test_wrong_calls() -> None:
    for name, value in (("frame_shift_ms", 0.0), ("duration_s", -1.0), ("frame_shift_ms", math.nan)):
        with pytest.raises(ValueError, match=rf"{name} must be above 0, got {value}"):
            frame_accuracy([], [], **{name: value})
    crossed = segments(("B", 0.0, 0.2), ("AH", 0.1, 0.3))
    with pytest.raises(ValueError, match=r"hypothesis must have segments in order, without overlap"):
        frame_accuracy([], crossed)
    with pytest.raises(ValueError, match=r"reference must have segments with finite times"):
        frame_accuracy([Segment("T", 0.0, math.nan)], [])
