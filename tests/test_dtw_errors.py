"""Wrong calls of dtw and dtw_from_cost: each is refused by a message that says what was expected and what came."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

import streamhmm as sh

NAN, INF = float("nan"), float("inf")
X, Y, COST = torch.zeros(2, 5, 3), torch.zeros(2, 7, 3), torch.zeros(2, 5, 7)


def with_value(tensor: torch.Tensor, place: tuple[int, ...], value: float) -> torch.Tensor:
    tensor = tensor.clone()
    tensor[place] = value
    return tensor


WRONG_OPTIONS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "step": (
        {"step": "symmetric3"},
        ValueError,
        r"step must be one of symmetric1, symmetric2, asymmetric, got 'symmetric3'",
    ),
    "band": ({"band": "sakoe"}, ValueError, r"band must be None or one of sakoe_chiba, itakura, got 'sakoe'"),
    "no radius": ({"band": "sakoe_chiba"}, ValueError, r'radius goes with band="sakoe_chiba", got radius=None'),
    "radius alone": ({"radius": 3}, ValueError, r'radius goes with band="sakoe_chiba", got radius=3, band=None'),
    "radius of a parallelogram": ({"band": "itakura", "radius": 3}, ValueError, r"radius goes with .*band='itakura'"),
    "negative radius": ({"band": "sakoe_chiba", "radius": -1}, ValueError, r"radius must be at least 0, got -1"),
    "half a radius": ({"band": "sakoe_chiba", "radius": 1.5}, TypeError, r"radius must be an integer, got float"),
    "slope alone": ({"slope": 2.0}, ValueError, r'slope goes with band="itakura", got slope=2.0, band=None'),
    "gentle slope": ({"band": "itakura", "slope": 0.5}, ValueError, r"slope must be at least 1 and finite, got 0.5"),
    "no slope": ({"band": "itakura", "slope": NAN}, ValueError, r"slope must be at least 1 and finite, got nan"),
    "endless slope": ({"band": "itakura", "slope": INF}, ValueError, r"slope must be at least 1 and finite, got inf"),
    "less than no memory": ({"memory_budget": -1}, ValueError, r"memory_budget must be at least 0 bytes, got -1"),
    "x_lengths of the wrong size": (
        {"x_lengths": [5]},
        ValueError,
        r"x_lengths must be \(2,\), .*got shape \(1,\)",
    ),
    "y_lengths of two axes": (
        {"y_lengths": [[7, 7]]},
        ValueError,
        r"y_lengths must be \(2,\), .*got shape \(1, 2\)",
    ),
    "lengths that are not whole": (
        {"x_lengths": torch.tensor([1.0, 2.0])},
        TypeError,
        r"x_lengths must be integers, got torch.float32",
    ),
    "a negative length": ({"x_lengths": [5, -1]}, ValueError, r"x_lengths must be in 0…5, got \[5, -1\]"),
    "a length beyond the frames": ({"y_lengths": [7, 8]}, ValueError, r"y_lengths must be in 0…7, got \[7, 8\]"),
}


@pytest.mark.parametrize("operation", [lambda **o: sh.dtw(X, Y, **o), lambda **o: sh.dtw_from_cost(COST, **o)])
@pytest.mark.parametrize("case", WRONG_OPTIONS)
def test_wrong_options(case: str, operation: Callable[..., Any]) -> None:
    options, error, message = WRONG_OPTIONS[case]
    with pytest.raises(error, match=message):
        operation(**options)


@pytest.mark.parametrize(
    ("x", "y", "error", "message"),
    [
        ([[0.0]], Y, TypeError, r"x must be a torch.Tensor, got list"),
        (X, Y.numpy(), TypeError, r"y must be a torch.Tensor, got ndarray"),
        (X[0, 0], Y, ValueError, r"x must be \(B, N, D\) or \(N, D\), got shape \(3,\)"),
        (X, Y[None], ValueError, r"y must be \(B, M, D\) or \(M, D\), got shape \(1, 2, 7, 3\)"),
        (X.long(), Y, TypeError, r"x must be float16, bfloat16, float32 or float64, got torch.int64"),
        (X, Y.to(torch.complex64), TypeError, r"y must be float16, .*got torch.complex64"),
        (X.to("meta"), Y, ValueError, r"x must be on the CPU or a CUDA device, got meta"),
        (X[0], Y, ValueError, r"x and y must be .*got shapes \(5, 3\) and \(2, 7, 3\)"),
        (X[:1], Y, ValueError, r"x and y must be .*got shapes \(1, 5, 3\) and \(2, 7, 3\)"),
        (X[..., :2], Y, ValueError, r"x and y must be .*got shapes \(2, 5, 2\) and \(2, 7, 3\)"),
        (X[..., :0], Y[..., :0], ValueError, r"D of at least 1, got shapes \(2, 5, 0\) and \(2, 7, 0\)"),
        (with_value(X, (1, 4, 0), NAN), Y, ValueError, r"x must be finite.*got nan in sequence 1, frame 4"),
        (X, with_value(Y, (0, 6, 2), -INF), ValueError, r"y must be finite.*got -inf in sequence 0, frame 6"),
        (X[0], with_value(Y[0], (3, 1), INF), ValueError, r"y must be finite.*float32, got inf in frame 3"),
        (with_value(X, (1, 2, 0), 2e15), Y, ValueError, r"x must be finite and at most 1e\+15 in size as float32"),
        (
            with_value(X.double(), (1, 2, 0), 1e160),
            Y,
            ValueError,
            r"x must be finite and at most 1e\+150 in size as float64, got 1e\+160 in sequence 1, frame 2",
        ),
    ],
)
def test_wrong_features(x: Any, y: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        sh.dtw(x, y)


def test_an_unknown_metric() -> None:
    with pytest.raises(
        ValueError, match=r"metric must be one of euclidean, sqeuclidean, cityblock, cosine, got 'correlation'"
    ):
        sh.dtw(X, Y, metric="correlation")


@pytest.mark.parametrize(
    ("cost", "error", "message"),
    [
        ([[0.0]], TypeError, r"cost must be a torch.Tensor, got list"),
        (torch.zeros(3), ValueError, r"cost must be \(B, N, M\) or \(N, M\), got shape \(3,\)"),
        (COST.int(), TypeError, r"cost must be float16, .*got torch.int32"),
        (COST.to("meta"), ValueError, r"cost must be on the CPU or a CUDA device, got meta"),
    ],
)
def test_wrong_costs(cost: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        sh.dtw_from_cost(cost)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("bad", [NAN, -INF])
@pytest.mark.parametrize("budget", [None, 1])
def test_the_first_bad_cost_is_named(budget: int | None, bad: float, dtype: torch.dtype) -> None:
    for places in ([(0, 0)], [(69, 89)], [(40, 7), (40, 80), (41, 0)], [(33, 70), (63, 2)]):
        cost = torch.zeros(3, 70, 90, dtype=dtype)
        for i, j in places:
            cost[1, i, j] = cost[2, 0, 0] = bad
        i, j = places[0]
        with pytest.raises(ValueError, match=rf"cost must be .* got NaN or -inf in sequence 1 at \({i}, {j}\)"):
            sh.dtw_from_cost(cost, memory_budget=budget)


def test_costs_outside_the_band_and_the_lengths_may_be_anything() -> None:
    cost = torch.full((2, 40, 40), math.nan)
    for i in range(40):
        cost[:, i, max(i - 3, 0) : i + 4] = 1.0
    assert sh.dtw_from_cost(cost, band="sakoe_chiba", radius=3).distance.tolist() == [79.0, 79.0]
    cost[:, 30:] = math.nan
    lengths = {"x_lengths": [30, 20], "y_lengths": [30, 20]}
    assert sh.dtw_from_cost(cost, band="sakoe_chiba", radius=3, **lengths).distance.tolist() == [59.0, 39.0]
