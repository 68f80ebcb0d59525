"""Observations that are missing: integrated out of the likelihood, filled with their moments in EM."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal, poisson
from test_model_stream import heard
from test_models import CASES, FEATURES, KINDS, LENGTHS, SYMBOLS, pair, vectors

from streamhmm.models import CategoricalHMM, GaussianHMM, PoissonHMM
from streamhmm.models.covariance import first_covariance
from streamhmm.models.k_means import k_means


def holes(x: Any, share: float = 0.2, seed: int = 4) -> np.ndarray:
    """The observations without some, and one frame without any; a multinomial one is there or is not."""
    result = np.array(x, dtype=float)
    missing = np.random.RandomState(seed).rand(*result.shape) < share
    result[missing[:, :1].repeat(result.shape[1], 1) if result.shape[1] == SYMBOLS else missing] = np.nan
    result[3] = np.nan
    return result


def marginal(name: str, kind: str | None) -> tuple[Any, np.ndarray]:
    """A model that takes NaN, and whole data for it."""
    _, ours, x = pair(name, kind)
    return ours.set_params(missing="marginal"), x.astype(float)


def scores_of(model: Any, x: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return np.asarray(model.require_emission().scores(torch.from_numpy(x)).numpy())


def matrices(model: Any) -> np.ndarray:
    """(S, M, D, D) covariances of a Gaussian or mixture model."""
    states, kind, value = model.n_components, model.covariance_type, model.covars_
    mixtures = getattr(model, "n_mix", 1)
    if kind == "tied":
        return np.broadcast_to(value if value.ndim == 2 else value[:, None], (states, mixtures, FEATURES, FEATURES))
    if kind == "full":
        return np.reshape(value, (states, mixtures, FEATURES, FEATURES))
    flat = np.reshape(value, (states, mixtures, -1))
    return flat[..., None] * np.eye(FEATURES)


@pytest.mark.parametrize(("name", "kind"), [case for case in CASES if case[1]])
def test_densities_are_those_of_the_observed_part(name: str, kind: str) -> None:
    model, x = marginal(name, kind)
    x = holes(x[:40])
    means = np.reshape(model.means_, (model.n_components, -1, FEATURES))
    weights = getattr(model, "weights_", np.ones((model.n_components, 1)))
    found = scores_of(model, x)
    for row, frame in enumerate(x):
        seen = ~np.isnan(frame)
        for state in range(model.n_components):
            parts = [
                weight * multivariate_normal.pdf(frame[seen], mean[seen], matrix[np.ix_(seen, seen)])
                for weight, mean, matrix in zip(weights[state], means[state], matrices(model)[state], strict=True)
                if seen.any()
            ]
            assert found[row, state] == pytest.approx(np.log(sum(parts)) if seen.any() else 0.0, rel=1e-9, abs=1e-12)


def test_rates_and_symbols_of_the_observed_part() -> None:
    model, x = marginal("PoissonHMM", None)
    x = holes(x[:40])
    wanted = np.nansum(poisson.logpmf(x[:, None], model.lambdas_), axis=2)
    np.testing.assert_allclose(scores_of(model, x), wanted, rtol=1e-9)
    model, x = marginal("CategoricalHMM", None)
    assert scores_of(model, np.array([[np.nan], [2.0]])).tolist() == [
        [0.0] * 4,
        pytest.approx(np.log(model.emissionprob_[:, 2])),
    ]


@pytest.mark.parametrize(("name", "kind"), [case for case in CASES if case[0] != "MultinomialHMM"])
def test_the_likelihood_is_the_integral_over_what_is_missing(name: str, kind: str | None) -> None:
    model, x = marginal(name, kind)
    x = x[198:201].copy()
    if name == "CategoricalHMM":
        values, step = np.arange(7.0), 1.0
    elif name == "PoissonHMM":
        values, step = np.arange(70.0), 1.0
    else:
        values, step = np.linspace(-30, 30, 241), 0.25  # the rectangle rule is exact for smooth, narrow functions
    places = [(0, 0), (2, x.shape[1] - 1)]
    grid = np.array(list(itertools.product(values, values)))
    every = np.tile(x, (len(grid), 1, 1))
    for place, (frame, feature) in enumerate(places):
        every[:, frame, feature] = grid[:, place]
        x[frame, feature] = np.nan
    with torch.no_grad():
        total = model.log_prob(every).logsumexp(0) + 2 * np.log(step)
    assert model.score(x) == pytest.approx(float(total), rel=1e-9)


def expected_complete(model: Any, sums: Any) -> torch.Tensor:
    """Expected log-density of complete frames, as a function of the parameters: what the M step raises."""
    emission = model.require_emission()
    if "weight_logits" in dict(emission.named_parameters()):
        mixing = (sums["post"].reshape(emission.weight_logits.shape) * emission.weight_logits.log_softmax(-1)).sum()
    elif hasattr(emission, "means"):
        mixing = 0.0
    elif hasattr(emission, "log_rates"):
        rates = emission.log_rates
        return (sums["obs"] * rates - sums["post"][:, None] * rates.exp()).sum()
    else:
        return (sums["obs"] * emission.logits.log_softmax(-1)).sum()
    covariance, means, mass, squares = emission.covariance, emission.means, sums["post"], sums["squares"]
    about = means.detach()
    first = sums["obs"] - mass[:, None] * about
    move = about - means  # E Σ w (x − μ)(x − μ)ᵀ from the sums about another point
    if covariance.kind in ("spherical", "diag"):
        variances = covariance.value.reshape(len(means), -1).expand_as(means)
        spread = squares + 2 * first * move + mass[:, None] * move.square()
        return mixing - 0.5 * (spread / variances + mass[:, None] * variances.log()).sum()
    value = covariance.value.repeat_interleave(len(means) // len(covariance.value), 0)
    cross = first[:, :, None] * move[:, None, :]
    spread = squares + cross + cross.mT + mass[:, None, None] * move[:, :, None] * move[:, None, :]
    trace = (torch.linalg.inv(value) * spread).sum()
    return mixing - 0.5 * (trace + (mass * torch.logdet(value)).sum())


@pytest.mark.parametrize("share", [0.0, 0.3])
@pytest.mark.parametrize(("name", "kind"), CASES)
def test_gradients_are_those_of_the_expected_statistics(name: str, kind: str | None, share: float) -> None:
    """Fisher's identity: it ties the E step to the likelihood, and holds for the exact moments alone."""
    model, x = marginal(name, kind)
    x = holes(x[100:300], share) if share else x[100:300]
    model.log_prob(x, [60, 140]).sum().backward()
    wanted = {key: parameter.grad.clone() for key, parameter in model.emission.named_parameters()}
    model.zero_grad()
    sums = model.expectation(model._sequences(x, [60, 140])).statistics
    expected_complete(model, sums).backward()
    for key, parameter in model.emission.named_parameters():
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad, wanted[key], rtol=1e-8, atol=1e-7, msg=key)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_em_never_loses(name: str, kind: str | None) -> None:
    made, x = marginal(name, kind)
    options: dict[str, Any] = {"covariance_type": kind} if kind else {}
    if name == "GaussianHMM":
        options["covars_prior"], options["covars_weight"] = 0.0, 0.0  # the prior is no part of the history
    if (name, kind) == ("GMMHMM", "spherical"):
        options["covars_prior"] = -(FEATURES + 2) / 2  # hmmlearn's is flat only of as many mixtures as features
    model = type(made)(3, random_state=0, n_iter=6, tol=0.0, missing="marginal", **options).fit(holes(x), LENGTHS)
    assert model.monitor_.iter == 6
    assert model.score(holes(x), LENGTHS) > model.monitor_.history[0]
    assert (np.diff(model.monitor_.history) > -1e-8).all()


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_nothing_missing_is_the_ordinary_result(name: str, kind: str | None) -> None:
    _, plain, x = pair(name, kind)
    model, _ = marginal(name, kind)
    assert model.score(x, LENGTHS) == plain.score(x, LENGTHS)
    for each in (model, plain):
        each.set_params(init_params="stmcwle", random_state=0).fit(x, LENGTHS)
    assert model.monitor_.history == plain.monitor_.history
    with pytest.raises(ValueError, match=r"nan.* in row \d; missing='marginal' takes NaN as not observed"):
        plain.score(holes(x))
    plain.missing = "marginal"
    assert plain.score(holes(x)) == pytest.approx(model.score(holes(x)))
    plain.missing = "ignore"
    with pytest.raises(ValueError, match="missing must be one of error, marginal, got 'ignore'"):
        plain.score(x)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_frames_without_any_observation_tell_nothing(name: str, kind: str | None) -> None:
    model, x = marginal(name, kind)
    nothing = np.full_like(x[:6], np.nan)
    assert model.score(nothing, [2, 4]) == pytest.approx(0.0, abs=1e-12)
    chances = model.startprob_ @ np.linalg.matrix_power(model.transmat_, 3)
    np.testing.assert_allclose(model.predict_proba(nothing)[3], chances, atol=1e-12)
    assert model.bic(np.concatenate([x, nothing])) == pytest.approx(
        -2 * model.score(np.concatenate([x, nothing])) + model.free_parameters() * np.log(len(x))
    )
    gradients = torch.autograd.grad(model.log_prob(nothing).sum(), list(model.parameters()), allow_unused=True)
    assert all(bool(each.isfinite().all()) for each in gradients if each is not None)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_streams_take_them(name: str, kind: str | None) -> None:
    model, x = marginal(name, kind)
    x = holes(x[180:220])
    _, smoothed, states = heard(model, x, 7, lag=60)
    np.testing.assert_allclose(smoothed, model.predict_proba(x), atol=1e-9)
    np.testing.assert_array_equal(states, model.predict(x))


