"""Gaussians far from 0, far from each other and narrow; and the order of the first ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hmmlearn import hmm
from model_cases import close, drawn, known
from torch.nn.functional import one_hot

from streamhmm.models import GMMHMM, HSMM, GaussianHMM, Topology
from streamhmm.models.sequences import as_sequences

KINDS = ("spherical", "diag", "full", "tied")
LEVELS, WIDTH = np.array([[-1e4], [0.0], [1e4]]), 1e-3


def narrow() -> tuple[np.ndarray, np.ndarray]:
    """Three levels that deviations are tiny beside."""
    rng = np.random.default_rng(0)
    states = np.repeat([0, 2, 1, 0], 10)
    return LEVELS[states] + rng.normal(0, WIDTH, (40, 2)), states


def with_levels(kind: str, **options: Any) -> GaussianHMM:
    model = GaussianHMM(3, covariance_type=kind, init_params="", **options)
    model.means_ = LEVELS.repeat(2, 1)
    variances = {"spherical": np.ones(3), "diag": np.ones((3, 2)), "full": np.tile(np.eye(2), (3, 1, 1))}
    model.covars_ = WIDTH**2 * variances.get(kind, np.eye(2))
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_narrow_gaussians_far_apart_score_as_hmmlearn(kind: str) -> None:
    x, states = narrow()
    model = with_levels(kind)
    oracle = hmm.GaussianHMM(3, covariance_type=kind, init_params="")
    oracle.n_features = 2
    oracle.startprob_, oracle.transmat_, oracle.means_ = model.startprob_, model.transmat_, model.means_
    oracle._covars_ = model.covars_
    assert model.score(x) == pytest.approx(oracle.score(x), rel=1e-9)
    np.testing.assert_array_equal(model.predict(x), states)


@pytest.mark.parametrize("kind", ["spherical", "diag"])
def test_narrow_mixtures_are_sums_of_what_they_mix(kind: str) -> None:
    x, _ = narrow()
    model = GMMHMM(1, n_mix=3, covariance_type=kind)
    model.means_ = LEVELS.repeat(2, 1)[None]
    model.covars_ = np.full((1, 3) if kind == "spherical" else (1, 3, 2), WIDTH**2)
    logs = -0.5 * ((x[:, None] - model.means_[0]) ** 2 / WIDTH**2 + np.log(2 * np.pi * WIDTH**2)).sum(2)
    assert model.score(x) == pytest.approx(np.logaddexp.reduce(logs - np.log(3), 1).sum(), rel=1e-9)


@pytest.mark.parametrize("kind", ["spherical", "diag"])
def test_narrow_gaussians_score_what_is_seen(kind: str) -> None:
    """A missing second feature leaves the first one's Gaussian."""
    x, _ = narrow()
    model, one = with_levels(kind, missing="marginal"), GaussianHMM(3)
    one.means_, one.covars_ = LEVELS, np.full((3, 1), WIDTH**2)
    x[:, 1] = np.nan
    assert model.score(x) == pytest.approx(one.score(x[:, :1]), rel=1e-9)


