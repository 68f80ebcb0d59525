"""Boundary metrics, held against definitions written out."""

from __future__ import annotations

import doctest
import importlib
import itertools
import math
import pkgutil
from collections.abc import Sequence
from statistics import fmean, median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamhmm import metrics
from streamhmm.metrics import THRESHOLDS_MS, bootstrap, detection, match_times, pair_words, shifts, summarise
from streamhmm.metrics.bootstrap import intervals
from streamhmm.metrics.boundaries import BoundaryErrors, SegmentShifts
from streamhmm.metrics.pairing import pair, word_key
from streamhmm.segment import Segment

ERRORS = st.lists(st.one_of(st.none(), st.integers(-200, 200).map(lambda ms: ms / 1000)), max_size=12)
TIMES = st.lists(st.integers(0, 60), max_size=6).map(lambda ticks: sorted(tick / 100 for tick in ticks))

# ---- figures


def test_a_missed_boundary_counts_in_every_percentage_and_in_no_mean() -> None:
    summary = summarise([0.010, -0.030, None, 0.005])
    assert (summary.boundaries, summary.missed) == (4, 1)
    assert summary.within == (50.0, 50.0, 50.0, 75.0, 75.0)
    assert summary.mean_ms == pytest.approx(15.0)
    assert summary.median_ms == pytest.approx(10.0)
    assert summary.bias_ms == pytest.approx(-5.0)


def test_an_error_that_is_a_threshold_but_for_rounding() -> None:
    assert summarise([0.31 - 0.30]).within == (100.0,) * 5


def test_misses_only_and_nothing() -> None:
    summary = summarise([None, None])
    assert (summary.missed, summary.within) == (2, (0.0,) * 5)
    assert math.isnan(summary.mean_ms)
    assert summarise([])[:2] == (0, 0)
    assert all(map(math.isnan, summarise([]).within))


def plain(errors: Sequence[float | None]) -> list[float]:
    """The figures by their definitions."""
    known = [error for error in errors if error is not None]
    sizes = [abs(error) for error in known]
    within = [100 * sum(size <= limit / 1000 + 1e-9 for size in sizes) / len(errors) for limit in THRESHOLDS_MS]
    if not known:
        return [*within, math.nan, math.nan, math.nan]
    return [*within, *(1000 * f(v) for f, v in ((fmean, sizes), (median, sizes), (fmean, known)))]


@given(ERRORS, st.integers(0, 10**6))
@settings(derandomize=True, deadline=None, max_examples=150)
def test_a_weight_is_so_many_copies(errors: list[float | None], seed: int) -> None:
    chance = np.random.default_rng(seed)
    owners, weights = chance.integers(0, 4, len(errors)), chance.integers(0, 4, (3, 4))
    found = BoundaryErrors(errors, owners, 4).figures(weights.astype(float))
    for row, own in zip(found, weights, strict=True):
        copies = [error for error, owner in zip(errors, owners, strict=True) for _ in range(own[owner])]
        assert row == pytest.approx(plain(copies) if copies else [math.nan] * 8, nan_ok=True)


@given(ERRORS)
@settings(derandomize=True, deadline=None, max_examples=100)
def test_a_summary_has_the_figures(errors: list[float | None]) -> None:
    found = summarise(errors)
    assert found[:2] == (len(errors), errors.count(None))
    assert [*found.within, *found[3:]] == pytest.approx(plain(errors) if errors else [math.nan] * 8, nan_ok=True)


@pytest.mark.parametrize("count", [1, 63, 64, 65, 1000])
def test_any_number_of_values_in_bins(count: int) -> None:
    chance = np.random.default_rng(count)
    values, owners = np.round(chance.normal(0, 0.02, count), 3), chance.integers(0, 5, count)
    weights = chance.integers(0, 3, (20, 5))
    weights[0], weights[1] = 0, [1, 0, 0, 0, 0]
    found = BoundaryErrors(values, owners, 5).figures(weights.astype(float))
    shifted = SegmentShifts(values, -values[::-1], owners, 5).figures(weights.astype(float))
    for row, other, own in zip(found, shifted, weights, strict=True):
        times = own[owners]
        copies, mirrored = np.repeat(values, times), np.repeat(-values[::-1], times)
        assert row == pytest.approx(plain(copies.tolist()) if len(copies) else [math.nan] * 8, nan_ok=True)
        if len(copies):
            both = np.concatenate([copies, mirrored])
            offset = np.median(both)
            expected = [np.abs(both).mean(), offset, np.abs(both - offset).mean()]
            assert other == pytest.approx([1000 * value for value in expected])


