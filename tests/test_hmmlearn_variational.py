"""The variational models of hmmlearn: the same bound in each iteration, the same posteriors and answers."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from test_models import FEATURES, KINDS, STATES, SYMBOLS, vectors

from streamhmm import models
from streamhmm.models import from_hmmlearn

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from hmmlearn import vhmm

LENGTHS = [1, 2, 97, 300, 50, 200, 150]
CASES = [("VariationalCategoricalHMM", None), *(("VariationalGaussianHMM", kind) for kind in KINDS)]
CATEGORICAL = ("startprob", "transmat", "emissionprob")
GAUSSIAN = ("startprob", "transmat", "means", "beta", "dof", "scale")


def observed(kind: str | None) -> np.ndarray:
    return np.random.RandomState(5).randint(0, SYMBOLS, (800, 1)) if kind is None else vectors()


def scales(kind: str, rng: np.random.RandomState) -> np.ndarray:
    matrices = np.array([np.cov(rng.randn(40, FEATURES).T) * 50 for _ in range(STATES)])
    variances = np.diagonal(matrices, axis1=1, axis2=2).copy()
    return {"spherical": variances[:, 0], "diag": variances, "full": matrices, "tied": matrices[0]}[kind]


def parameters(kind: str | None, seed: int) -> dict[str, Any]:
    """Random ones of a prior or a posterior, by hmmlearn's names."""
    rng = np.random.RandomState(seed)
    found: dict[str, Any] = {"startprob": 0.3 + rng.rand(STATES), "transmat": 0.2 + 20 * rng.rand(STATES, STATES)}
    if kind is None:
        return {**found, "emissionprob": 0.1 + 9 * rng.rand(STATES, SYMBOLS)}
    dof = FEATURES + 20 * rng.rand(STATES)
    found |= {"means": 2 * rng.randn(STATES, FEATURES), "beta": 0.5 + 9 * rng.rand(STATES)}
    return {**found, "dof": float(dof[0]) if kind == "tied" else dof, "scale": scales(kind, rng)}


def pair(name: str, kind: str | None, **given: Any) -> tuple[Any, Any, np.ndarray]:
    """hmmlearn's model and ours with the same priors and posteriors, and data for them."""
    options = {"n_iter": 12, "tol": -np.inf, "init_params": "", **given}
    if kind is not None:
        options["covariance_type"] = kind
    priors = {f"{key}_prior": value for key, value in parameters(kind, 1).items()}
    theirs, ours = getattr(vhmm, name)(STATES, **options), getattr(models, name)(STATES, **options, **priors)
    for key, value in priors.items():
        setattr(theirs, f"{key}_", value)
    posteriors = parameters(kind, 2)
    for key in sorted(posteriors, key=lambda key: key != "means"):  # which tell how many features there are
        setattr(theirs, f"{key}_posterior_", posteriors[key])
        setattr(ours, f"{key}_posterior_", posteriors[key])
    return theirs, ours, observed(kind)


def fit(model: Any, x: np.ndarray) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of clusters without frames, in scikit-learn
        return model.fit(x, LENGTHS)


def assert_same_posteriors(theirs: Any, ours: Any) -> None:
    for key in CATEGORICAL if hasattr(theirs, "emissionprob_posterior_") else GAUSSIAN:
        name = f"{key}_posterior_"
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-8, atol=1e-8, err_msg=name)


def assert_same_answers(theirs: Any, ours: Any, x: np.ndarray) -> None:
    score, posteriors = theirs.score_samples(x, LENGTHS)
    np.testing.assert_allclose(ours.score_samples(x, LENGTHS)[0], score, rtol=1e-9)
    np.testing.assert_allclose(ours.score_samples(x, LENGTHS)[1], posteriors, atol=1e-8)
    for algorithm in ("viterbi", "map"):
        (wanted, path), (found, states) = (each.decode(x, LENGTHS, algorithm) for each in (theirs, ours))
        np.testing.assert_allclose(found, wanted, rtol=1e-9)
        if x.shape[1] > 1:  # symbols repeat, so several paths may be the best
            np.testing.assert_array_equal(states, path)
    np.testing.assert_allclose(ours.startprob_, theirs.startprob_, rtol=1e-9)
    np.testing.assert_allclose(ours.transmat_, theirs.transmat_, rtol=1e-9)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_learning_goes_the_same_way(name: str, kind: str | None) -> None:
    theirs, ours, x = pair(name, kind)
    fit(theirs, x)
    fit(ours, x)
    np.testing.assert_allclose(ours.monitor_.history, list(theirs.monitor_.history), rtol=1e-9)
    assert_same_posteriors(theirs, ours)
    assert_same_answers(theirs, ours, x)


@pytest.mark.parametrize("letters", ["s", "t", "st", "em", "smc", ""])
@pytest.mark.parametrize(("name", "kind"), CASES)
def test_parts_of_the_posteriors_are_learned(name: str, kind: str | None, letters: str) -> None:
    """With "c" goes "m": hmmlearn's scales are those of the best means, whatever the means are."""
    letters = "".join(each for each in letters if each in ("ste" if kind is None else "stmc"))
    theirs, ours, x = pair(name, kind, params=letters, n_iter=3)
    theirs.transmat_ = ours.transmat_  # hmmlearn looks at it though it was never made
    fit(theirs, x)
    fit(ours, x)
    np.testing.assert_allclose(ours.monitor_.history, list(theirs.monitor_.history), rtol=1e-9)
    assert_same_posteriors(theirs, ours)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_priors_are_the_same_by_default_and_a_fitted_model_goes_on_as_it_would_there(
    name: str, kind: str | None
) -> None:
    options = {} if kind is None else {"covariance_type": kind}
    theirs, x = getattr(vhmm, name)(STATES, n_iter=3, tol=-np.inf, random_state=3, **options), observed(kind)
    fit(theirs, x)
    ours = from_hmmlearn(theirs)
    assert_same_posteriors(theirs, ours)
    assert_same_answers(theirs, ours, x)
    plain = type(ours)(STATES, init_params="", n_iter=8, tol=-np.inf, **options)
    plain.become(SYMBOLS if kind is None else FEATURES)
    plain.load_state_dict(ours.state_dict())
    for model in (theirs, ours):
        model.init_params, model.n_iter = "", 8
    theirs.monitor_.n_iter = 8
    fit(theirs, x)
    for model in (ours, plain):
        fit(model, x)
        np.testing.assert_allclose(model.monitor_.history, list(theirs.monitor_.history), rtol=1e-9)
        assert_same_posteriors(theirs, model)
    assert_same_answers(theirs, ours, x)


def test_a_model_that_was_not_fitted_is_refused() -> None:
    with pytest.raises(ValueError, match="this VariationalGaussianHMM has no parameters yet; fit it first"):
        from_hmmlearn(vhmm.VariationalGaussianHMM(2))
