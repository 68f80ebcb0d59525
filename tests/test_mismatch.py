"""Warnings of a text that does not fit: their wording, their limits on both sides, the search for stretches."""

from __future__ import annotations

import dataclasses
import itertools
import random

import pytest
import torch
from torch import Tensor

from streamhmm.align.calibration import UNCALIBRATED
from streamhmm.align.mismatch import (
    MOST_NAMED,
    MOST_NATS,
    TOLERATED_NATS,
    check_durations,
    check_fit,
    check_gaps,
    check_stretches,
    check_words,
    largest_stretch,
    speaks_against,
    unexplained_stretches,
)
from streamhmm.segment import Segment

CALIBRATION = dataclasses.replace(UNCALIBRATED, least_word=0.2, least_text=0.3, stretch_nats=40.0)
FRAME_S = 0.01


def words_of(*scores: float | None) -> list[Segment]:
    """Words of 0.5 s, named by their place."""
    return [Segment(f"word{index}", index / 2, (index + 1) / 2, score) for index, score in enumerate(scores)]


def against(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


# ---- stretches


def stretch_by_hand(values: Tensor) -> float:
    """The largest sum of any stretch, 0 if none is above."""
    bounds = itertools.combinations(range(len(values) + 1), 2)
    return max([0.0, *(float(values[first:end].sum()) for first, end in bounds)])


@pytest.mark.parametrize("seed", range(30))
def test_the_largest_stretch_is_the_best_of_all(seed: int) -> None:
    rng = random.Random(seed)
    values = against(*(rng.randint(-4, 3) for _ in range(rng.randint(1, 25))))
    best = stretch_by_hand(values)
    found = largest_stretch(values)
    if found is None:
        assert best == 0
        return
    first, end, total = found
    assert 0 <= first < end <= len(values)
    assert total == float(values[first:end].sum()) == best > 0


def test_the_largest_stretch_of_nothing() -> None:
    assert largest_stretch(against()) is None
    assert largest_stretch(against(0.0, -1.0, 0.0)) is None
    assert largest_stretch(against(2.0)) == (0, 1, 2.0)
    assert largest_stretch(against(-1.0, 2.0, -1.0, 3.0, -5.0)) == (1, 4, 4.0)


@pytest.mark.parametrize("least", [0.0, 1.0, 3.0, float("inf")])
@pytest.mark.parametrize("seed", range(20))
def test_stretches_are_disjoint_and_leave_no_other(seed: int, least: float) -> None:
    rng = random.Random(seed)
    values = against(*(rng.randint(-4, 3) for _ in range(25)))
    stretches = sorted(unexplained_stretches(values, least))
    assert all(float(values[first:end].sum()) > least for first, end in stretches)
    assert all(end <= first for (_, end), (first, _) in itertools.pairwise(stretches))
    edges = [0, *itertools.chain.from_iterable(stretches), len(values)]
    for first, end in zip(edges[::2], edges[1::2], strict=True):
        assert stretch_by_hand(values[first:end]) <= least


def test_what_a_frame_counts_against_the_text() -> None:
    contrast = torch.tensor([0.5, 0.0, -1.0, -TOLERATED_NATS, -4.0, -MOST_NATS, -100.0, float("-inf")])
    most = MOST_NATS - TOLERATED_NATS
    expected = [-TOLERATED_NATS, -TOLERATED_NATS, 1 - TOLERATED_NATS, 0.0, 4 - TOLERATED_NATS, most, most, most]
    assert speaks_against(contrast).tolist() == expected


@pytest.mark.parametrize(("frames", "flagged"), [(16, False), (17, True)])  # of 2.5 nats each, the limit is 40
def test_a_stretch_is_named_beyond_the_limit(frames: int, flagged: bool) -> None:
    contrast = torch.zeros(300)
    contrast[100 : 100 + frames] = -4.0
    expected = ("speech that the text does not explain from 1.00 to 1.17 s; check the text there",)
    assert check_stretches(contrast, FRAME_S, CALIBRATION) == (expected if flagged else ())


def test_short_gaps_do_not_break_a_stretch_and_long_ones_do() -> None:
    contrast = torch.zeros(300)
    contrast[20:40] = contrast[45:65] = contrast[200:220] = -4.0
    assert check_stretches(contrast, FRAME_S, CALIBRATION) == (
        "speech that the text does not explain from 0.20 to 0.65 s; check the text there",
        "speech that the text does not explain from 2.00 to 2.20 s; check the text there",
    )


def test_the_first_stretches_are_named() -> None:
    contrast = torch.zeros(2_000)
    contrast.view(20, 100)[:, :20] = -4.0
    warnings = check_stretches(contrast, FRAME_S, CALIBRATION)
    assert [warning.split(" from ")[1].split(" to ")[0] for warning in warnings] == [
        f"{index}.00" for index in range(MOST_NAMED)
    ]


# ---- words


@pytest.mark.parametrize(("score", "flagged"), [(0.19, True), (0.2, False), (1.0, False), (None, False), (0.0, True)])
def test_a_word_is_doubted_below_the_limit(score: float | None, flagged: bool) -> None:
    expected = ("not in the audio, or said otherwise: 'word1' at 0.50 s; check the text there",)
    assert check_words(words_of(0.9, score), CALIBRATION) == (expected if flagged else ())


def test_doubtful_words_are_named_together_up_to_eight() -> None:
    eight = ", ".join(f"'word{index}' at {index / 2:.2f} s" for index in range(8))
    beginning = "not in the audio, or said otherwise: "
    assert check_words(words_of(*[0.1] * 8), CALIBRATION) == (f"{beginning}{eight}; check the text there",)
    (warning,) = check_words(words_of(*[0.1] * 10), CALIBRATION)
    assert warning == f"{beginning}{eight}, and 2 more; check the text there"


# ---- durations


@pytest.mark.parametrize(
    ("phones", "duration", "kind"),
    [
        (1, 1.60, None),
        (1, 1.61, "long"),
        (4, 2.80, None),
        (4, 2.81, "long"),
        (2, 0.04, None),  # too few phones to tell
        (3, 0.08, None),
        (3, 0.07, "short"),
        (10, 0.26, None),
        (10, 0.24, "short"),
    ],
)
def test_long_and_short_words(phones: int, duration: float, kind: str | None) -> None:
    words = [Segment("good", 0.0, 0.5), Segment("odd", 0.5, 0.5 + duration)]
    expected = (f"implausibly {kind}: 'odd' at 0.50 s; check the text there",)
    assert check_durations(words, [0] * 3 + [1] * phones) == (expected if kind else ())


def test_long_words_are_named_before_short_ones() -> None:
    words = [Segment("a", 0, 0.05), Segment("b", 1, 4), Segment("c", 5, 9), Segment("d", 9, 9.05)]
    assert check_durations(words, [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3) == (
        "implausibly long: 'b' at 1.00 s, 'c' at 5.00 s; check the text there",
        "implausibly short: 'a' at 0.00 s, 'd' at 9.00 s; check the text there",
    )


# ---- gaps


@pytest.mark.parametrize(
    ("words", "duration", "expected"),
    [
        ([(1.0, 2.0)], 11.9, []),
        ([(1.0, 2.0)], 12.0, [(2.0, 12.0)]),
        ([(9.9, 10.4)], 11.0, []),
        ([(10.0, 10.4)], 11.0, [(0.0, 10.0)]),
        ([(0.0, 1.0), (10.9, 12.0)], 12.0, []),
        ([(0.0, 1.0), (11.0, 12.0), (12.0, 13.0), (40.0, 41.0)], 41.0, [(1.0, 11.0), (13.0, 40.0)]),
    ],
)
def test_long_gaps_are_named(
    words: list[tuple[float, float]], duration: float, expected: list[tuple[float, float]]
) -> None:
    segments = [Segment("word", start, end) for start, end in words]
    assert check_gaps(segments, duration) == tuple(
        f"no words from {start} to {end} s; check the text there" for start, end in expected
    )


def test_the_first_gaps_are_named() -> None:
    segments = [Segment("word", 20.0 * index, 20 * index + 1) for index in range(20)]
    assert len(check_gaps(segments, 400.0)) == MOST_NAMED


# ---- all together


def badly_fitting() -> tuple[list[Segment], list[int], Tensor]:
    """A doubtful word, a long one, and a stretch that is not explained."""
    words = [Segment("one", 0.0, 0.5, 0.1), Segment("two", 0.5, 5.0, 0.9)]
    contrast = torch.zeros(500)
    contrast[100:200] = -4.0
    return words, [0, 1], contrast


def test_all_that_does_not_fit_is_said_in_order() -> None:
    words, phone_words, contrast = badly_fitting()
    assert check_fit(words, phone_words, 0.3, contrast, FRAME_S, CALIBRATION) == (
        "not in the audio, or said otherwise: 'one' at 0.00 s; check the text there",
        "speech that the text does not explain from 1.00 to 2.00 s; check the text there",
        "implausibly long: 'two' at 0.50 s; check the text there",
    )


@pytest.mark.parametrize(("probability", "shown"), [(0.299, "30%"), (0.1, "10%"), (0.004, "0%"), (0.0, "0%")])
def test_nothing_else_is_said_of_a_text_that_is_wrong_as_a_whole(probability: float, shown: str) -> None:
    words, phone_words, contrast = badly_fitting()
    assert check_fit(words, phone_words, probability, contrast, FRAME_S, CALIBRATION) == (
        f"the text does not seem to be what is spoken (probability {shown}); check that audio and text belong together",
    )


def test_a_text_that_fits_is_passed_over() -> None:
    assert check_fit(words_of(0.9, 0.8), [0, 1], 1.0, torch.zeros(100), FRAME_S, CALIBRATION) == ()


def test_without_a_calibration_only_durations_are_doubted() -> None:
    words, phone_words, contrast = badly_fitting()
    words = [dataclasses.replace(word, score=0.0) for word in words]
    assert check_fit(words, phone_words, 0.0, contrast, FRAME_S, UNCALIBRATED) == (
        "implausibly long: 'two' at 0.50 s; check the text there",
    )
