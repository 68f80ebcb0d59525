"""Every model of hmmlearn, with priors, parts of the parameters, and sequences of many lengths: the same numbers."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from test_models import CASES, FEATURES, KINDS, STATES, pair

from streamhmm.models import MultinomialHMM, from_hmmlearn

LENGTHS = [1, 2, 97, 300, 50, 200, 150]
SYMMETRIC = np.cov(np.random.RandomState(7).randn(40, FEATURES).T)
CHAIN = {"startprob_prior": 1.5, "transmat_prior": np.random.RandomState(8).rand(STATES, STATES) + 1}
EMISSIONS: dict[tuple[str, str | None], dict[str, Any]] = {
    ("CategoricalHMM", None): {"emissionprob_prior": 1.7},
    ("MultinomialHMM", None): {},
    ("PoissonHMM", None): {"lambdas_prior": 2.0, "lambdas_weight": 3.0},
    ("GaussianHMM", "spherical"): {"means_prior": 0.5, "means_weight": 2.0, "covars_prior": 0.3, "covars_weight": 3.0},
    ("GaussianHMM", "diag"): {"means_prior": 0.5, "means_weight": 2.0, "covars_prior": 0.3, "covars_weight": 3.0},
    ("GaussianHMM", "full"): {"means_weight": 2.0, "covars_prior": SYMMETRIC, "covars_weight": 9.0},
    ("GaussianHMM", "tied"): {"means_weight": 2.0, "covars_prior": SYMMETRIC, "covars_weight": 9.0},
    ("GMMHMM", "spherical"): {"covars_prior": 2.0, "covars_weight": 3.0},
    ("GMMHMM", "diag"): {"covars_prior": 2.0, "covars_weight": 3.0},
    ("GMMHMM", "full"): {"covars_prior": SYMMETRIC, "covars_weight": 9.0},
    ("GMMHMM", "tied"): {"covars_prior": SYMMETRIC, "covars_weight": 9.0},
}
"""Priors of the emissions; those of hmmlearn's mixtures are set after it has made them arrays of the right shapes."""


def priors(name: str, kind: str | None) -> dict[str, Any]:
    if name == "GMMHMM":
        return {**CHAIN, "weights_prior": 1.4, "means_prior": 0.5, "means_weight": 2.0}
    return {**CHAIN, **EMISSIONS[name, kind]}


def fit(model: Any, x: np.ndarray) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # priors may lower the likelihood alone
        return model.fit(x, LENGTHS)


def parameters(name: str, kind: str | None, model: Any) -> dict[str, np.ndarray]:
    keys = ("startprob_", "transmat_", "means_", "weights_", "lambdas_", "emissionprob_")
    found = {key: getattr(model, key) for key in keys if hasattr(model, key)}
    if kind is not None:
        stored = getattr(model, "_covars_", None)
        found["covars_"] = model.covars_ if stored is None else stored
        if (name, kind) == ("GaussianHMM", "spherical") and found["covars_"].ndim == 2:
            found["covars_"] = found["covars_"][:, 0]
    return found


def along(model: Any, x: np.ndarray, path: np.ndarray) -> float:
    """The log-probability of the data along a path."""
    with torch.no_grad():
        total = model.emission.scores(torch.from_numpy(x).double()).numpy()[np.arange(len(x)), path].sum()
    begin = 0
    for length in LENGTHS:
        states = path[begin : begin + length]
        total += np.log(model.startprob_[states[0]]) + np.log(model.transmat_[states[:-1], states[1:]]).sum()
        begin += length
    return float(total)


def assert_same(name: str, kind: str | None, theirs: Any, ours: Any, x: np.ndarray) -> None:
    """Iterations, parameters, and all that may be asked."""
    np.testing.assert_allclose(ours.monitor_.history, list(theirs.monitor_.history), rtol=1e-9)
    wanted = parameters(name, kind, theirs)
    found = parameters(name, kind, ours)
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        np.testing.assert_allclose(found[key], value, rtol=1e-6, atol=1e-8, err_msg=key)
    score, posteriors = theirs.score_samples(x, LENGTHS)
    np.testing.assert_allclose(ours.score_samples(x, LENGTHS)[0], score, rtol=1e-9)
    np.testing.assert_allclose(ours.score_samples(x, LENGTHS)[1], posteriors, atol=1e-7)
    best, path = theirs.decode(x, LENGTHS)
    np.testing.assert_allclose(ours.decode(x, LENGTHS)[0], best, rtol=1e-9)
    if name in ("CategoricalHMM", "PoissonHMM"):  # symbols and counts repeat, so several paths may be the best
        np.testing.assert_allclose(along(ours, x, ours.predict(x, LENGTHS)), best, rtol=1e-9)
    else:
        np.testing.assert_array_equal(ours.predict(x, LENGTHS), path)
    wanted_map = theirs.decode(x, LENGTHS, algorithm="map")
    np.testing.assert_allclose(ours.decode(x, LENGTHS, "map")[0], wanted_map[0], rtol=1e-7)
    np.testing.assert_array_equal(ours.decode(x, LENGTHS, "map")[1], wanted_map[1])
    np.testing.assert_allclose(ours.get_stationary_distribution(), theirs.get_stationary_distribution(), atol=1e-6)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_learning_with_priors_goes_the_same_way(name: str, kind: str | None) -> None:
    theirs, ours, x = pair(name, kind, **priors(name, kind), n_iter=5)
    assert_same(name, kind, fit(theirs, x), fit(ours, x), x)


