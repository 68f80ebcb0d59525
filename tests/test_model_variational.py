"""Variational models: evidence in closed form and by all paths, bounds that rise, the number of states, errors."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import gammaln, logsumexp, multigammaln

from streamhmm.models import (
    CategoricalHMM,
    GaussianHMM,
    Topology,
    VariationalCategoricalHMM,
    VariationalGaussianHMM,
)

KINDS = ("spherical", "diag", "full", "tied")
STAY = [[0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.05, 0.05, 0.9]]
LENGTHS = [100, 1, 150, 149]


def vectors() -> tuple[np.ndarray, np.ndarray]:
    """400 frames of three states, and these."""
    model = GaussianHMM(3)
    model.startprob_, model.transmat_ = np.ones(3) / 3, STAY
    model.means_, model.covars_ = [[0, 0], [6, 0], [0, 6]], np.ones((3, 2))
    return model.sample(400, random_state=0)


def symbols() -> np.ndarray:
    model = CategoricalHMM(2)
    model.startprob_, model.transmat_ = [0.5, 0.5], [[0.9, 0.1], [0.1, 0.9]]
    model.emissionprob_ = [[0.9, 0.05, 0.05], [0.05, 0.05, 0.9]]
    return model.sample(400, random_state=1)[0]


def every_model(**options: Any) -> list[tuple[Any, np.ndarray]]:
    gaussian = [(VariationalGaussianHMM(4, covariance_type=kind, random_state=0, **options)) for kind in KINDS]
    categorical = VariationalCategoricalHMM(3, random_state=0, **options)
    return [*((model, vectors()[0]) for model in gaussian), (categorical, symbols())]


def bound(model: Any) -> float:
    return float(model.monitor_.history[-1])


def log_evidence(counts: np.ndarray, prior: float) -> float:
    """Of draws from rows of probabilities with Dirichlet priors: these are integrated out."""
    whole = gammaln(prior * counts.shape[-1]) - gammaln((prior + counts).sum(-1))
    return float((whole + (gammaln(prior + counts) - gammaln(prior)).sum(-1)).sum())


def test_of_one_state_the_bound_is_the_evidence_of_symbols() -> None:
    x = symbols()
    model = VariationalCategoricalHMM(1, emissionprob_prior=0.7, n_iter=3).fit(x)
    assert bound(model) == pytest.approx(log_evidence(np.bincount(x[:, 0])[None], 0.7), abs=1e-8)


@pytest.mark.parametrize("kind", KINDS)
def test_of_one_state_the_bound_is_the_evidence_of_vectors(kind: str) -> None:
    """Or below, where only some of the distributions are sought."""
    x = vectors()[0]
    (count, size), beta, dof, centre, scale = x.shape, 0.5, 4.5, np.array([1.0, -1.0]), np.diag([2.0, 2.0])
    given = {"means_prior": centre, "beta_prior": beta, "dof_prior": dof, "scale_prior": 2.0, "n_iter": 3}
    model = VariationalGaussianHMM(1, covariance_type=kind, **given).fit(x)
    away = x.mean(0) - centre
    after = scale + count * np.cov(x.T, bias=True) + beta * count / (beta + count) * np.outer(away, away)
    evidence = multigammaln((dof + count) / 2, size) - multigammaln(dof / 2, size) - count * size / 2 * np.log(np.pi)
    evidence += dof / 2 * np.linalg.slogdet(scale)[1] - (dof + count) / 2 * np.linalg.slogdet(after)[1]
    evidence += size / 2 * np.log(beta / (beta + count)) + count * size / 2 * np.log(2 * np.pi)
    if kind in ("full", "tied"):
        assert bound(model) == pytest.approx(evidence, abs=1e-7)
        np.testing.assert_allclose(model.scale_posterior_.reshape(size, size), after)
    else:
        assert bound(model) < evidence


def paths_of(x: np.ndarray, states: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """How often each path begins, passes and gives symbols."""
    found = []
    for path in itertools.product(range(states), repeat=len(x)):
        passed, given = np.zeros((states, states)), np.zeros((states, x.max() + 1))
        np.add.at(passed, (path[:-1], path[1:]), 1)
        np.add.at(given, (path, x[:, 0]), 1)
        found.append((np.eye(states)[path[0]], passed, given))
    return found


@pytest.mark.parametrize("method", ["em", "viterbi"])
def test_the_bound_is_below_the_evidence_of_all_paths(method: str) -> None:
    x = np.array([[0], [0], [1], [2], [2], [0], [1]])
    priors = {"startprob_prior": 0.8, "transmat_prior": 0.6, "emissionprob_prior": 0.9}
    evidence = logsumexp(
        [log_evidence(b[None], 0.8) + log_evidence(p, 0.6) + log_evidence(g, 0.9) for b, p, g in paths_of(x, 2)]
    )
    model = VariationalCategoricalHMM(2, fit_method=method, random_state=0, **priors).fit(x)
    assert evidence - 5 < bound(model) < evidence


def test_the_e_step_weighs_all_paths_by_mean_logarithms() -> None:
    x = np.array([[0], [2], [1], [1], [0], [2]])
    model = VariationalCategoricalHMM(2, random_state=0, n_iter=0).fit(x)
    model.transmat_posterior_ = [[3.0, 0.5], [1.5, 2.0]]
    posteriors = model.startprob_posterior_, model.transmat_posterior_, model.emissionprob_posterior_
    digamma = torch.special.digamma
    logs = [(digamma(t) - digamma(t.sum(-1, keepdim=True))).numpy() for t in map(torch.from_numpy, posteriors)]
    paths = paths_of(x, 2)
    weights = np.array([sum((n * log).sum() for n, log in zip(path, logs, strict=True)) for path in paths])
    found = model.expectation(model._sequences(x, None))
    assert found.log_likelihood == pytest.approx(logsumexp(weights))
    shares = np.exp(weights - logsumexp(weights))
    wanted = [sum(share * path[part] for share, path in zip(shares, paths, strict=True)) for part in range(3)]
    for value, want in zip((*found.counts, found.statistics["obs"]), wanted, strict=True):
        np.testing.assert_allclose(value, want, atol=1e-12)


@pytest.mark.parametrize("method", ["em", "viterbi"])
@pytest.mark.parametrize("letters", ["stmce", "stme", "stc", "st"])
def test_the_bound_never_falls(method: str, letters: str) -> None:
    for model, x in every_model(n_iter=12, fit_method=method, tol=-np.inf):
        model.params = "".join(each for each in model.params if each in letters)
        history = model.fit(x, LENGTHS).monitor_.history
        assert len(history) == 12
        assert np.diff(history).min() > -1e-9 * abs(history[-1]), (model, method)


@pytest.mark.parametrize("kind", KINDS)
def test_where_the_origin_lies_makes_no_difference(kind: str) -> None:
    x = vectors()[0]
    near, far = (
        VariationalGaussianHMM(3, covariance_type=kind, random_state=0, n_iter=20).fit(each) for each in (x, x + 1e6)
    )
    np.testing.assert_allclose(far.monitor_.history, near.monitor_.history, rtol=1e-6)
    np.testing.assert_allclose(far.scale_posterior_, near.scale_posterior_, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", ["diag", "full"])
def test_the_bound_tells_the_number_of_states_and_a_state_too_many_loses_its_frames(kind: str) -> None:
    x, states = vectors()
    options = {"covariance_type": kind, "scale_prior": 1.0, "n_iter": 300, "tol": 1e-4, "random_state": 0}
    fitted = [VariationalGaussianHMM(n, **options).fit(x) for n in (1, 2, 3, 4)]
    assert np.argmax([bound(model) for model in fitted]) == 2
    assert len({*zip(fitted[2].predict(x).tolist(), states.tolist(), strict=True)}) == 3
    frames = np.sort(fitted[3].beta_posterior_ - 1)
    assert frames[0] < 1e-3
    np.testing.assert_allclose(frames[1:], np.sort(fitted[2].beta_posterior_ - 1), atol=1)


def test_the_bound_tells_the_number_of_states_of_symbols() -> None:
    fitted = [VariationalCategoricalHMM(n, n_init=2, tol=1e-3, random_state=0).fit(symbols()) for n in (1, 2, 3)]
    assert np.argmax([bound(model) for model in fitted]) == 1


def test_what_the_topology_forbids_stays_so() -> None:
    topology = Topology.left_to_right(4, skip=1)
    lengths = [100, 150, 150]
    model = VariationalGaussianHMM(4, topology=topology, random_state=0, n_iter=5).fit(vectors()[0], lengths)
    forbidden = ~topology.allowed.numpy()
    assert (model.transmat_posterior_[forbidden] == 0).all()
    assert model.transmat_posterior_.sum() == pytest.approx(0.25 * (~forbidden).sum() + 400 - 3)
    np.testing.assert_allclose(model.startprob_posterior_, [3.25, 0, 0, 0])
    assert np.isfinite(bound(model))
    with pytest.raises(ValueError, match="transmat_posterior_ must be 0 where the topology allows nothing"):
        model.transmat_posterior_ = np.ones((4, 4))
    with pytest.raises(ValueError, match="a variational model takes no ties"):
        VariationalCategoricalHMM(2, topology=Topology.of(np.ones((2, 2)), ties=[[0, 1], [0, 1]]))


def test_known_states_give_the_closed_form() -> None:
    x, states = vectors()
    model = VariationalGaussianHMM(3, covariance_type="diag").fit_supervised(x, states)
    counts = np.bincount(states)
    np.testing.assert_allclose(model.beta_posterior_, 1 + counts)
    np.testing.assert_allclose(model.dof_posterior_, 2 + counts)
    sums = np.array([x[states == state].sum(0) for state in range(3)])
    np.testing.assert_allclose(model.means_posterior_, (x.mean(0) + sums) / (1 + counts)[:, None])
    squares = np.array([(x[states == state] ** 2).sum(0) for state in range(3)]) + x.mean(0) ** 2
    np.testing.assert_allclose(
        model.scale_posterior_, 1e-3 + squares - (1 + counts)[:, None] * model.means_posterior_**2
    )
