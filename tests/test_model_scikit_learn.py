"""Models as scikit-learn's estimators, and first centres beside its k-means."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris, make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted
from test_models import CASES, LENGTHS, pair, vectors

from streamhmm.models import GaussianHMM, PoissonHMM, Topology, families, from_hmmlearn
from streamhmm.models.k_means import k_means


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_clones_have_the_settings_and_nothing_learned(name: str, kind: str | None) -> None:
    _, model, x = pair(name, kind, random_state=3)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "emission")
    assert hasattr(model, "emission")
    both = [each.set_params(init_params="stmcwle", n_iter=2).fit(x, LENGTHS).monitor_.history for each in (model, copy)]
    assert both[0] == both[1]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_models_come_over_from_hmmlearn_with_their_settings(name: str, kind: str | None) -> None:
    theirs, _, x = pair(name, kind, tol=0.5, algorithm="map", startprob_prior=2.0)
    ours = from_hmmlearn(theirs)
    shared = set(ours.get_params()) & set(theirs.get_params()) - {"covars_prior", "covars_weight", "random_state"}
    assert {"tol", "n_iter", "algorithm", "startprob_prior", "params", "init_params"} <= shared
    assert {key: ours.get_params()[key] for key in shared} == {key: theirs.get_params()[key] for key in shared}
    np.testing.assert_allclose(ours.score(x, LENGTHS), theirs.score(x, LENGTHS), rtol=1e-9)
    np.testing.assert_array_equal(ours.predict(x, LENGTHS), theirs.predict(x, LENGTHS))


# HSMM has its states from its emissions, a NeuralHMM takes nothing as missing.
@pytest.mark.parametrize("name", sorted(families().keys() - {"HSMM", "NeuralHMM"}))
def test_settings_are_told_and_changed(name: str) -> None:
    model = families()[name](3, n_iter=7)
    assert repr(model).startswith(f"{name}(")
    assert {"n_components", "n_iter", "tol", "verbose", "topology"} <= set(model.get_params(deep=False))
    changed = model.set_params(n_iter=9, verbose=True, topology=Topology.left_to_right(2), n_components=2)
    assert changed is model
    assert (model.n_iter, model.verbose, model.transmat_.shape) == (9, True, (2, 2))
    with pytest.raises(ValueError, match=f"{name} has no parameter 'speed'; it has: algorithm, "):
        model.set_params(speed=3)
    with pytest.raises(ValueError, match="n_components must be a whole number of at least 1, got 0"):
        model.set_params(n_components=0)


def test_pipelines_and_searches() -> None:
    x = vectors()
    piped = make_pipeline(StandardScaler(), GaussianHMM(4, random_state=0, n_iter=5)).fit(x)
    alone = GaussianHMM(4, random_state=0, n_iter=5).fit(StandardScaler().fit_transform(x))
    assert piped.score(x) == pytest.approx(alone.score(StandardScaler().fit_transform(x)))
    found = GridSearchCV(piped, {"gaussianhmm__n_components": [1, 2]}, cv=2).fit(x)
    assert isinstance(found.best_estimator_, Pipeline)
    assert found.best_score_ == max(found.cv_results_["mean_test_score"])
    scores = [cross_val_score(GaussianHMM(states, random_state=0, n_iter=5), x[::4], cv=2).mean() for states in (1, 2)]
    assert np.isfinite(scores).all()


def test_a_search_finds_how_many_states_there_are() -> None:
    truth = PoissonHMM(3)
    truth.startprob_, truth.transmat_ = [1, 0, 0], [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]
    truth.lambdas_ = [[1, 20], [10, 10], [30, 1]]
    x = truth.sample(900, 1)[0]
    found = GridSearchCV(PoissonHMM(random_state=1, n_iter=30), {"n_components": [1, 2, 3]}, cv=3).fit(x)
    assert found.best_params_ == {"n_components": 3}
    scores = {states: PoissonHMM(states, random_state=1, n_iter=30).fit(x).bic(x) for states in (1, 2, 3)}
    assert min(scores, key=scores.__getitem__) == 3


def test_what_is_not_fitted_is_told_as_scikit_learn_tells_it() -> None:
    with pytest.raises((NotFittedError, ValueError, AttributeError), match="no emissions yet"):
        GaussianHMM(2).predict(np.zeros((2, 2)))
    fitted = GaussianHMM(2, random_state=0, n_iter=1).fit(vectors())
    check_is_fitted(fitted)
    with pytest.raises(NotFittedError):
        check_is_fitted(GaussianHMM(2))


def test_fitted_models_travel_to_other_processes() -> None:
    model = GaussianHMM(2, random_state=0, n_iter=1).fit(vectors())
    again = pickle.loads(pickle.dumps(model))
    assert again.score(vectors()) == model.score(vectors())


def inertia(x: np.ndarray, centres: np.ndarray) -> float:
    return float(np.square(x[:, None] - centres).sum(2).min(1).sum())


DATA: dict[str, Any] = {
    "blobs": lambda: make_blobs(600, 3, centers=6, cluster_std=1.0, random_state=2)[0],
    "overlapping": lambda: make_blobs(600, 2, centers=6, cluster_std=4.0, random_state=2)[0],
    "iris": lambda: load_iris().data,
    "far away": lambda: make_blobs(600, 3, centers=6, random_state=2)[0] + 1e6,
    "no clusters": lambda: np.random.RandomState(0).rand(500, 4),
}


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("count", [3, 6])
def test_first_centres_are_as_good_as_those_of_scikit_learn(name: str, count: int) -> None:
    x = DATA[name]()
    wanted = KMeans(count, n_init=10, random_state=0).fit(x - x.mean(0)).inertia_
    for seed in range(3):
        centres = k_means(torch.from_numpy(x), count, torch.Generator().manual_seed(seed)).numpy()
        assert inertia(x, centres) <= 1.05 * wanted


@pytest.mark.parametrize("count", [1, 2, 5])
def test_fewer_different_frames_than_centres(count: int) -> None:
    x = torch.tensor([[0.0, 1.0], [4.0, -2.0]], dtype=torch.float64).repeat(10, 1)
    centres = k_means(x, count, torch.Generator().manual_seed(0))
    assert centres.shape == (count, 2)
    found = {tuple(each) for each in centres.tolist()}
    assert found == ({(2.0, -0.5)} if count == 1 else {(0.0, 1.0), (4.0, -2.0)})


def test_states_alike_share_what_there_is() -> None:
    x = np.tile([[0.0], [4.0]], (50, 1))
    model = GaussianHMM(3, random_state=0, n_iter=5).fit(x)
    assert np.isfinite(model.score(x))
    assert set(np.round(model.means_[:, 0], 6)) == {0.0, 4.0}
    np.testing.assert_allclose(model.predict_proba(x).sum(1), 1)


def test_the_random_state_decides_where_learning_begins() -> None:
    x = np.random.RandomState(0).rand(300, 2)

    def first(state: Any) -> np.ndarray:
        return np.asarray(GaussianHMM(5, random_state=state, n_iter=0).fit(x).means_).copy()

    np.testing.assert_array_equal(first(3), first(3))
    np.testing.assert_array_equal(first(np.random.RandomState(3)), first(np.random.RandomState(3)))
    np.testing.assert_array_equal(first(np.random.default_rng(3)), first(np.random.default_rng(3)))
    assert not np.array_equal(first(3), first(4))