@pytest.mark.parametrize(("name", "kind"), [case for case in CASES if case[0] == "GMMHMM"])
def test_priors_of_mixtures_covariances(name: str, kind: str) -> None:
    given = EMISSIONS[name, kind]
    theirs, ours, x = pair(name, kind, n_iter=4)
    full = {"spherical": (STATES, 3), "diag": (STATES, 3, FEATURES), "full": (STATES, 3), "tied": (STATES,)}[kind]
    theirs._init_covar_priors = lambda: None
    matrices = (*full, FEATURES, FEATURES) if kind in ("full", "tied") else full
    theirs.covars_prior = np.broadcast_to(given["covars_prior"], matrices).copy()
    theirs.covars_weight = np.broadcast_to(given["covars_weight"], full).copy()
    ours.set_params(covars_prior=given["covars_prior"], covars_weight=given["covars_weight"])
    assert_same(name, kind, fit(theirs, x), fit(ours, x), x)


@pytest.mark.parametrize("letters", ["s", "t", "smelw", "tmc", "melwc", ""])
@pytest.mark.parametrize(("name", "kind"), [*CASES[:3], ("GaussianHMM", "full"), ("GMMHMM", "diag")])
def test_parts_of_the_parameters_are_learned(name: str, kind: str | None, letters: str) -> None:
    """With "c" goes "m": hmmlearn's covariances are wrong without, for want of the sums that they need."""
    letters = "".join(each for each in letters if each in pair(name, kind)[1].params)
    theirs, ours, x = pair(name, kind, params=letters, n_iter=3)
    assert_same(name, kind, fit(theirs, x), fit(ours, x), x)


@pytest.mark.parametrize("letters", ["s", "t", "st"])
@pytest.mark.parametrize(("name", "kind"), CASES)
def test_parts_of_the_parameters_are_set_before(name: str, kind: str | None, letters: str) -> None:
    _, ours, x = pair(name, kind, init_params=letters, n_iter=1, params="")
    before = parameters(name, kind, ours)
    after = parameters(name, kind, fit(ours, x))
    for key, value in before.items():
        if key[0] in letters and key in ("startprob_", "transmat_"):
            np.testing.assert_allclose(after[key], 1 / STATES)  # hmmlearn draws these; even ones learn as well
        else:
            np.testing.assert_array_equal(after[key], value)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_fitted_model_goes_on_as_it_would_there(name: str, kind: str | None) -> None:
    theirs, _, x = pair(name, kind, n_iter=2)
    ours = from_hmmlearn(fit(theirs, x))
    theirs.monitor_.n_iter = theirs.n_iter = ours.n_iter = 4
    assert_same(name, kind, fit(theirs, x), fit(ours, x), x)


def test_information_criteria_where_the_definitions_agree() -> None:
    """hmmlearn's own count of a mixture's parameters leaves out what its covariance type says."""
    for name, kind in [case for case in CASES if case[0] != "GMMHMM"]:
        theirs, ours, x = pair(name, kind)
        theirs._check()
        theirs.n_features = 7 if name in ("CategoricalHMM", "MultinomialHMM") else x.shape[1]
        np.testing.assert_allclose(ours.aic(x, LENGTHS), theirs.aic(x, LENGTHS), rtol=1e-12, err_msg=name)
        np.testing.assert_allclose(ours.bic(x, LENGTHS), theirs.bic(x, LENGTHS), rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_free_parameters_of_mixtures(kind: str) -> None:
    _, ours, _ = pair("GMMHMM", kind)
    matrix = FEATURES * (FEATURES + 1) // 2
    shapes = {
        "spherical": 3 * STATES,
        "diag": 3 * STATES * FEATURES,
        "full": 3 * STATES * matrix,
        "tied": STATES * matrix,
    }
    chain = STATES - 1 + STATES * (STATES - 1)
    assert ours.free_parameters() == chain + STATES * 2 + 3 * STATES * FEATURES + shapes[kind]


def test_multinomial_trials() -> None:
    theirs, ours, x = pair("MultinomialHMM")
    with pytest.raises(ValueError, match=r"X must have rows that add up to n_trials, 12, got \[2.0, .* in row 1"):
        ours.score([x[0], [2, 0, 0, 0, 0, 0, 0]])
    with pytest.raises(ValueError, match="n_trials must be one number, or one for each of 3 rows, got 2"):
        ours.set_params(n_trials=[12, 12]).score(x[:3])
    ours.set_params(n_trials=[12, 12, 3])
    varied = np.concatenate([x[:2], [[1, 1, 1, 0, 0, 0, 0]]])
    theirs.n_trials = np.array([12, 12, 3])
    assert ours.score(varied) == pytest.approx(theirs.score(varied))
    with pytest.raises(ValueError, match=r"n_trials must be one number to draw samples, got \[12, 12, 3\]"):
        ours.sample(4)
    assert MultinomialHMM(2, random_state=0, n_iter=2).fit(varied).n_trials is None
    assert (ours.set_params(n_trials=5).sample(50, 1)[0].sum(1) == 5).all()
    assert from_hmmlearn(theirs).n_trials is None


def test_a_symbol_that_a_state_never_gives_is_impossible_there() -> None:
    _, ours, _ = pair("MultinomialHMM")
    chances = ours.emissionprob_.copy()
    chances[:, 0] = 0
    ours.emissionprob_ = chances / chances.sum(1, keepdims=True)
    assert ours.score([[0, 12, 0, 0, 0, 0, 0]]) > -100
    assert ours.score([[1, 11, 0, 0, 0, 0, 0]]) == -np.inf
    with pytest.raises(ValueError, match="sequence 0 of 1 frames is impossible for this model"):
        ours.fit([[1, 11, 0, 0, 0, 0, 0]])
