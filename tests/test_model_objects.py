"""Models as Python's objects: how they print, copy, go to other processes, and answer several threads at once."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch

from streamhmm import models
from streamhmm.models import GMMHMM, CategoricalHMM, GaussianHMM, PoissonHMM, Topology

X = np.random.default_rng(0).integers(0, 4, (60, 1)).astype(float)


def fitted(family: Any) -> Any:
    return family(2, n_iter=2, tol=-np.inf, random_state=0).fit(X)


@pytest.mark.parametrize(
    ("model", "shown"),
    [
        (GaussianHMM(), "GaussianHMM()"),
        (GaussianHMM(3, covariance_type="full", random_state=0), None),
        (GMMHMM(2, n_mix=4, tol=0.5, topology=None), "GMMHMM(n_components=2, tol=0.5, n_mix=4)"),
        (PoissonHMM(2, dtype=torch.float32), "PoissonHMM(n_components=2, dtype=torch.float32)"),
        (
            CategoricalHMM(2, transmat_prior=np.ones(2), n_iter=10),
            "CategoricalHMM(n_components=2, transmat_prior=array([1., 1.]))",
        ),
        (
            GaussianHMM(2, topology=Topology.left_to_right(2)),
            "GaussianHMM(n_components=2, topology=<Topology: 2 states, 2 emissions, 3 transitions>)",
        ),
    ],
)
def test_a_model_prints_what_is_not_at_its_default(model: Any, shown: str | None) -> None:
    expected = "GaussianHMM(n_components=3, random_state=0, covariance_type='full')" if shown is None else shown
    assert repr(model) == str(model) == expected
    if "Topology" not in expected and "array" not in expected:
        again = eval(expected, {"torch": torch, **models.families()})
        assert again.get_params() == model.get_params()


def test_a_topology_prints_its_size() -> None:
    tied = Topology.of([[1, 1], [1, 1]], ties=[[0, 1], [0, 1]])
    assert repr(tied) == "<Topology: 2 states, 2 emissions, 4 transitions, tied>"
    assert repr(Topology.ergodic(2).with_least_duration(2)) == "<Topology: 4 states, 2 emissions, 6 transitions>"


def test_names_are_listed_before_they_are_imported() -> None:
    assert dir(models) == sorted(models.__all__)


@pytest.mark.parametrize("family", [CategoricalHMM, PoissonHMM, GaussianHMM, GMMHMM])
def test_copies_and_pickles_are_models_of_their_own(family: Any) -> None:
    model = fitted(family)
    model.log_prob(X).sum().backward()  # gradients must not be in the way
    before, start = model.score(X), model.startprob_.copy()
    for other in (copy.deepcopy(model), copy.copy(pickle.loads(pickle.dumps(model)))):
        assert other.score(X) == before
        assert other.monitor_.history == model.monitor_.history
        other.startprob_ = start[::-1]
        np.testing.assert_array_equal(model.startprob_, start)
    assert model.score(X) == before


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_another_process_says_the_same(method: str) -> None:
    model = fitted(GaussianHMM)
    alone = {"initializer": torch.set_num_threads, "initargs": (1,)}  # torch's threads do not survive a fork
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method), **alone) as pool:
        assert pool.submit(model.score, X).result(timeout=120) == model.score(X)


def test_parameters_may_be_arrays_backwards_or_read_only() -> None:
    model = fitted(GaussianHMM)
    means = model.means_.copy()
    transitions = model.transmat_[::-1, ::-1].copy()
    transitions.flags.writeable = False
    model.means_, model.transmat_ = means[::-1], transitions
    np.testing.assert_array_equal(model.means_, means[::-1])
    np.testing.assert_allclose(model.transmat_, transitions)


class Series:
    """A column of a data frame, as pandas has it: an array if asked, and read-only."""

    def __init__(self, *values: int) -> None:
        self.values = np.array(values)
        self.values.flags.writeable = False

    def __len__(self) -> int:
        return len(self.values)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return self.values.copy() if copy else self.values


def test_lengths_may_be_a_column_of_a_data_frame() -> None:
    model = fitted(GaussianHMM)
    assert model.score(X, Series(20, 40)) == model.score(X, [20, 40])


def test_several_threads_get_the_same() -> None:
    model = fitted(GMMHMM)
    want = model.score(X), model.decode(X)[0], model.score(X[:20])
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda _: (model.score(X), model.decode(X)[0], model.score(X[:20])), range(40))
        assert set(found) == {want}


def test_the_first_guess_alone_is_a_start_for_gradients() -> None:
    model = GMMHMM(2, n_mix=2, n_iter=0, random_state=0).fit(X)
    assert model.monitor_.history == []
    assert len(np.unique(model.means_)) == 4
