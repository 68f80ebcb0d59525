"""Pitch and voicing errors, held against shifts that are known and definitions written out."""

from __future__ import annotations

import dataclasses
import math
import statistics
from typing import Any

import numpy as np
import pytest
import torch

from streamhmm.metrics import pitch_errors

CONTOUR = np.array([0.0, 110.0, 120.0, 0.0, 150.0, 90.0, 0.0, 200.0])


@pytest.mark.parametrize("cents", [-1200.0, -50.0, 1.0, 100.0, 386.3])
def test_a_shift_by_cents_is_found_exactly(cents: float) -> None:
    found = pitch_errors(CONTOUR, CONTOUR * 2 ** (cents / 1200))
    assert found.rmse_cents == pytest.approx(abs(cents), rel=1e-12)
    assert found.bias_cents == pytest.approx(cents, rel=1e-12)
    assert found.log_correlation == pytest.approx(1.0, abs=1e-12)
    assert (found.frames, found.voiced, found.voicing_error_percent) == (8, 5, 0.0)
    assert found.gross_error_percent == (100.0 if abs(2 ** (cents / 1200) - 1) > 0.2 else 0.0)


def test_a_shift_by_hertz_is_found_exactly() -> None:
    found = pitch_errors(CONTOUR, np.where(CONTOUR > 0, CONTOUR + 7.5, 0.0))
    assert found.rmse_hz == 7.5


def test_equal_contours_have_no_error() -> None:
    found = pitch_errors(CONTOUR, CONTOUR)
    assert (found.rmse_hz, found.rmse_cents, found.bias_cents) == (0.0, 0.0, 0.0)
    assert (found.voicing_error_percent, found.gross_error_percent, found.frame_error_percent) == (0.0, 0.0, 0.0)
    assert found.log_correlation == pytest.approx(1.0, abs=1e-12)


def test_definitions_written_out() -> None:
    chance = np.random.default_rng(1)
    ours = np.where(chance.random(300) < 0.7, chance.uniform(80, 300, 300), 0.0)
    theirs = np.where(chance.random(300) < 0.6, ours * chance.uniform(0.7, 1.4, 300) + 1, 0.0)
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if a > 0 and b > 0]
    found = pitch_errors(ours, theirs)
    assert found.voiced == len(pairs)
    assert (found.reference_voiced, found.hypothesis_voiced) == ((ours > 0).sum(), (theirs > 0).sum())
    assert found.rmse_hz == pytest.approx(math.sqrt(statistics.fmean((a - b) ** 2 for a, b in pairs)))
    assert found.rmse_cents == pytest.approx(
        1200 * math.sqrt(statistics.fmean(math.log2(b / a) ** 2 for a, b in pairs))
    )
    logs = [[math.log(value) for value in side] for side in zip(*pairs, strict=True)]
    assert found.log_correlation == pytest.approx(statistics.correlation(*logs))
    switched = sum((a > 0) != (b > 0) for a, b in zip(ours, theirs, strict=True))
    gross = sum(abs(b / a - 1) > 0.2 for a, b in pairs)
    assert found.voicing_error_percent == pytest.approx(100 * switched / 300)
    assert found.gross_error_percent == pytest.approx(100 * gross / len(pairs))
    assert found.frame_error_percent == pytest.approx(100 * (switched + gross) / 300)


def test_what_is_symmetric() -> None:
    ours, theirs = CONTOUR, np.roll(CONTOUR, 1)
    one, other = pitch_errors(ours, theirs), pitch_errors(theirs, ours)
    for name in ("rmse_hz", "rmse_cents", "log_correlation", "voicing_error_percent", "voiced"):
        assert getattr(one, name) == pytest.approx(getattr(other, name))
    assert one.bias_cents == pytest.approx(-other.bias_cents)


@pytest.mark.parametrize("kind", [list, np.float32, torch.tensor])
def test_nan_is_unvoiced_in_whatever_comes(kind: Any) -> None:
    with_nan = np.where(CONTOUR > 0, CONTOUR, math.nan)
    given = with_nan.astype(np.float32) if kind is np.float32 else kind(with_nan)
    assert pitch_errors(given, CONTOUR) == pitch_errors(CONTOUR, CONTOUR)
    assert np.isnan(with_nan).sum() == 3  # what was given is left as it is


@pytest.mark.parametrize(("ours", "theirs"), [([0.0, 0.0], [0.0, 0.0]), ([100.0, 0.0], [0.0, 90.0]), ([], [])])
def test_without_a_frame_voiced_on_both_sides(ours: list[float], theirs: list[float]) -> None:
    found = pitch_errors(ours, theirs)
    assert found.voiced == 0
    figures = dataclasses.asdict(found)
    unknown = {name for name, value in figures.items() if isinstance(value, float) and math.isnan(value)}
    always = {"rmse_hz", "rmse_cents", "bias_cents", "log_correlation", "gross_error_percent"}
    assert unknown == (always if ours else {*always, "voicing_error_percent", "frame_error_percent"})
    if ours:
        assert found.voicing_error_percent == (100.0 if any(ours) else 0.0)


def test_a_constant_contour_or_a_single_frame_has_no_correlation() -> None:
    assert math.isnan(pitch_errors([100.0, 100.0], [90.0, 110.0]).log_correlation)
    assert math.isnan(pitch_errors([100.0], [110.0]).log_correlation)
    assert pitch_errors([100.0], [110.0]).rmse_hz == 10.0


@pytest.mark.parametrize("kind", [np.array, torch.tensor, list])
def test_frames_are_compared_along_a_path(kind: Any) -> None:
    path = [[0, 0], [1, 1], [1, 2], [2, 3]]
    found = pitch_errors([100.0, 110.0, 0.0], [100.0, 110.0, 121.0, 130.0], path=kind(path))
    assert (found.frames, found.voiced, found.rmse_hz) == (4, 3, pytest.approx(math.sqrt(121 / 3)))
    assert found.voicing_error_percent == 25.0


def test_cut_leaves_out_the_end() -> None:
    assert pitch_errors([100.0, 110.0], [100.0, 110.0, 0.0], cut=True) == pitch_errors([100.0, 110.0], [100.0, 110.0])


WRONG: dict[str, tuple[Any, Any, dict[str, Any], type[Exception], str]] = {
    "lengths": ([1.0], [1.0, 2.0], {}, ValueError, r"equally many frames, got 1 and 2; give a path or set cut"),
    "a shape": ([[1.0]], [1.0], {}, ValueError, r"reference must be frequencies \(T,\), got shape \(1, 1\)"),
    "negative": ([1.0], [-2.0], {}, ValueError, r"hypothesis must be finite Hz .* got -2 in frame 0"),
    "infinite": ([1.0, math.inf], [1.0, 1.0], {}, ValueError, r"reference must be finite Hz .* got inf in frame 1"),
    "no numbers": (["a"], [1.0], {}, TypeError, r"reference must be frequencies \(T,\) in Hz, got list"),
    "path and cut": ([1.0], [1.0], {"path": [[0, 0]], "cut": True}, ValueError, r"cut goes without a path"),
    "path of floats": ([1.0], [1.0], {"path": [[0.0, 0.0]]}, ValueError, r"integers \(K, 2\), got float64 of shape"),
    "path too far": ([1.0], [1.0], {"path": [[0, 1]]}, ValueError, r"within 1 and 1 frames, got \[0, 1\]"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_calls(case: str) -> None:
    ours, theirs, options, error, message = WRONG[case]
    with pytest.raises(error, match=message):
        pitch_errors(ours, theirs, **options)
