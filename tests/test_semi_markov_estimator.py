"""HSMM as an estimator: learns from data, has the names of hmmlearn and scikit-learn, and is kept in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_model_files import rewrite
from test_semi_markov_model import model_of, observations

from streamhmm import models
from streamhmm.errors import ModelError
from streamhmm.models import GMMHMM, HSMM, CategoricalHMM, GaussianHMM, PoissonHMM, Topology
from streamhmm.models.durations import KINDS

MEANS, LENGTHS = [4.0, 9.0, 15.0], [300] * 20
FAMILIES: dict[str, Any] = {
    "categorical": (lambda: CategoricalHMM(2), lambda rng: rng.randint(0, 3, (40, 1))),
    "poisson": (lambda: PoissonHMM(2), lambda rng: rng.poisson(4, (40, 2))),
    "gaussian": (lambda: GaussianHMM(2, covariance_type="full"), lambda rng: rng.randn(40, 2)),
    "mixture": (lambda: GMMHMM(2, n_mix=2), lambda rng: rng.randn(40, 2)),
}


def truth(kind: str) -> HSMM:
    """Three states that overlap and last about 4, 9 and 15 frames."""
    model = HSMM(GaussianHMM(3), durations=kind, max_duration=30)
    model.means_, model.covars_ = [[0.0], [2.0], [4.0]], np.full((3, 1), 0.5)
    model.transmat_ = [[0, 0.7, 0.3], [0.2, 0, 0.8], [0.5, 0.5, 0]]
    model.duration.begin(torch.tensor(MEANS))
    if kind == "categorical":
        weights = np.exp(-0.125 * (np.arange(1, 31) - np.array(MEANS)[:, None]) ** 2)
        model.durations_ = weights / weights.sum(1, keepdims=True)
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_drawn_is_recovered(kind: str) -> None:
    """From 6,000 frames, some 700 segments: means of emissions within 0.1, of durations within 8 %, transitions within
    0.06, distributions of durations within 0.06 (categorical: 0.2) in total variation."""
    wanted = truth(kind)
    x = np.concatenate([wanted.sample(300, seed)[0] for seed in range(20)])
    model = HSMM(GaussianHMM(3), durations=kind, max_duration=30, random_state=0, n_iter=30, tol=0.1)
    model.fit(x, LENGTHS)
    assert min(np.diff(model.monitor_.history)) > -1e-6
    assert model.score(x, LENGTHS) > wanted.score(x, LENGTHS)
    order = np.argsort(model.means_[:, 0])
    np.testing.assert_allclose(model.means_[order], wanted.means_, atol=0.1)
    np.testing.assert_allclose(model.mean_durations_[order], wanted.mean_durations_, rtol=0.08)
    np.testing.assert_allclose(model.transmat_[order][:, order], wanted.transmat_, atol=0.06)
    apart = np.abs(model.durations_[order] - wanted.durations_).sum(1) / 2
    assert apart.max() < (0.2 if kind == "categorical" else 0.06)


def test_samples_last_as_long_as_they_should() -> None:
    model = truth("gamma")
    frames, states = model.sample(30_000, 7)
    assert frames.shape == (30_000, 1)
    ends = np.flatnonzero(np.diff(states))
    lasted, state = np.diff(ends), states[ends[1:]]
    for each in range(3):
        assert lasted[state == each].mean() == pytest.approx(model.mean_durations_[each], rel=0.06)
    share = np.bincount(states) / len(states)
    np.testing.assert_allclose(share, model.get_stationary_distribution(), atol=0.02)
    assert model.sample(5, 7, currstate=2)[1][0] == 2


def test_samples_end_where_nothing_follows() -> None:
    model = model_of("poisson", "left to right")
    lengths = {len(model.sample(100, seed)[1]) for seed in range(20)}
    assert max(lengths) <= 12
    assert len(lengths) > 3


@pytest.mark.parametrize("family", FAMILIES)
def test_any_emissions_of_the_family(family: str, tmp_path: Path) -> None:
    make, draw = FAMILIES[family]
    x = draw(np.random.RandomState(0))
    model = HSMM(make(), durations="negative-binomial", max_duration=[6, 8], random_state=0, n_iter=5, tol=0.0)
    history = model.fit(x, [15, 25]).monitor_.history
    assert min(np.diff(history)) > -1e-9
    assert history[-1] > history[0]
    assert model.predict_proba(x, [15, 25]).sum() == pytest.approx(40)
    assert all(parameter.grad is None for parameter in model.parameters())
    models.save(model, tmp_path / "model.safetensors")
    loaded = models.load(tmp_path / "model.safetensors")
    assert isinstance(loaded, HSMM)
    assert loaded.score(x, [15, 25]) == model.score(x, [15, 25])
    assert type(loaded.emissions) is type(model.emissions)
    apart = ("random_state", "topology", "emissions", "emissions__n_features")
    for name, value in model.get_params().items():
        assert name in apart or loaded.get_params()[name] == value, name


def test_emissions_begin_and_learn_as_their_model_says() -> None:
    given = GaussianHMM(3, n_features=2, params="m", init_params="")
    given.means_ = np.arange(6.0).reshape(3, 2)
    model = HSMM(given, max_duration=5, n_iter=1)
    np.testing.assert_array_equal(model.means_, given.means_)
    model.fit(observations(50))
    assert np.abs(model.means_ - given.means_).min() > 0.01
    np.testing.assert_array_equal(model.covars_, given.covars_)
    np.testing.assert_array_equal(given.means_, np.arange(6.0).reshape(3, 2))  # stays as it was
    given.set_params(init_params="m", params="")
    again = HSMM(given, max_duration=5, n_iter=1, random_state=0).fit(observations(50))
    assert np.abs(again.means_).max() < 3  # of what was seen; those given reach 5
    np.testing.assert_array_equal(again.covars_, given.covars_)


def test_letters_choose_what_is_learnt() -> None:
    model = model_of("poisson", params="st")
    before = model.durations_, model.transmat_
    model.fit(observations(50))
    np.testing.assert_array_equal(model.durations_, before[0])
    assert np.abs(model.transmat_ - before[1]).max() > 0.01


def test_padded_batches_are_the_same_sequences() -> None:
    model, x = model_of("gamma"), torch.from_numpy(observations(20))
    padded = torch.zeros(2, 12, 2, dtype=torch.float64)
    padded[0], padded[1, :8] = x[:12], x[12:]
    assert model.score(padded, [12, 8]) == pytest.approx(model.score(x, [12, 8]), rel=1e-12)
    states = model.predict(padded, [12, 8])
    assert torch.equal(torch.cat((states[0], states[1, :8])), model.predict(x, [12, 8]))
    assert states[1, 8:].tolist() == [-1] * 4


def test_scikit_learn_clones_it_with_its_emissions() -> None:
    from sklearn.base import clone
    from sklearn.model_selection import GridSearchCV

    model = HSMM(GaussianHMM(2, covariance_type="full"), durations="poisson", max_duration=9, n_iter=2, random_state=0)
    copy = clone(model)
    assert copy.emissions is not model.emissions
    assert copy.get_params()["emissions__covariance_type"] == "full"
    assert {name for name in copy.get_params(deep=False) if "_" not in name} >= {"emissions", "durations", "censored"}
    copy.fit(observations(40)).set_params(emissions__n_components=3, max_duration=6)
    assert copy.n_components == 3
    copy.fit(observations(40))
    assert (copy.durations_.shape, copy.covars_.shape) == ((3, 6), (3, 2, 2))
    kept = copy.set_params(emissions__min_covar=0.1, n_iter=1).means_
    assert kept.shape == (3, 2)
    choices = {"durations": ["gamma", "poisson"], "emissions__n_components": [1, 2]}
    found = GridSearchCV(model, choices, cv=2).fit(observations(40))
    assert found.best_estimator_.durations == found.best_params_["durations"]


def test_criteria_count_the_durations() -> None:
    x = observations(40)
    for kind, more in {"geometric": 3, "gamma": 6, "categorical": 9}.items():
        model = model_of(kind)
        wanted = 2 + 3 + 12 + more  # starts, followers, Gaussians, durations
        assert model.free_parameters() == wanted
        assert model.aic(x) == pytest.approx(-2 * model.score(x) + 2 * wanted)
        assert model.bic(x) == pytest.approx(-2 * model.score(x) + wanted * np.log(40))


def test_parameters_in_single_precision() -> None:
    model, x = model_of("gamma").float(), observations(40)
    assert model.score(x) == pytest.approx(model_of("gamma").score(x), rel=1e-5)
    model.fit(x)
    assert model.duration.raw.dtype == model.emission.means.dtype == torch.float32


WRONG: dict[str, tuple[Any, type[Exception], str]] = {
    "no model": (lambda: HSMM(4), TypeError, r"emissions must be a model such as GaussianHMM\(4\), got int"),
    "of models": (lambda: HSMM(HSMM(GaussianHMM(2))), TypeError, "emissions must be a model such as .*, got HSMM"),
    "topology": (
        lambda: HSMM(GaussianHMM(2, topology=Topology.ergodic(2))),
        ValueError,
        "the topology must be given to HSMM, not to its emissions",
    ),
    "kind": (lambda: HSMM(GaussianHMM(2), durations="normal"), ValueError, "durations must be one of categorical, geo"),
    "longest": (lambda: HSMM(GaussianHMM(2), max_duration=0), ValueError, "max_duration must be a number of frames"),
    "states": (
        lambda: HSMM(GaussianHMM(3), topology=Topology.ergodic(2)),
        ValueError,
        "topology has 2 emissions for n_components = 3",
    ),
    "name": (lambda: HSMM(GaussianHMM(2)).set_params(speed=1), ValueError, "HSMM has no parameter 'speed'; it has: al"),
    "within": (
        lambda: HSMM(GaussianHMM(2)).set_params(emissions__speed=1),
        ValueError,
        "GaussianHMM has no parameter 'speed'; it has: ",
    ),
    "nothing within": (
        lambda: HSMM(GaussianHMM(2)).set_params(durations__speed=1),
        ValueError,
        "HSMM has no parameter 'durations__speed'; it has: ",
    ),
    "states of its own": (
        lambda: HSMM(GaussianHMM(2)).set_params(n_components=3),
        ValueError,
        "HSMM has no parameter 'n_components'; it has: ",
    ),
    "no emissions": (lambda: HSMM(GaussianHMM(2)).sample(3), ValueError, "the model has no emissions yet; call fit"),
    "no stream": (lambda: HSMM(GaussianHMM(2)).stream(), ValueError, "the model has no emissions yet; call fit"),
    "attribute": (lambda: HSMM(GaussianHMM(2)).lambdas_, AttributeError, "'HSMM' object has no attribute 'lambdas_'"),
    "loops": (
        lambda: setattr(HSMM(GaussianHMM(2)), "transmat_", np.eye(2)),
        ValueError,
        "transmat_ must be 0 where the topology allows no transition",
    ),
    "shape": (
        lambda: setattr(HSMM(GaussianHMM(2), max_duration=3), "durations_", np.eye(2)),
        ValueError,
        r"durations_ must have shape \(2, 3\), got \(2, 2\)",
    ),
    "too few frames": (
        lambda: model_of("gamma", "left to right").fit(observations(9), [7, 1, 1]),
        ValueError,
        "sequence 1 of 1 frames is impossible for this model: no path through its states is of that length",
    ),
    "too many frames": (
        lambda: model_of("gamma", "left to right").fit(observations(13)),
        ValueError,
        "sequence 0 of 13 frames is impossible for this model: no path through its states is of that length",
    ),
    "features": (lambda: model_of("gamma").score(np.zeros((3, 4))), ValueError, "X must have 2 features, got 4"),
    "no rows": (lambda: model_of("gamma").fit(np.zeros((0, 2))), ValueError, "X must have rows to learn from"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_calls_are_refused(case: str) -> None:
    call, error, message = WRONG[case]
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(
    ("settings", "tensors", "message"),
    [
        ({"emissions": 3}, {}, r"the header is damaged \(emissions must be a model"),
        ({"emissions": {"model": "Oracle", "settings": {}}}, {}, r"the header is damaged \('Oracle'\)"),
        (
            {"emissions": {"model": "GaussianHMM", "settings": {"speed": 1}}},
            {},
            r"the header is damaged \(unknown settings \['speed'\]\)",
        ),
        ({}, {"duration.raw": torch.zeros(3, 1)}, r"tensor duration.raw has shape \(3, 1\), expected \(3, 2\)"),
        ({}, {"duration.raw": None}, r"tensor duration.raw has shape None, expected \(3, 2\)"),
        ({}, {"duration.raw": torch.full((3, 2), torch.nan)}, "tensor duration.raw has NaN"),
        (
            {"durations": "categorical", "max_duration": 10**9},
            {},
            "max_duration is 1000000000, the tensors have 2",
        ),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, settings: Any, tensors: Any, message: str) -> None:
    path = tmp_path / "model.safetensors"
    model = model_of("gamma")
    models.save(model, path)
    told = {"emissions": {"model": "GaussianHMM", "settings": {"n_components": 3}}, "max_duration": 4}
    rewrite(path, {"settings": told | settings}, tensors)
    with pytest.raises(ModelError, match=message):
        models.load(path)


def test_features_that_were_not_observed() -> None:
    x = observations(60)
    x[np.random.RandomState(1).rand(60, 2) < 0.2] = np.nan
    model = HSMM(GaussianHMM(2, missing="marginal", random_state=0), max_duration=9, n_iter=8, tol=-np.inf)
    history = model.fit(x, [30, 0, 30]).monitor_.history
    assert min(np.diff(history)) > -1e-9
    assert np.isfinite(model.score(x))
    model.set_params(emissions__missing="error")
    with pytest.raises(ValueError, match="X must be finite"):
        model.score(x)
