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
    Calibration,
    Logit,
    fit_logit,
    fit_offsets,
)
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

    logits = [Logit(*take(1), take(count), take(count), take(count), take(count)) for count in (4, 7, 11)]
    return Calibration(logits[0], take(40), logits[1], logits[2], *take(6))


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


def test_known_offsets_of_groups_are_found() -> None:
    logits = features_of(1)[:, 0]
    groups = torch.arange(N) % 4
    offsets = torch.tensor([1.0, -2.0, 0.0, 0.5], dtype=torch.float64)
    found = fit_offsets(logits, groups, draw(logits + offsets[groups], 4), 6)
    assert found[:4] == pytest.approx(offsets.tolist(), abs=0.15)
    assert found[4] == found[5]  # what never occurred gets what all have
    assert min(offsets) < found[4] < max(offsets)


# ---- files


@pytest.mark.parametrize("calibration", [UNCALIBRATED, some_calibration()], ids=["uncalibrated", "some"])
def test_round_trip_through_json(calibration: Calibration) -> None:
    assert Calibration.from_dict(json.loads(json.dumps(calibration.to_dict()))) == calibration


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"phone_offsets": (0.0,) * 39}, "phone_offsets must be 40 numbers, got 39"),
        ({"word": UNCALIBRATED.text}, "word must have 7 weights of each kind"),
        (
            {"phone": dataclasses.replace(UNCALIBRATED.phone, high=(1.0,) * 3)},
            "phone must have 4 weights of each kind",
        ),
    ],
)
def test_a_calibration_of_another_size_is_refused(changes: dict[str, Any], message: str) -> None:
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
    assert alignment.warnings == ()


def damaged(**changes: Any) -> dict[str, Any]:
    """A calibration with entries changed, or removed by None."""
    values = UNCALIBRATED.to_dict() | changes
    return {name: value for name, value in values.items() if value is not None}


PHONE = UNCALIBRATED.to_dict()["phone"]


@pytest.mark.parametrize(
    ("calibration", "reason"),
    [
        (3, "TypeError"),
        ("all is well", "TypeError"),
        ([1, 2], "TypeError"),
        ({}, "KeyError.*phone"),
        (damaged(text=None), "KeyError.*text"),
        (damaged(least_word=None), "KeyError.*least_word"),
        (damaged(phone=3), "TypeError"),
        (damaged(phone=[3]), "TypeError"),
        (damaged(phone="x"), "TypeError"),
        (damaged(phone={**PHONE, "bias": "much"}), "ValueError.*could not convert string to float"),
        (damaged(phone={**PHONE, "bias": [1, 2]}), "TypeError"),
        (damaged(phone={**PHONE, "linear": 3}), "TypeError"),
        (damaged(phone={**PHONE, "low": [1, 2, 3]}), "ValueError.*phone must have 4 weights of each kind"),
        (damaged(phone_offsets=[0.0] * 39), "ValueError.*phone_offsets must be 40 numbers, got 39"),
        (damaged(phone_offsets=[None] * 40), "TypeError"),
        (damaged(spread_scale=math.nan), "ValueError.*nan where a number belongs"),
    ],
)
def test_a_damaged_calibration_is_named(tmp_path: Path, calibration: Any, reason: str) -> None:
    path = save_model(tmp_path / "model.safetensors", calibration)
    with pytest.raises(ModelError, match=rf"the model's calibration is damaged \(.*{reason}.*\); get the model file a"):
        sh.Aligner(path)
