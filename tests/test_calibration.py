"""Regressions held against formulas by hand and laws that are known; calibrations in files."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from test_network import random_checkpoint
from torch import Tensor

import streamhmm as sh
from streamhmm.acoustic.checkpoint import load_checkpoint, save_checkpoint
from streamhmm.align.calibration import (
    QUANTILES,
    UNCALIBRATED,
    VERSION,
    Calibration,
    Logit,
    Tail,
    fit_logit,
    fit_offsets,
    fit_tail,
)
from streamhmm.align.unknown import UNCALIBRATED_WARNING
from streamhmm.errors import ModelError

N = 20_000


def draw(log_odds: Tensor, seed: int) -> Tensor:
    """True or False for each, as likely as its log-odds say."""
    return torch.rand(len(log_odds), generator=torch.Generator().manual_seed(seed)) < log_odds.sigmoid()


def features_of(count: int, seed: int = 0) -> Tensor:
    return torch.randn(N, count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def some_calibration() -> Calibration:
    """No two numbers of it are the same."""
    numbers = iter(range(1, 200))

    def take(count: int) -> tuple[float, ...]:
        return tuple(next(numbers) / 7 for _ in range(count))

    logits = [Logit(*take(1), take(count), take(count), take(count), take(count)) for count in (4, 8, 11)]
    offsets, texts, tails = take(40), take(2), [Tail(*take(2)) for _ in range(2)]
    return Calibration(logits[0], offsets, logits[1], logits[2], *texts, *tails, *take(4))


# ---- Logit


def test_log_odds_by_hand() -> None:
    logit = Logit(bias=0.5, linear=(2.0, -1.0), square=(0.25, 3.0), low=(-1.0, -2.0), high=(1.0, 4.0))
    assert float(logit(torch.tensor([0.5, 2.0]))) == 0.5 + 2 * 0.5 - 2.0 + 0.25 * 0.25 + 3 * 4
    assert logit(torch.tensor([[0.0, 0.0], [0.5, 2.0]])).tolist() == [0.5, 11.5625]
    assert logit(torch.tensor([0.5, 2.0])).dtype == torch.float64


@pytest.mark.parametrize(
    ("features", "clamped"),
    [((-1.5, 0.0), (-1.0, 0.0)), ((9.0, 0.0), (1.0, 0.0)), ((0.0, 4.1), (0.0, 4.0)), ((-99.0, -99.0), (-1.0, -2.0))],
)
def test_features_are_clamped(features: tuple[float, float], clamped: tuple[float, float]) -> None:
    logit = Logit(bias=0.5, linear=(2.0, -1.0), square=(0.25, 3.0), low=(-1.0, -2.0), high=(1.0, 4.0))
    assert logit(torch.tensor(features)) == logit(torch.tensor(clamped))


# ---- fitting


def test_a_known_law_is_found() -> None:
    x = features_of(3)
    law = Logit(0.5, (1.5, -0.5, 0.0), (0.25, 0.0, -0.75), (-3.0,) * 3, (3.0,) * 3)
    fitted = fit_logit(x, draw(law(x), 1))
    assert fitted.bias == pytest.approx(law.bias, abs=0.1)
    assert fitted.linear == pytest.approx(law.linear, abs=0.1)
    assert fitted.square == pytest.approx(law.square, abs=0.1)
    for place, quantile in ((fitted.low, QUANTILES[0]), (fitted.high, QUANTILES[1])):
        assert place == pytest.approx([column.sort().values[int(quantile * (N - 1))].item() for column in x.T], abs=0.1)


def test_fitted_probabilities_are_calibrated() -> None:
    x = features_of(2)
    right = draw(2 * x[:, 0] - x[:, 1].square() + 1, 2)
    probability = fit_logit(x, right)(x).sigmoid()
    assert float(probability.mean()) == pytest.approx(float(right.double().mean()), abs=1e-4)
    for place in range(10):
        inside = (probability * 10).floor() == place
        sd = math.sqrt(0.25 / int(inside.sum()))
        assert float(right[inside].double().mean()) == pytest.approx(float(probability[inside].mean()), abs=4 * sd)


def test_a_feature_that_tells_nothing_gets_no_weight() -> None:
    x = torch.cat([features_of(1), torch.full((N, 1), 0.3)], dim=1)
    fitted = fit_logit(x, draw(x[:, 0], 3))
    constant = fitted.linear[1] * 0.3 + fitted.square[1] * 0.09
    assert constant == pytest.approx(0.0, abs=1e-6)
    assert fitted.linear[0] == pytest.approx(1.0, abs=0.1)


def test_features_that_tell_all_keep_the_weights_finite() -> None:
    x = features_of(1)
    fitted = fit_logit(x, x[:, 0] > 0)
    assert all(map(math.isfinite, (fitted.bias, *fitted.linear, *fitted.square)))
    assert bool(((fitted(x) > 0) == (x[:, 0] > 0))[x[:, 0].abs() > 0.1].all())


def test_the_limit_of_a_tail_grows_with_the_logarithm_of_rarity() -> None:
    tail = Tail(level=7.0, scale=2.0)
    assert tail.limit(0.01) == 7.0
    assert tail.limit(0.001) == pytest.approx(7.0 + 2 * math.log(10))
    assert tail.limit(1e-5) == pytest.approx(7.0 + 2 * math.log(1000))
    assert Tail(math.inf, 0.0).limit(1e-5) == math.inf


@pytest.mark.parametrize(("start", "mean"), [(0.0, 1.0), (-5.0, 3.0)])
def test_the_tail_of_an_exponential_law_is_found(start: float, mean: float) -> None:
    places = (torch.arange(200_000, dtype=torch.float64) + 0.5) / 200_000
    values = start - mean * places.log()  # P(value > limit) = exp(−(limit − start) / mean)
    tail = fit_tail(values[torch.randperm(len(values), generator=torch.Generator().manual_seed(0))])
    assert tail.scale == pytest.approx(mean, rel=0.01)
    for share in (0.01, 1e-3, 1e-5):
        assert tail.limit(share) == pytest.approx(start - mean * math.log(share), rel=0.01)


@pytest.mark.parametrize("seed", range(5))
def test_the_tail_of_drawn_values_is_found_and_passed_as_often_as_said(seed: int) -> None:
    uniform = torch.rand(2, 500_000, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    values, others = -2.0 * (1 - uniform).log()
    tail = fit_tail(values)
    assert tail.scale == pytest.approx(2.0, rel=0.06)
    for share in (0.01, 3e-3, 1e-3):
        assert float((others > tail.limit(share)).double().mean()) == pytest.approx(share, rel=0.15)


def test_the_tail_of_values_that_are_all_the_same() -> None:
    assert fit_tail(torch.full((100,), 3.0)) == Tail(3.0, 0.0)


def test_limits_of_features_are_in_order() -> None:
    with pytest.raises(ValueError, match=r"low must not exceed high, got \(0.0, 2.0\) and \(1.0, 1.0\)"):
        Logit(0.0, (1.0, 1.0), (0.0, 0.0), (0.0, 2.0), (1.0, 1.0))


def test_known_offsets_of_groups_are_found() -> None:
    logits = features_of(1)[:, 0]
    groups = torch.arange(N) % 4
    offsets = torch.tensor([1.0, -2.0, 0.0, 0.5], dtype=torch.float64)
    found = fit_offsets(logits, groups, draw(logits + offsets[groups], 4), 6)
    assert found[:4] == pytest.approx(offsets.tolist(), abs=0.15)
    assert found[4] == found[5]  # what never occurred gets what all have
    assert min(offsets) < found[4] < max(offsets)


# ---- files


def test_round_trip_through_json() -> None:
    values = json.loads(json.dumps(some_calibration().to_dict()))
    assert values["version"] == VERSION
    assert Calibration.from_dict(values) == some_calibration()


def test_no_calibration_is_nothing_to_keep() -> None:
    with pytest.raises(ValueError, match="inf where a finite number belongs"):
        Calibration.from_dict(UNCALIBRATED.to_dict())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"phone_offsets": (0.0,) * 39}, "phone_offsets must be 40 numbers, got 39"),
        ({"word": UNCALIBRATED.text}, "word must have 8 weights of each kind"),
        (
            {"phone": dataclasses.replace(UNCALIBRATED.phone, high=(1.0,) * 3)},
            "phone must have 4 weights of each kind",
        ),
        ({"stretch_s": 0.0}, r"stretch_s must be above 0, got 0\.0"),
        ({"stretch_s": -1.0}, r"stretch_s must be above 0, got -1\.0"),
        ({"spread_scale": -0.5}, r"spread_scale must not be negative, got -0\.5"),
        ({"spread_gain": -0.5}, r"spread_gain must not be negative, got -0\.5"),
        ({"spread_floor_ms": -0.5}, r"spread_floor_ms must not be negative, got -0\.5"),
    ],
)
def test_what_is_no_calibration_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(UNCALIBRATED, **changes)


def save_model(path: Path, calibration: Any) -> Path:
    save_checkpoint(dataclasses.replace(random_checkpoint(), calibration=calibration), path)
    return path


def test_a_model_file_keeps_its_calibration(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model.safetensors", some_calibration().to_dict())
    assert Calibration.from_dict(load_checkpoint(path).calibration or {}) == some_calibration()
    aligner = sh.Aligner(path)
    assert aligner.calibration == some_calibration()
    assert aligner.model.calibration == load_checkpoint(path).calibration


def test_a_model_file_without_a_calibration_works(tmp_path: Path) -> None:
    path = save_model(tmp_path / "model.safetensors", None)
    assert load_checkpoint(path).calibration is None
    aligner = sh.Aligner(path)
    assert aligner.calibration == UNCALIBRATED
    alignment = aligner.align((0.1 * torch.randn(16_000).clamp(-5, 5), 16_000), "cat")
    assert 0 < alignment.words[0].score < 1
    assert alignment.warnings == (UNCALIBRATED_WARNING,)


def damaged(**changes: Any) -> dict[str, Any]:
    """A calibration with entries changed, or removed by None."""
    values = some_calibration().to_dict() | changes
    return {name: value for name, value in values.items() if value is not None}


PHONE = some_calibration().to_dict()["phone"]
TAIL = some_calibration().to_dict()["word_tail"]


@pytest.mark.parametrize(
    ("calibration", "reason"),
    [
        (3, "TypeError"),
        ("all is well", "TypeError"),
        ([1, 2], "TypeError"),
        ({}, "KeyError.*version"),
        (damaged(version=None), "KeyError.*version"),
        (damaged(version=VERSION + 1), f"ValueError.*version {VERSION + 1}, this streamhmm reads {VERSION}"),
        (damaged(version=str(VERSION)), "ValueError.*version"),
        (damaged(phone=None), "KeyError.*phone"),
        (damaged(text=None), "KeyError.*text"),
        (damaged(least_text=None), "KeyError.*least_text"),
        (damaged(word_tail=None), "KeyError.*word_tail"),
        (damaged(stretch_tail=3.0), "TypeError"),
        (damaged(stretch_tail={"level": 1.0}), "KeyError.*scale"),
        (damaged(word_tail={**TAIL, "level": math.inf}), "ValueError.*inf where a finite number belongs"),
        (damaged(word_tail={**TAIL, "scale": math.nan}), "ValueError.*nan where a finite number belongs"),
        (damaged(stretch_s=0), "ValueError.*stretch_s must be above 0"),
        (damaged(spread_gain=-1.0), "ValueError.*spread_gain must not be negative"),
        (damaged(phone=3), "TypeError"),
        (damaged(phone=[3]), "TypeError"),
        (damaged(phone="x"), "TypeError"),
        (damaged(phone={**PHONE, "bias": "much"}), "ValueError.*could not convert string to float"),
        (damaged(phone={**PHONE, "bias": [1, 2]}), "TypeError"),
        (damaged(phone={**PHONE, "linear": 3}), "TypeError"),
        (damaged(phone={**PHONE, "linear": [1, 2, math.inf, 3]}), "ValueError.*inf where a finite number belongs"),
        (damaged(phone={**PHONE, "low": PHONE["high"], "high": PHONE["low"]}), "ValueError.*low must not exceed high"),
        (damaged(phone={**PHONE, "low": [0, 0, 0]}), "ValueError.*phone must have 4 weights of each kind"),
        (damaged(phone_offsets=[0.0] * 39), "ValueError.*phone_offsets must be 40 numbers, got 39"),
        (damaged(phone_offsets=[None] * 40), "TypeError"),
        (damaged(spread_scale=math.nan), "ValueError.*nan where a finite number belongs"),
    ],
)
def test_a_damaged_calibration_is_named(tmp_path: Path, calibration: Any, reason: str) -> None:
    path = save_model(tmp_path / "model.safetensors", calibration)
    message = rf"the model's calibration is damaged \(.*{reason}.*\); get the model file again, or calibrate it anew$"
    with pytest.raises(ModelError, match=message):
        sh.Aligner(path)