@pytest.mark.parametrize("name", ["spherical", "diag", "full", "tied", "mixture diag", "mixture full"])
@pytest.mark.parametrize("missing", [False, True])
def test_em_far_from_zero_is_em_about_zero(name: str, missing: bool) -> None:
    """At 10⁷, squares about 0 would leave variances of two digits."""
    x, far = drawn(name)[0], 1e7
    if missing:
        x[::5, 0] = np.nan
    options = {"n_iter": 4, "tol": -1e9, "missing": "marginal" if missing else "error"}
    here, there = known(name, **options), known(name, **options)
    there.means_ = there.means_ + far
    here.fit(x)
    there.fit(x + far)
    np.testing.assert_allclose(there.monitor_.history, here.monitor_.history, rtol=1e-7)
    there.means_ = there.means_ - far
    close(there, here, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", [GaussianHMM, GMMHMM])
def test_the_moments_of_narrow_gaussians_are_those_of_their_frames(family: Any, kind: str, dtype: torch.dtype) -> None:
    x, states = narrow()
    frames = torch.from_numpy(x).to(dtype)
    model = family(3, covariance_type=kind, dtype=dtype, n_features=2)
    model.means_ = LEVELS.repeat(2, 1).reshape(model.means_.shape)
    model.covars_ = model.covars_ * WIDTH**2
    with torch.no_grad():
        sums = model.emission.statistics(frames, one_hot(torch.from_numpy(states), 3).to(dtype))
    away = (frames.numpy() - LEVELS[states].astype(frames.numpy().dtype)).astype(np.float64)
    squares = np.stack([away[states == each].T @ away[states == each] for each in range(3)])
    expected = squares if kind in ("full", "tied") else np.diagonal(squares, axis1=1, axis2=2)
    np.testing.assert_allclose(sums["squares"], expected, rtol=1e-5)


@pytest.mark.parametrize("kind", ["spherical", "diag"])
def test_the_moments_of_what_narrow_gaussians_show(kind: str) -> None:
    x, states = narrow()
    x[::3, 1] = np.nan
    model = with_levels(kind, missing="marginal")
    weights = one_hot(torch.from_numpy(states), 3).double()
    with torch.no_grad():
        sums = model.require_emission().statistics(torch.from_numpy(x), weights)
    away = (x - LEVELS[states]) ** 2
    away = np.where(np.isnan(x), WIDTH**2, away)
    np.testing.assert_allclose(sums["squares"], weights.numpy().T @ away, rtol=1e-7)


def test_single_precision_keeps_matrices_positive_definite() -> None:
    """Of so few frames that they lie in a plane."""
    x = np.array([[1.0, 1.0, 3.0], [2.0, 2.0, -1.0], [4.0, 4.0, 0.5]]) * 100
    options: dict[str, Any] = {"covariance_type": "full", "dtype": torch.float32, "n_iter": 2, "covars_prior": 0.0}
    with pytest.warns(RuntimeWarning, match="variances of 1 states or mixtures were below 1e-09"):
        model = GaussianHMM(1, **options, covars_weight=0.0).fit(x)
    assert np.isfinite(model.score(x))
    np.testing.assert_allclose(model.covars_[0], np.cov(x.T, bias=True), rtol=1e-4)


def test_a_tied_covariance_that_nothing_tells_of_stays() -> None:
    x, _ = drawn("tied")
    options: dict[str, Any] = {"covariance_type": "tied", "random_state": 0, "n_iter": 0}
    found = GaussianHMM(3, **options).fit_supervised(x, np.full(len(x), -1))
    close(found, GaussianHMM(3, **options).fit(x))


def rising(count: int = 4) -> tuple[np.ndarray, list[int]]:
    """Sequences through levels that are not in the order of their values."""
    rng, lengths = np.random.default_rng(1), [40, 20, 60]
    parts = [np.repeat([5.0, -5.0, 9.0, 0.0][:count], length // count) for length in lengths]
    return np.concatenate(parts)[:, None] + rng.normal(0, 0.3, (sum(lengths), 1)), lengths


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("make", [GaussianHMM, GMMHMM])
def test_states_that_follow_in_time_begin_in_that_order(make: Any, seed: int) -> None:
    x, lengths = rising()
    model = make(4, topology=Topology.left_to_right(4, skip=1), n_iter=0, random_state=seed).fit(x, lengths)
    np.testing.assert_allclose(model.means_.reshape(4), [5, -5, 9, 0], atol=0.3)
    ergodic = [make(4, n_iter=0, random_state=seed).fit(x, lengths).means_.reshape(4) for seed in range(4)]
    assert any((np.diff(means) * [-1, 1, -1] < 0).any() for means in ergodic)  # which takes them as they come


def test_segments_that_follow_in_time_begin_in_that_order() -> None:
    x, lengths = rising()
    model = HSMM(GaussianHMM(4), max_duration=20, topology=Topology.left_to_right(4), n_iter=0, random_state=0)
    np.testing.assert_allclose(model.fit(x, lengths).means_[:, 0], [5, -5, 9, 0], atol=0.3)


def test_which_topologies_go_forward() -> None:
    forward = Topology.left_to_right(3)
    assert forward.goes_forward
    assert forward.with_least_duration(2).goes_forward
    assert not Topology.ergodic(2).goes_forward
    assert not Topology.ergodic(1).goes_forward
    assert not Topology.of(np.eye(3)).goes_forward
    assert not Topology.of(np.triu(np.ones((3, 3))), pdfs=[0, 1, 0]).goes_forward


def test_times_are_those_within_each_sequence() -> None:
    found = as_sequences(np.zeros((6, 1)), [4, 0, 2], torch.float64, torch.device("cpu")).times()
    assert found.tolist() == [0, 0.25, 0.5, 0.75, 0, 0.5]
