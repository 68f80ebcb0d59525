"""Parameters found again from samples: every kind of emission, and every kind of topology."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from streamhmm.models import GMMHMM, CategoricalHMM, GaussianHMM, MultinomialHMM, PoissonHMM, Topology

CHAIN = {"startprob_": [1 / 3] * 3, "transmat_": [[0.8, 0.15, 0.05], [0.05, 0.85, 0.1], [0.2, 0.1, 0.7]]}
CENTRES = np.array([[0.0, 0.0], [4.0, 1.0], [-1.0, 5.0]])
MATRIX = np.array([[1.0, 0.5], [0.5, 0.8]])
COVARIANCES: dict[str, Any] = {
    "spherical": np.array([0.5, 1.0, 2.0]),
    "diag": np.array([[0.5, 1.0], [1.0, 0.5], [2.0, 1.5]]),
    "full": np.stack([MATRIX, MATRIX[::-1, ::-1], 2 * MATRIX]),
    "tied": MATRIX,
}
MIXED: dict[str, Any] = {
    "spherical": np.array([[0.5, 1.0], [0.8, 0.4], [1.0, 0.6]]),
    "diag": np.array([[[0.5, 1.0]] * 2, [[1.0, 0.5]] * 2, [[0.8, 0.6]] * 2]),
    "full": np.stack([[MATRIX, MATRIX / 2]] * 3),
    "tied": np.stack([MATRIX, MATRIX / 2, MATRIX[::-1, ::-1]]),
}


def made(model: Any, **values: Any) -> Any:
    for key, value in values.items():
        setattr(model, key, value)
    return model


def fitted(truth: Any, frames: int, **options: Any) -> Any:
    """A model learned from one long sample, with its states in the order of the truth's."""
    x, states = truth.sample(frames, 7)
    model = type(truth)(**{**truth.get_params(), "random_state": 0, "n_iter": 60, "tol": 1e-2, **options}).fit(x)
    together = np.zeros((truth.n_components,) * 2)
    np.add.at(together, (states, model.predict(x)), 1)
    return model, linear_sum_assignment(-together)[1]


@pytest.mark.parametrize("kind", COVARIANCES)
def test_gaussians(kind: str) -> None:
    truth = made(GaussianHMM(3, covariance_type=kind), **CHAIN, means_=CENTRES, covars_=COVARIANCES[kind])
    model, order = fitted(truth, 6000)
    np.testing.assert_allclose(model.means_[order], CENTRES, atol=0.12)
    found = model.covars_ if kind == "tied" else model.covars_[order]
    np.testing.assert_allclose(found, COVARIANCES[kind], rtol=0.1, atol=0.05)
    np.testing.assert_allclose(model.transmat_[order][:, order], CHAIN["transmat_"], atol=0.03)


@pytest.mark.parametrize("kind", MIXED)
def test_mixtures_of_gaussians(kind: str) -> None:
    weights = np.array([[0.3, 0.7], [0.5, 0.5], [0.6, 0.4]])
    means = 3 * CENTRES[:, None] + np.array([[-2.0, 0.5], [2.0, -0.5]])
    truth = made(GMMHMM(3, n_mix=2, covariance_type=kind), **CHAIN, means_=means, covars_=MIXED[kind], weights_=weights)
    model, order = fitted(truth, 8000)
    for state, mine in enumerate(order):
        parts = linear_sum_assignment(np.linalg.norm(means[state][:, None] - model.means_[mine][None], axis=2))[1]
        np.testing.assert_allclose(model.means_[mine][parts], means[state], atol=0.2)
        np.testing.assert_allclose(model.weights_[mine][parts], weights[state], atol=0.05)
        found = model.covars_[mine] if kind == "tied" else model.covars_[mine][parts]
        np.testing.assert_allclose(found, MIXED[kind][state], rtol=0.15, atol=0.08)
    np.testing.assert_allclose(model.transmat_[order][:, order], CHAIN["transmat_"], atol=0.03)


def test_symbols() -> None:
    chances = np.array([[0.7, 0.1, 0.1, 0.1], [0.05, 0.8, 0.05, 0.1], [0.1, 0.1, 0.3, 0.5]])
    truth = made(CategoricalHMM(3), **CHAIN, emissionprob_=chances)
    model, order = fitted(truth, 12_000, n_iter=100, tol=1e-1, random_state=1)
    np.testing.assert_allclose(model.emissionprob_[order], chances, atol=0.06)
    np.testing.assert_allclose(model.transmat_[order][:, order], CHAIN["transmat_"], atol=0.08)


def test_counts_of_trials() -> None:
    chances = np.array([[0.7, 0.1, 0.1, 0.1], [0.05, 0.8, 0.05, 0.1], [0.1, 0.1, 0.3, 0.5]])
    truth = made(MultinomialHMM(3, n_trials=6), **CHAIN, emissionprob_=chances)
    model, order = fitted(truth, 5000)
    np.testing.assert_allclose(model.emissionprob_[order], chances, atol=0.02)
    np.testing.assert_allclose(model.transmat_[order][:, order], CHAIN["transmat_"], atol=0.03)