@given(st.lists(st.tuples(st.integers(-90, 90), st.integers(-90, 90), st.integers(0, 3)), min_size=1, max_size=9))
@settings(derandomize=True, deadline=None, max_examples=150)
def test_shifts_are_what_their_definition_says(rows: list[tuple[int, int, int]]) -> None:
    copies = [(start, end) for start, end, weight in rows for _ in range(weight)]
    starts, ends, weights = (np.array(column) for column in zip(*rows, strict=True))
    owners = np.arange(len(rows))
    (found,) = SegmentShifts(starts / 1000, ends / 1000, owners, len(rows)).figures(weights[None].astype(float))
    if not copies:
        assert np.isnan(found).all()
        return
    offset = median([time for pair in copies for time in pair])
    raw = fmean((abs(s) + abs(e)) / 2 for s, e in copies)
    corrected = fmean((abs(s - offset) + abs(e - offset)) / 2 for s, e in copies)
    assert found == pytest.approx([raw, offset, corrected])
    assert shifts(*zip(*copies, strict=True)) == pytest.approx([1000 * value for value in found])


def test_a_constant_delay_costs_nothing_once_it_is_taken_off() -> None:
    assert shifts([0.03] * 3, [0.03] * 3) == pytest.approx((30.0, 30.0, 0.0))
    assert shifts([0.03, None], [0.01, 0.01])[0] == pytest.approx(20.0)  # of one segment an end is not known


# ---- matching


def most_matches(ours: Sequence[float], theirs: Sequence[float], tolerance_s: float) -> int:
    """Every way to give each time a partner, tried out."""
    if not ours:
        return 0
    rest = [most_matches(ours[1:], theirs, tolerance_s)]
    for index, other in enumerate(theirs):
        if abs(other - ours[0]) <= tolerance_s + 1e-9:
            rest.append(1 + most_matches(ours[1:], [*theirs[:index], *theirs[index + 1 :]], tolerance_s))
    return max(rest)


@given(TIMES, TIMES, st.sampled_from([0.0, 0.02, 0.1]))
@settings(derandomize=True, deadline=None, max_examples=200)
def test_no_matching_has_more_pairs(ours: list[float], theirs: list[float], tolerance_s: float) -> None:
    found = match_times(ours, theirs, tolerance_s)
    assert found.reference.sum() == found.hypothesis.sum() == most_matches(ours, theirs, tolerance_s)
    first, second = np.array(ours)[found.reference], np.array(theirs)[found.hypothesis]
    assert (abs(first - second) <= tolerance_s + 1e-9).all()


def test_one_boundary_is_not_found_twice() -> None:
    found = match_times([0.50], [0.49, 0.51])
    assert (found.reference.tolist(), found.hypothesis.tolist()) == ([True], [True, False])


def test_detection() -> None:
    # Räsänen et al. 2009: a perfect one is 1; HR 0.7 at OS 0.1 computed by hand.
    assert detection(10, 10, 10) == (1.0, 1.0, 1.0, 1.0)
    found = detection(10, 11, 7)
    assert found[:3] == pytest.approx((7 / 11, 0.7, 2 * (7 / 11) * 0.7 / (7 / 11 + 0.7)))
    assert found.r_value == pytest.approx(1 - (math.sqrt(0.3**2 + 0.1**2) + (0.3 + 0.1) / math.sqrt(2)) / 2)
    twice = detection(10, 20, 10)  # every boundary found, and as many more
    assert twice.recall == 1.0
    assert twice.r_value == pytest.approx(1 - (1 + 1 / math.sqrt(2)) / 2)
    assert detection(4, 0, 0)[1:3] == (0.0, 0.0)
    assert math.isnan(detection(4, 0, 0).precision)
    assert all(map(math.isnan, detection(0, 3, 0)[1:]))


# ---- pairing


def least_cost(rows: int, columns: int, costs: np.ndarray) -> float:
    """Over every choice of rows and of columns that are paired in order."""
    best = float(rows + columns)
    for size in range(1, min(rows, columns) + 1):
        for chosen in itertools.combinations(range(rows), size):
            for others in itertools.combinations(range(columns), size):
                best = min(best, rows + columns - 2 * size + float(costs[list(chosen), list(others)].sum()))
    return best


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 10**6))
@settings(derandomize=True, deadline=None, max_examples=150)
def test_no_pairing_costs_less(rows: int, columns: int, seed: int) -> None:
    costs = np.random.default_rng(seed).choice([0.0, 0.3, 1.0, 3.0], (rows, columns))
    partners = pair(rows, columns, lambda row, low, high: costs[row, low:high])
    found = [(row, column) for row, column in enumerate(partners) if column is not None]
    assert [column for _, column in found] == sorted({column for _, column in found})
    cost = rows + columns - 2 * len(found) + sum(costs[pair] for pair in found)
    assert cost == pytest.approx(least_cost(rows, columns, costs))