@pytest.mark.parametrize("kind", KINDS)
def test_gaussians_are_recovered_with_a_fifth_missing(kind: str) -> None:
    truth = GaussianHMM(2, covariance_type=kind)
    truth.startprob_, truth.transmat_ = [0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]]
    truth.means_ = [[0, 0, 3], [2, -2, 0]]
    matrix = np.array([[1.0, 0.6, 0.0], [0.6, 1.5, -0.5], [0.0, -0.5, 1.0]])
    variances = np.diag(matrix)
    values = {"spherical": [1.0, 0.5], "diag": np.stack([variances, 2 * variances]), "full": [matrix, matrix / 2]}
    truth.covars_ = values.get(kind, matrix)
    x = holes(truth.sample(6000, 1)[0])
    model = GaussianHMM(2, covariance_type=kind, random_state=0, n_iter=40, missing="marginal").fit(x)
    order = np.argsort(model.means_[:, 0])
    np.testing.assert_allclose(model.means_[order], truth.means_, atol=0.1)
    np.testing.assert_allclose(model.transmat_[order][:, order], truth.transmat_, atol=0.03)
    found = model.covars_ if kind == "tied" else model.covars_[order]
    np.testing.assert_allclose(found, truth.covars_, atol=0.12)


def test_counts_and_symbols_are_recovered_with_a_fifth_missing() -> None:
    counts = PoissonHMM(2, random_state=1, missing="marginal", n_iter=40)
    counts.startprob_, counts.transmat_ = [0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]]
    counts.lambdas_ = [[2, 9], [7, 3]]
    model = PoissonHMM(2, random_state=1, missing="marginal", n_iter=40).fit(holes(counts.sample(4000, 2)[0]))
    np.testing.assert_allclose(model.lambdas_[np.argsort(model.lambdas_[:, 0])], counts.lambdas_, rtol=0.05)
    symbols = CategoricalHMM(2)
    symbols.startprob_, symbols.transmat_ = [0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]]
    symbols.emissionprob_ = [[0.8, 0.1, 0.1], [0.1, 0.2, 0.7]]
    found = CategoricalHMM(2, random_state=0, missing="marginal", n_iter=80, tol=1e-3)
    found.fit(holes(symbols.sample(8000, 2)[0]))
    order = np.argsort(-found.emissionprob_[:, 0])
    np.testing.assert_allclose(found.emissionprob_[order], symbols.emissionprob_, atol=0.05)


