"""Chains of any shape: what may follow what, least durations, tied transitions."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from streamhmm.models import CategoricalHMM, GaussianHMM, Topology


def model_of(topology: Topology, seed: int = 0) -> CategoricalHMM:
    """Three symbols; random probabilities where the topology allows any."""
    rng = np.random.RandomState(seed)
    model = CategoricalHMM(topology.n_emissions, topology=topology, n_features=3)
    weights = rng.rand(topology.n_states, topology.n_states) * topology.allowed.numpy()
    model.transmat_ = weights / np.maximum(weights.sum(1, keepdims=True), 1e-300)
    first = rng.rand(topology.n_states) * topology.first.numpy()
    model.startprob_ = first / first.sum()
    model.emissionprob_ = rng.dirichlet(np.ones(3), topology.n_emissions)
    return model


def every_path(model: CategoricalHMM, x: np.ndarray) -> dict[tuple[int, ...], float]:
    """Probability of the data along every path of states."""
    topology = model.chain.topology
    found = {}
    for path in itertools.product(range(topology.n_states), repeat=len(x)):
        chance = model.startprob_[path[0]] * float(topology.last[path[-1]])
        for before, after in itertools.pairwise(path):
            chance *= model.transmat_[before, after]
        for state, symbol in zip(path, x[:, 0], strict=True):
            chance *= model.emissionprob_[topology.pdfs[state], symbol]
        found[path] = chance
    return found


TOPOLOGIES = {
    "ergodic": Topology.ergodic(3),
    "left to right": Topology.left_to_right(3),
    "skip": Topology.left_to_right(4, skip=1),
    "least duration": Topology.ergodic(2).with_least_duration(2),
    "ring": Topology.of([[1, 1, 0], [0, 1, 1], [1, 0, 1]], first=[1, 1, 0]),
    "shared emission": Topology.of(torch.ones(3, 3), pdfs=[0, 1, 0]),
}


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_every_path_counts_as_the_topology_says(name: str) -> None:
    model = model_of(TOPOLOGIES[name])
    x = np.random.RandomState(2).randint(0, 3, (5, 1))
    paths = every_path(model, x)
    total = sum(paths.values())
    assert model.score(x) == pytest.approx(np.log(total), rel=1e-12)
    best = max(paths, key=lambda path: paths[path])
    score, emissions = model.decode(x)
    assert score == pytest.approx(np.log(paths[best]), rel=1e-12)
    assert emissions.tolist() == TOPOLOGIES[name].pdfs[list(best)].tolist()
    wanted = np.zeros((5, model.n_components))
    for path, chance in paths.items():
        for frame, state in enumerate(path):
            wanted[frame, TOPOLOGIES[name].pdfs[state]] += chance / total
    np.testing.assert_allclose(model.predict_proba(x), wanted, atol=1e-12)


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_em_keeps_the_shape_and_gains(name: str) -> None:
    topology = TOPOLOGIES[name]
    x = model_of(topology, seed=5).sample(400, 1)[0]
    model = CategoricalHMM(topology.n_emissions, topology=topology, random_state=0, n_iter=5, tol=0.0)
    history = model.fit(x, [20] * 20).monitor_.history
    assert (np.diff(history) > -1e-9).all()
    assert history[-1] > history[0]
    assert not (model.transmat_[~topology.allowed.numpy()] != 0).any()
    assert not (model.startprob_[~topology.first.numpy()] != 0).any()


def test_tied_transitions_stay_equal_and_are_pooled() -> None:
    topology = Topology.of(torch.ones(2, 2), ties=[[0, 1], [1, 0]])  # stay or leave, whichever the state
    model = CategoricalHMM(2, topology=topology, n_features=2, n_iter=1, init_params="", params="t")
    model.transmat_ = [[0.6, 0.4], [0.4, 0.6]]
    model.emissionprob_ = [[1, 0], [0, 1]]
    model.fit([[0], [0], [0], [1], [1], [0]])  # stays three times, leaves twice
    np.testing.assert_allclose(model.transmat_, [[0.6, 0.4], [0.4, 0.6]])
    model.fit([[0], [0], [0], [0], [1]])
    np.testing.assert_allclose(model.transmat_, [[0.75, 0.25], [0.25, 0.75]])
    assert model.free_parameters() == 1 + 1 + 2


def test_least_duration_is_kept() -> None:
    rng = np.random.RandomState(0)
    x = np.where(np.arange(60) % 20 < 10, 0.0, 3.0)[:, None] + rng.randn(60, 1)
    topology = Topology.ergodic(2).with_least_duration(6)
    states = GaussianHMM(2, topology=topology, random_state=0, n_iter=20).fit(x).predict(x)
    runs = [len(list(group)) for _, group in itertools.groupby(states)]
    assert min(runs[:-1]) >= 6


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Topology.of([[1, 1]]), r"allowed must be \(S, S\), got shape \(1, 2\)"),
        (lambda: Topology.of([[1]], first=[1, 1]), r"first must have shape \(1,\), got \(2,\)"),
        (lambda: Topology.of([[1]], last=[1, 1]), r"last must have shape \(1,\), got \(2,\)"),
        (lambda: Topology.of([[1]], ties=[1]), r"ties must have shape \(1, 1\), got \(1,\)"),
        (lambda: Topology.of(torch.ones(2, 2), ties=[[0, 1], [1, 2]]), "rows 0 and 1 of ties share some of their numb"),
        (lambda: Topology.of([[1]], ties=[[0]]).with_least_duration(2), "ties can't be kept where states get copies"),
        (lambda: Topology.ergodic(2).with_least_duration(0), "frames must be at least 1, got 0"),
        (lambda: GaussianHMM(3, topology=Topology.ergodic(2)), "topology has 2 emissions for n_components = 3"),
    ],
)
def test_impossible_shapes_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_transitions_that_are_not_allowed_are_refused() -> None:
    model = GaussianHMM(2, topology=Topology.left_to_right(2))
    with pytest.raises(ValueError, match="transmat_ must be 0 where the topology allows no transition"):
        model.transmat_ = [[0.5, 0.5], [0.5, 0.5]]


def test_ties_within_a_row_share_what_they_have() -> None:
    topology = Topology.of(torch.ones(3, 3), ties=[[0, 0, 1], [2, 3, 4], [5, 6, 7]])
    model = CategoricalHMM(3, topology=topology, n_features=3, n_iter=1, init_params="", params="t")
    model.transmat_ = [[0.25, 0.25, 0.5], [0.2, 0.3, 0.5], [0.1, 0.1, 0.8]]
    model.emissionprob_ = np.eye(3)
    model.fit([[0], [0], [0], [1], [0], [2], [0], [2], [1], [0]])  # from 0: to itself twice, to 1 once, to 2 twice
    np.testing.assert_allclose(model.transmat_[0], [0.3, 0.3, 0.4])
