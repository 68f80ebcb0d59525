"""Warnings of a text that does not fit: their wording, their limits on both sides, the search for stretches."""

from __future__ import annotations

import dataclasses
import itertools
import math
import random

import pytest
import torch
from torch import Tensor

from streamhmm.align.calibration import UNCALIBRATED, Calibration, Tail
from streamhmm.align.evidence import Judgement
from streamhmm.align.mismatch import (
    MOST_NAMED,
    MOST_NATS,
    RAREST_ALARM,
    STRETCH_ALARMS,
    TOLERATED_NATS,
    WORD_ALARMS,
    check_durations,
    check_fit,
    check_gaps,
    check_stretches,
    check_words,
    first_named,
    largest_stretch,
    speaks_against,
    unexplained_stretches,
)
from streamhmm.segment import Segment

# limits that are the same for every length: words below 0.2, stretches beyond 40 nats
CALIBRATION = dataclasses.replace(
    UNCALIBRATED, least_text=0.3, word_tail=Tail(math.log(4), 0.0), stretch_tail=Tail(40.0, 0.0)
)
FRAME_S = 0.01


def words_of(count: int) -> list[Segment]:
    """Words of 0.5 s, named by their place."""
    return [Segment(f"word{index}", index / 2, (index + 1) / 2) for index in range(count)]


def doubted(*probabilities: float) -> tuple[list[Segment], Tensor]:
    """Words and the log-odds against them."""
    odds = torch.tensor(probabilities, dtype=torch.float64)
    return words_of(len(probabilities)), (1 - odds).log() - odds.log()


def judged(text: float, *probabilities: float) -> Judgement:
    """A judgement of a text and of its words."""
    _, doubts = doubted(*probabilities)
    return Judgement(torch.empty(0), torch.empty(0), doubts, text)


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
        "speech that the text does not explain from 0.20 to 0.65 s, from 2.00 to 2.20 s; check the text there",
    )


@pytest.mark.parametrize(("stretches", "more"), [(8, ""), (9, ", and 1 more"), (20, ", and 12 more")])
def test_the_first_stretches_are_named_in_one_warning(stretches: int, more: str) -> None:
    contrast = torch.zeros(2_000)
    contrast.view(20, 100)[:stretches, :20] = -4.0
    times = ", ".join(f"from {index}.00 to {index}.20 s" for index in range(MOST_NAMED))
    assert check_stretches(contrast, FRAME_S, CALIBRATION) == (
        f"speech that the text does not explain {times}{more}; check the text there",
    )


# A calibration fitted on parts of 2 s, one in a hundred of which reaches 10 nats, and ten more for every factor of e.
STRICTER = dataclasses.replace(UNCALIBRATED, stretch_tail=Tail(10.0, 10.0), stretch_s=2.0)


def stretch_limit(calibration: Calibration, seconds: float) -> float:
    """The largest sum that is not reported in a recording of that length, found by halving."""
    low, high = 0.0, 1_000.0
    for _ in range(40):
        middle = (low + high) / 2
        frames = math.ceil(middle / (MOST_NATS - TOLERATED_NATS))
        contrast = torch.zeros(round(seconds / FRAME_S), dtype=torch.float64)
        contrast[:frames] = -(middle / frames + TOLERATED_NATS)
        reported = check_stretches(contrast, FRAME_S, calibration) != ()
        low, high = (low, middle) if reported else (middle, high)
    return low


@pytest.mark.parametrize("seconds", [1.0, 2.0, 20.0, 200.0])
def test_the_limit_of_stretches_grows_with_the_recording(seconds: float) -> None:
    parts = max(1.0, seconds / 2.0)  # no shorter recording is taken for less than one part
    expected = 10 + 10 * math.log(0.01 * parts / STRETCH_ALARMS)
    assert stretch_limit(STRICTER, seconds) == pytest.approx(expected, abs=1e-6)


def test_the_limit_of_stretches_ends_at_the_rarest() -> None:
    hours = dataclasses.replace(STRICTER, stretch_s=1e-3)
    assert stretch_limit(hours, 20.0) == pytest.approx(10 + 10 * math.log(0.01 / RAREST_ALARM), abs=1e-6)


def test_the_same_stretch_is_reported_in_a_short_recording_and_not_in_a_long_one() -> None:
    for seconds, reported in ((2, True), (200, False)):
        contrast = torch.zeros(100 * seconds)
        contrast[50:70] = -4.0  # 50 nats; the limits are 6 and 52
        assert bool(check_stretches(contrast, FRAME_S, STRICTER)) is reported


# ---- words


@pytest.mark.parametrize(("score", "flagged"), [(0.19, True), (0.201, False), (1.0, False), (0.0, True)])
def test_a_word_is_doubted_below_the_limit(score: float, flagged: bool) -> None:
    expected = ("not in the audio, or said otherwise: 'word1' at 0.50 s; check the text there",)
    assert check_words(*doubted(0.9, score), CALIBRATION) == (expected if flagged else ())