def test_first_guesses_are_of_what_is_observed() -> None:
    whole = vectors() + 1e4
    x = torch.from_numpy(holes(whole))
    centres = k_means(x, 4, torch.Generator().manual_seed(0))
    wanted = whole.reshape(4, 200, FEATURES).mean(1)
    order = torch.cdist(torch.from_numpy(wanted), centres).argmin(1)
    np.testing.assert_allclose(centres[order], wanted, atol=0.3)
    found = first_covariance(x, 0.0)
    np.testing.assert_allclose(found.diagonal(), np.nanvar(x.numpy(), axis=0, ddof=1), rtol=1e-9)
    assert bool((torch.linalg.eigvalsh(found) > 0).all())
    np.testing.assert_allclose(first_covariance(torch.from_numpy(whole), 0.0), np.cov(whole.T), rtol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_a_feature_that_no_frame_shows_is_refused(kind: str) -> None:
    x = vectors()
    x[:, 2] = np.nan
    with pytest.raises(ValueError, match=r"X must show every feature somewhere, got NaN alone in features \[2\]"):
        GaussianHMM(2, covariance_type=kind, missing="marginal").fit(x)
    x[5, 2] = 1.0
    with pytest.raises(ValueError, match="at least 2 rows to find a first covariance, got 1 of feature 2"):
        GaussianHMM(2, covariance_type=kind, missing="marginal").fit(x)


def test_padding_is_no_observation_whether_nan_or_not() -> None:
    model, x = marginal("GaussianHMM", "diag")
    padded = np.full((2, 5, FEATURES), np.nan)
    padded[0, :3], padded[1] = x[:3], x[3:8]
    assert model.score(padded, [3, 5]) == pytest.approx(model.score(x[:8], [3, 5]))
    plain = pair("GaussianHMM", "diag")[1]
    assert plain.score(padded, [3, 5]) == pytest.approx(model.score(x[:8], [3, 5]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model.predict(padded)[0].shape == (5,)


def test_counts_of_trials_are_missing_together() -> None:
    model, x = marginal("MultinomialHMM", None)
    x[1, 2] = np.nan
    with pytest.raises(ValueError, match="X must have all counts of a frame or none: their sum would tell"):
        model.score(x)
