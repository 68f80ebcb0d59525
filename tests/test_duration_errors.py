"""Duration errors against their definitions, and what alignments of two recordings give."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
import torch
from test_comparison import SPOKEN, tiers

from streamhmm.metrics import compare_tiers, duration_errors, durations_of
from streamhmm.metrics.durations import DurationPairs


def plain(ours: list[float], theirs: list[float]) -> list[float]:
    """The figures by their definitions, of durations that are known."""
    errors = [1000 * (b - a) for a, b in zip(ours, theirs, strict=True)]
    shares = [100 * abs(b - a) / a for a, b in zip(ours, theirs, strict=True)]
    return [
        math.sqrt(statistics.fmean(error**2 for error in errors)),
        statistics.fmean(map(abs, errors)),
        statistics.fmean(errors),
        statistics.correlation(ours, theirs) if len(set(ours)) > 1 < len(set(theirs)) else math.nan,
        *(100 * sum(abs(error) <= limit + 1e-6 for error in errors) / len(errors) for limit in (10, 20, 25, 50, 100)),
        *(100 * sum(share <= limit + 1e-6 for share in shares) / len(errors) for limit in (10, 20, 25, 50)),
    ]


def some(count: int, seed: int) -> tuple[list[float], list[float]]:
    chance = np.random.default_rng(seed)
    ours = np.round(chance.uniform(0.03, 0.3, count), 2)
    return ours.tolist(), np.round(ours + chance.normal(0, 0.03, count).clip(-0.02, 0.2), 2).tolist()


@pytest.mark.parametrize("count", [1, 2, 3, 40])
def test_definitions_written_out(count: int) -> None:
    ours, theirs = some(count, count)
    found = duration_errors(ours, theirs)
    figures = [found.rmse_ms, found.mean_ms, found.bias_ms, found.correlation, *found.within, *found.within_relative]
    assert figures == pytest.approx(plain(ours, theirs), nan_ok=True)
    assert (found.segments, found.missed) == (count, 0)


def test_a_weight_is_so_many_copies() -> None:
    ours, theirs = some(30, 5)
    chance = np.random.default_rng(2)
    owners, weights = chance.integers(0, 4, 30), chance.integers(0, 3, (20, 4))
    found = DurationPairs(ours, theirs, owners, 4).figures(weights.astype(float))
    for row, own in zip(found, weights, strict=True):
        copies = [index for index, owner in enumerate(owners) for _ in range(own[owner])]
        expected = plain([ours[i] for i in copies], [theirs[i] for i in copies]) if copies else [math.nan] * 13
        assert row == pytest.approx(expected, nan_ok=True)


def test_equal_durations_have_no_error() -> None:
    ours, _ = some(20, 1)
    found = duration_errors(ours, ours)
    assert (found.rmse_ms, found.mean_ms, found.bias_ms) == (0.0, 0.0, 0.0)
    assert found.correlation == pytest.approx(1.0)
    assert set(found.within + found.within_relative) == {100.0}


def test_an_error_that_is_a_threshold_but_for_rounding() -> None:
    found = duration_errors([0.30, 0.1], [0.31, 0.11])
    assert found.within[0] == 100.0
    assert found.within_relative[0] == 100.0


@pytest.mark.parametrize("unknown", [None, math.nan])
def test_a_missed_segment_counts_in_every_percentage_and_in_no_mean(unknown: float | None) -> None:
    found = duration_errors([0.1, 0.2, 0.3, unknown], [0.11, 0.2, unknown, 0.1])
    assert (found.segments, found.missed) == (4, 2)
    assert found.mean_ms == pytest.approx(5.0)
    assert found.within == (50.0,) * 5


def test_nothing_to_count() -> None:
    found = duration_errors([], [])
    assert (found.segments, found.missed) == (0, 0)
    assert all(map(math.isnan, (found.rmse_ms, found.correlation, *found.within, *found.within_relative)))
    missed = duration_errors([0.1], [None])
    assert math.isnan(missed.rmse_ms)
    assert missed.within == (0.0,) * 5


def test_constant_durations_have_no_correlation() -> None:
    assert math.isnan(duration_errors([0.1] * 3, [0.1, 0.2, 0.3]).correlation)
    assert math.isnan(duration_errors([0.1, 0.2], [0.7] * 2).correlation)


def test_tensors() -> None:
    assert duration_errors(torch.tensor([0.5, 1.0]), torch.tensor([0.5, 1.5])).rmse_ms == pytest.approx(
        500 / math.sqrt(2)
    )


def test_durations_of_alignments_that_start_elsewhere_and_go_slower() -> None:
    found = compare_tiers(tiers(SPOKEN), tiers(SPOKEN, shift_s=3.0, step_s=0.15))
    ours, theirs = durations_of(found.words)
    assert ours == pytest.approx([0.2, 0.2, 0.1, 0.3])
    assert theirs == pytest.approx([0.3, 0.3, 0.15, 0.45])
    ours, theirs = durations_of(found.phones)
    assert ours == pytest.approx([0.1] * 8)
    assert theirs == pytest.approx([0.15] * 8)


def test_a_missing_word_has_no_duration() -> None:
    ours, theirs = durations_of(compare_tiers(tiers(SPOKEN), tiers("to=T.UW or=ER not=N.AA.T")).words)
    assert ours == pytest.approx([0.2, 0.2, 0.1, 0.3])
    assert theirs == pytest.approx([0.2, math.nan, 0.1, 0.3], nan_ok=True)


def test_wrong_calls() -> None:
    with pytest.raises(ValueError, match=r"equally many durations, got 1 and 2"):
        duration_errors([0.1], [0.1, 0.2])
    with pytest.raises(ValueError, match=r"reference must be finite durations from 0 s on, got -0.1"):
        duration_errors([-0.1], [0.1])
    with pytest.raises(ValueError, match=r"hypothesis must be finite durations from 0 s on, got inf"):
        duration_errors([0.1], [math.inf])
    with pytest.raises(ValueError, match=r"reference must be durations \(N,\), got shape \(1, 1\)"):
        duration_errors([[0.1]], [0.1])