def test_doubtful_words_are_named_together_up_to_eight() -> None:
    eight = ", ".join(f"'word{index}' at {index / 2:.2f} s" for index in range(8))
    beginning = "not in the audio, or said otherwise: "
    assert check_words(*doubted(*[0.1] * 8), CALIBRATION) == (f"{beginning}{eight}; check the text there",)
    (warning,) = check_words(*doubted(*[0.1] * 10), CALIBRATION)
    assert warning == f"{beginning}{eight}, and 2 more; check the text there"


@pytest.mark.parametrize("words", [1, 3, 30, 299, 301, 3_000])
def test_the_limit_of_words_grows_with_the_text(words: int) -> None:
    calibration = dataclasses.replace(UNCALIBRATED, word_tail=Tail(1.0, 0.5))
    share = max(WORD_ALARMS / words, RAREST_ALARM)
    limit = 1.0 + 0.5 * math.log(0.01 / share)
    for beyond, flagged in ((-1e-6, False), (1e-6, True)):
        score = 1 / (1 + math.exp(limit + beyond))
        others = [0.9] * (words - 1)
        assert bool(check_words(*doubted(score, *others), calibration)) is flagged


def test_the_same_word_is_reported_in_a_short_text_and_not_in_a_long_one() -> None:
    calibration = dataclasses.replace(UNCALIBRATED, word_tail=Tail(1.0, 0.5))
    for words, reported in ((2, True), (200, False)):  # 0.1 is 2.2 against it, the limits are 1.9 and 4.3
        assert bool(check_words(*doubted(0.1, *[0.9] * (words - 1)), calibration)) is reported


def test_without_a_limit_no_word_is_reported() -> None:
    assert check_words(*doubted(0.0, 1.0), UNCALIBRATED) == ()


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, ""), (1, "0"), (8, "0, 1, 2, 3, 4, 5, 6, 7"), (11, "0, 1, 2, 3, 4, 5, 6, 7, and 3 more")],
)
def test_the_first_of_names(count: int, expected: str) -> None:
    assert first_named([str(index) for index in range(count)]) == expected


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
    times = ", ".join(f"from {start} to {end} s" for start, end in expected)
    assert check_gaps(segments, duration) == ((f"no words {times}; check the text there",) if expected else ())


def test_the_first_gaps_are_named_in_one_warning() -> None:
    segments = [Segment("word", 20.0 * index, 20 * index + 1) for index in range(20)]
    times = ", ".join(f"from {20 * index + 1}.0 to {20 * index + 20}.0 s" for index in range(MOST_NAMED))
    assert check_gaps(segments, 400.0) == (f"no words {times}, and 12 more; check the text there",)


# ---- all together


def badly_fitting() -> tuple[list[Segment], list[int], Tensor]:
    """A doubtful word, a long one, and a stretch that is not explained."""
    words = [Segment("one", 0.0, 0.5), Segment("two", 0.5, 5.0)]
    contrast = torch.zeros(500)
    contrast[100:200] = -4.0
    return words, [0, 1], contrast


def test_all_that_does_not_fit_is_said_in_order() -> None:
    words, phone_words, contrast = badly_fitting()
    assert check_fit(words, phone_words, judged(0.3, 0.1, 0.9), contrast, FRAME_S, CALIBRATION) == (
        "not in the audio, or said otherwise: 'one' at 0.00 s; check the text there",
        "speech that the text does not explain from 1.00 to 2.00 s; check the text there",
        "implausibly long: 'two' at 0.50 s; check the text there",
    )


@pytest.mark.parametrize(("probability", "shown"), [(0.299, "30%"), (0.1, "10%"), (0.004, "0%"), (0.0, "0%")])
def test_nothing_else_is_said_of_a_text_that_is_wrong_as_a_whole(probability: float, shown: str) -> None:
    words, phone_words, contrast = badly_fitting()
    assert check_fit(words, phone_words, judged(probability, 0.1, 0.9), contrast, FRAME_S, CALIBRATION) == (
        f"the text does not seem to be what is spoken (probability {shown}); check that audio and text belong together",
    )


def test_a_text_that_fits_is_passed_over() -> None:
    assert check_fit(words_of(2), [0, 1], judged(1.0, 0.9, 0.8), torch.zeros(100), FRAME_S, CALIBRATION) == ()


def test_without_a_calibration_only_durations_are_doubted() -> None:
    words, phone_words, contrast = badly_fitting()
    assert check_fit(words, phone_words, judged(0.0, 0.0, 0.0), contrast, FRAME_S, UNCALIBRATED) == (
        "implausibly long: 'two' at 0.50 s; check the text there",
    )