def longest_common(one: Sequence[int], other: Sequence[int]) -> int:
    """Length of the longest common subsequence, in the textbook's way."""
    row = [0] * (len(other) + 1)
    for label in one:
        before = row[:]
        for place, mate in enumerate(other, 1):
            row[place] = before[place - 1] + 1 if label == mate else max(before[place], row[place - 1])
    return row[-1]


@pytest.mark.parametrize("edits", [3, 60, 300])
def test_a_band_that_gets_wider_finds_what_the_whole_table_has(edits: int) -> None:
    chance = np.random.default_rng(edits)
    ours = chance.integers(0, 50, 300)
    theirs = np.delete(ours, chance.integers(0, 300, edits // 3))
    theirs = np.insert(theirs, chance.integers(0, len(theirs), edits), chance.integers(0, 50, edits))
    partners = pair(300, len(theirs), lambda row, low, high: np.where(theirs[low:high] == ours[row], 0.0, 3.0))
    assert sum(partner is not None for partner in partners) == longest_common(ours.tolist(), theirs.tolist())


def words(text: str, step: float = 1.0) -> list[Segment]:
    return [Segment(label, index * step, (index + 1) * step) for index, label in enumerate(text.split())]


def test_words_are_equal_whatever_their_case_and_punctuation() -> None:
    assert pair_words(words("“Don’t” stop — now!"), words("DON'T stop — now")) == [0, 1, 2, 3]
    assert [word_key(label) for label in ("Ａbc.", "Straße", "—", "naïve")] == ["abc", "strasse", "—", "naïve"]


def test_a_missing_word_shifts_no_other() -> None:
    assert pair_words(words("a b c d e"), words("a b d e f")) == [0, 1, None, 2, 3]
    assert pair_words(words("a b c"), words("a x c")) == [0, None, 2]  # another word is no partner
    assert pair_words([], words("a")) == []
    assert pair_words(words("a"), []) == [None]


def test_of_a_word_said_twice_the_nearest_is_the_partner() -> None:
    ours = words("the cat the cat")
    assert pair_words(ours, ours[2:]) == [None, None, 0, 1]
    assert pair_words(ours, ours[:2]) == [0, 1, None, None]


def test_ten_thousand_words_with_hundreds_of_edits() -> None:
    chance = np.random.default_rng(1)
    ours = [Segment(str(label), index, index + 1) for index, label in enumerate(chance.integers(0, 900, 10_000))]
    kept = np.flatnonzero(chance.random(10_000) > 0.03)
    partners = pair_words(ours, [ours[index] for index in kept])
    assert [index for index, partner in enumerate(partners) if partner is not None] == kept.tolist()


# ---- bootstrap


def test_intervals_are_percentiles_of_resampled_means() -> None:
    values = np.random.default_rng(1).normal(5.0, 2.0, 400)

    def mean(weights: np.ndarray) -> np.ndarray:
        return (weights @ values / weights.sum(axis=1))[:, None]

    ((low, high),) = intervals(mean, 400)
    sd = values.std() / math.sqrt(400)
    assert (low, high) == pytest.approx((values.mean() - 1.96 * sd, values.mean() + 1.96 * sd), abs=0.25 * sd)
    assert intervals(mean, 400) == [(low, high)]
    assert intervals(mean, 400, seed=1) != [(low, high)]


def test_a_sample_draws_as_many_units_as_there_are_in_blocks_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []

    def look(weights: np.ndarray) -> np.ndarray:
        seen.append(weights)
        return weights

    whole = intervals(look, 7, resamples=50)
    monkeypatch.setattr(bootstrap, "_MOST_CELLS", 21)
    assert intervals(look, 7, resamples=50) == whole
    assert [len(weights) for weights in seen] == [50, *[3] * 16, 2]
    assert (seen[0].sum(axis=1) == 7).all()


def test_of_one_unit_nothing_can_be_said_and_a_figure_may_be_lacking() -> None:
    assert np.isnan(intervals(lambda weights: np.ones((len(weights), 2)), 1)).all()
    found = intervals(lambda weights: np.array([[math.nan, 1.0]] * len(weights)), 5, resamples=20)
    assert np.isnan(found[0]).all()
    assert found[1] == (1.0, 1.0)


# ---- documentation


def test_examples_in_docstrings_hold() -> None:
    names = [module.name for module in pkgutil.iter_modules(metrics.__path__)]
    found = {name: doctest.testmod(importlib.import_module(f"streamhmm.metrics.{name}")) for name in names}
    assert not any(result.failed for result in found.values())
    shown = ("cepstral_distortion", "pitch", "durations", "error_rate", "frame_accuracy")
    assert all(found[name].attempted for name in shown)
