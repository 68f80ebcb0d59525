"""Distributions of durations: their formulas, and the M step that no other parameters beat."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from streamhmm.models.durations import KINDS, Durations, log_survival

FRAMES = np.arange(1, 31)
FORMULAS: dict[str, Any] = {  # of d with the mean m and the shape or size k
    "geometric": lambda m, k: stats.geom.pmf(FRAMES, 1 / (m + 1)),
    "poisson": lambda m, k: stats.poisson.pmf(FRAMES - 1, m),
    "negative-binomial": lambda m, k: stats.nbinom.pmf(FRAMES - 1, k, k / (m + k)),
    "gamma": lambda m, k: stats.gamma.pdf(FRAMES, k, scale=m / k),
}
FITTED = tuple(FORMULAS)
COUNTS = {
    "narrow": stats.poisson.pmf(FRAMES, 9),
    "wide": stats.geom.pmf(FRAMES, 0.1),
    "two tops": stats.poisson.pmf(FRAMES, 3) + stats.poisson.pmf(FRAMES, 20),
    "rising": np.arange(30.0),
    "shortest": np.eye(30)[0],
    "one length": np.eye(30)[11],
    "longest": np.eye(30)[29],
    "few": np.eye(30)[3] + np.eye(30)[4],
}


def durations(kind: str, raw: list[list[float]], longest: int | list[int] = 30) -> Durations:
    made = Durations(kind, len(raw), longest, torch.float64)
    with torch.no_grad():
        made.raw.copy_(torch.tensor(raw, dtype=torch.float64).log()[:, : made.raw.shape[1]])
    return made


def fit(made: Durations, counts: Tensor) -> Tensor:
    """(S,) mean log-probability of the counts."""
    table = made.table().detach()
    return (counts * table.masked_fill(counts == 0, 0)).sum(1) / counts.sum(1)


@pytest.mark.parametrize("kind", FITTED)
def test_tables_are_the_formulas_cut_off_at_the_longest(kind: str) -> None:
    pairs = [(6.0, 3.0), (0.4, 0.7), (40.0, 9.0)]
    found = durations(kind, [list(pair) for pair in pairs])
    wanted = np.stack([FORMULAS[kind](*pair) for pair in pairs])
    np.testing.assert_allclose(found.table().detach().exp(), wanted / wanted.sum(1, keepdims=True), rtol=1e-9)
    np.testing.assert_allclose(found.mean, wanted @ FRAMES / wanted.sum(1), rtol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_each_state_has_a_longest_duration_of_its_own(kind: str) -> None:
    made = Durations(kind, 3, [1, 5, 8], torch.float64)
    table = made.table().detach().exp()
    assert (table > 0).sum(1).tolist() == [1, 5, 8]
    torch.testing.assert_close(table.sum(1), torch.ones(3, dtype=torch.float64))
    made.maximise(torch.ones(3, 8))
    assert (made.table() > -torch.inf).sum(1).tolist() == [1, 5, 8]
    assert made.table().isnan().sum() == 0
    assert made.free_parameters() == (0 + 4 + 7 if kind == "categorical" else made.raw.numel())


def test_survival_is_what_is_left() -> None:
    table = torch.tensor([[0.2, 0.3, 0.5, 0.0], [0.0, 1.0, 0.0, 0.0]], dtype=torch.float64).log().requires_grad_()
    left = log_survival(table)
    torch.testing.assert_close(left.exp(), torch.tensor([[1.0, 0.8, 0.5, 0.0], [1.0, 1.0, 0.0, 0.0]]).double())
    left[:, :2].sum().backward()
    expected = torch.tensor(
        [[0.2, 0.3 + 0.3 / 0.8, 0.5 + 0.5 / 0.8, 0.0], [0.0, 2.0, 0.0, 0.0]]
    )  # p(d) / P(d' or more)
    torch.testing.assert_close(table.grad, expected.double())


@pytest.mark.parametrize("kind", FITTED)
def test_no_other_parameters_are_likelier(kind: str) -> None:
    counts = torch.from_numpy(np.stack(list(COUNTS.values())))
    made = Durations(kind, len(counts), 30, torch.float64)
    made.start(counts)
    before = fit(made, counts)
    made.maximise(counts)
    found = fit(made, counts)
    assert bool((found >= before).all())
    others = Durations(kind, len(counts), 30, torch.float64)
    grid = torch.cartesian_prod(*[torch.linspace(-2, 12, 29, dtype=torch.float64)] * made.raw.shape[1])
    for raw in grid.reshape(len(grid), -1):
        with torch.no_grad():
            others.raw.copy_(raw.expand_as(others.raw))
        assert bool((fit(others, counts) <= found + 1e-9).all()), raw
    once = made.raw.detach().clone()
    made.maximise(counts)
    assert bool((fit(made, counts) >= found - 1e-15).all())
    inner = once.abs().max(1).values < 6  # not where it goes on for ever
    assert int(inner.sum()) >= 3
    torch.testing.assert_close(made.raw.detach()[inner], once[inner], rtol=0, atol=1e-5)


def test_categorical_durations_are_the_shares() -> None:
    made = Durations("categorical", 2, 3, torch.float64)
    made.maximise(torch.tensor([[1.0, 0.0, 3.0], [0.0, 0.0, 0.0]]))
    wanted = torch.tensor([[0.25, 0, 0.75], [1 / 3, 1 / 3, 1 / 3]])
    torch.testing.assert_close(made.table().detach().exp(), wanted.double())


@pytest.mark.parametrize("kind", KINDS)
def test_states_never_seen_keep_theirs(kind: str) -> None:
    made = Durations(kind, 2, 9, torch.float64)
    before = made.raw.detach().clone()
    made.maximise(torch.tensor([[0.0] * 9, [0.0, 1.0] + [2.0] * 7]))
    assert torch.equal(made.raw[0], before[0])
    assert not torch.equal(made.raw[1], before[1])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_what_is_taken_comes_nearest(kind: str, dtype: torch.dtype) -> None:
    given = durations(kind, [[4.0, 2.0], [9.0, 5.0]]) if kind != "categorical" else Durations(kind, 2, 30, dtype)
    given.maximise(torch.from_numpy(np.stack([COUNTS["wide"], COUNTS["narrow"]])))
    table = given.table().detach().exp().double()
    made = Durations(kind, 2, 30, dtype)
    made.set(table)
    assert made.raw.dtype == dtype
    torch.testing.assert_close(made.table().detach().exp().double(), table, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("kind", FITTED)
def test_gradients_are_finite_at_the_ends(kind: str) -> None:
    made = durations(kind, [[1e-12, 1e-9], [1e12, 1e9], [3.0, 2.0]], [30, 30, 4])
    log_survival(made.table())[:, :4].sum().backward()
    assert made.raw.grad is not None
    assert bool(made.raw.grad.isfinite().all())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("normal", 2, 5),
            "durations must be one of categorical, geometric, poisson, negative-binomial, gamma, got 'no",
        ),
        (("gamma", 2, 0), "max_duration must be a number of frames from 1 on, or 2 of them, got 0"),
        (("gamma", 2, 2.5), "max_duration must be a number of frames from 1 on, or 2 of them, got 2.5"),
        (("gamma", 2, [3, 4, 5]), r"max_duration must be a number of frames from 1 on, or 2 of them, got \[3, 4, 5\]"),
    ],
)
def test_impossible_durations_are_refused(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Durations(*arguments, torch.float64)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1.0, 0.0]], r"durations_ must have shape \(2, 3\), got \(1, 2\)"),
        ([[0.5, 0.0, 0.0], [1.0, 0.0, 0.0]], "durations_ must be probabilities that add up to 1, got sums of "),
        ([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], "state 1 lasts 2 frames at most, got 3"),
    ],
)
def test_what_is_no_distribution_is_refused(values: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Durations("categorical", 2, [3, 2], torch.float64).set(torch.tensor(values))