def test_counts() -> None:
    rates = np.array([[1.0, 9.0], [5.0, 2.0], [12.0, 6.0]])
    truth = made(PoissonHMM(3), **CHAIN, lambdas_=rates)
    model, order = fitted(truth, 5000)
    np.testing.assert_allclose(model.lambdas_[order], rates, rtol=0.06)
    np.testing.assert_allclose(model.transmat_[order][:, order], CHAIN["transmat_"], atol=0.03)


RING = [[0, 1, 2], [2, 0, 1], [1, 2, 0]]
TOPOLOGIES = {
    "ergodic": (Topology.ergodic(3), CHAIN["transmat_"]),
    "left to right": (Topology.left_to_right(3), [[0.8, 0.2, 0], [0, 0.7, 0.3], [0, 0, 1]]),
    "skip": (Topology.left_to_right(3, skip=1), [[0.8, 0.1, 0.1], [0, 0.7, 0.3], [0, 0, 1]]),
    "ties": (Topology.of(torch.ones(3, 3), ties=RING), [[0.8, 0.15, 0.05], [0.05, 0.8, 0.15], [0.15, 0.05, 0.8]]),
    "no way back": (Topology.of([[1, 1, 0], [0, 1, 1], [1, 0, 1]]), [[0.8, 0.2, 0], [0, 0.9, 0.1], [0.3, 0, 0.7]]),
}


def sequences(truth: GaussianHMM, count: int) -> tuple[np.ndarray, list[int], np.ndarray]:
    """Samples cut off where a chain that ends does end."""
    parts, states = [], []
    for seed in range(count):
        x, path = truth.sample(40, seed)
        last = truth.chain.topology.last.numpy()
        length = 40 if last.all() else int(np.argmax(path == len(last) - 1)) + 3
        if last[path[length - 1]]:
            parts.append(x[:length])
            states.append(path[:length])
    return np.concatenate(parts), [len(part) for part in parts], np.concatenate(states)


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_transitions_of_topologies(name: str) -> None:
    topology, wanted = TOPOLOGIES[name]
    ends = not bool(topology.last.all())
    truth = made(GaussianHMM(3, topology=topology, n_features=2), transmat_=wanted, means_=CENTRES)
    truth.startprob_ = [1, 0, 0] if ends else [1 / 3] * 3
    truth.covars_ = COVARIANCES["diag"]
    x, lengths, states = sequences(truth, 150)
    model = GaussianHMM(3, topology=topology, random_state=2, n_iter=40)
    if ends or name in ("ties", "no way back"):  # the states have their places: clusters would come in any order
        model.means_ = CENTRES + 0.5
        model.set_params(init_params="stc")
    model.fit(x, lengths)
    together = np.zeros((3, 3))
    np.add.at(together, (states, model.predict(x, lengths)), 1)
    order = linear_sum_assignment(-together)[1]
    np.testing.assert_allclose(model.means_[order], CENTRES, atol=0.25)
    found = model.transmat_[order][:, order]
    rows = slice(0, 2) if ends else slice(None)  # how long the last state lasts was cut
    np.testing.assert_allclose(found[rows], np.array(wanted)[rows], atol=0.05)
    if name == "ties":
        np.testing.assert_allclose(found, [np.roll(found[0], turn) for turn in range(3)], atol=1e-12)


def test_least_durations() -> None:
    topology = Topology.ergodic(2).with_least_duration(3)
    truth = GaussianHMM(2, topology=topology, n_features=1)
    matrix = np.zeros((6, 6))
    for state, stay in ((0, 0.5), (1, 0.8)):
        first = 3 * state
        matrix[first, first + 1] = matrix[first + 1, first + 2] = 1
        matrix[first + 2, first + 2], matrix[first + 2, 3 - first] = stay, 1 - stay
    truth.transmat_, truth.startprob_ = matrix, [0.5, 0, 0, 0.5, 0, 0]
    truth.means_, truth.covars_ = [[0.0], [3.0]], [[1.0], [0.5]]
    x, states = truth.sample(4000, 3)
    model = GaussianHMM(2, topology=topology, random_state=0, n_iter=40).fit(x)
    order = [0, 1] if np.mean(model.predict(x) == states) > 0.5 else [1, 0]
    copies = np.concatenate([np.arange(3) + 3 * state for state in order])
    np.testing.assert_allclose(model.means_[order], truth.means_, atol=0.1)
    np.testing.assert_allclose(model.covars_[order], truth.covars_, atol=0.1)
    np.testing.assert_allclose(model.transmat_[copies][:, copies], matrix, atol=0.05)
