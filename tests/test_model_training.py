"""Ways to fit a model: best paths only, known states, several starts."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from model_cases import LENGTHS, NAMES, STATES, close, drawn, known, make

from streamhmm.models import CategoricalHMM, GaussianHMM, Topology
from streamhmm.models.sequences import with_states


def cut(rows: np.ndarray) -> list[np.ndarray]:
    return np.split(rows, np.cumsum(LENGTHS)[:-1])


def naive_path(initial: np.ndarray, transitions: np.ndarray, scores: np.ndarray) -> tuple[float, list[int]]:
    """Viterbi in logarithms, by its definition."""
    best, back = np.log(initial) + scores[0], []
    for row in scores[1:]:
        sums = best[:, None] + np.log(transitions)
        back.append(sums.argmax(0))
        best = sums.max(0) + row
    path = [int(best.argmax())]
    for pointers in reversed(back):
        path.append(int(pointers[path[-1]]))
    return float(best.max()), path[::-1]


def naive_viterbi_training(model: Any, x: np.ndarray, iterations: int) -> tuple[list[float], dict[str, np.ndarray]]:
    """Segmental k-means of a diagonal Gaussian model by hand."""
    initial, transitions = model.startprob_.copy(), model.transmat_.copy()
    means, variances, history = model.means_.copy(), model.covars_.copy(), []
    for _ in range(iterations):
        away = x[:, None] - means
        scores = -0.5 * (away**2 / variances + np.log(2 * np.pi * variances)).sum(2)
        found = [naive_path(initial, transitions, part) for part in cut(scores)]
        history.append(sum(score for score, _ in found))
        states = np.concatenate([path for _, path in found])
        starts = np.bincount([path[0] for _, path in found], minlength=STATES)
        passed = np.zeros((STATES, STATES))
        for _, path in found:
            np.add.at(passed, (path[:-1], path[1:]), 1)
        initial, transitions = starts / starts.sum(), passed / passed.sum(1, keepdims=True)
        means = np.stack([x[states == state].mean(0) for state in range(STATES)])
        variances = np.stack([x[states == state].var(0) for state in range(STATES)])
    return history, {"startprob_": initial, "transmat_": transitions, "means_": means, "covars_": variances}


def test_viterbi_training_is_the_naive_one() -> None:
    x, _ = drawn("diag")
    model = known("diag", fit_method="viterbi", n_iter=4, tol=-np.inf, covars_prior=0.0)
    with np.errstate(divide="ignore"):
        history, parameters = naive_viterbi_training(model, x, 4)
    model.fit(x, LENGTHS)
    np.testing.assert_allclose(model.monitor_.history, history, rtol=1e-10)
    for key, value in parameters.items():
        np.testing.assert_allclose(getattr(model, key), value, atol=1e-10, err_msg=key)


@pytest.mark.parametrize("name", NAMES)
def test_viterbi_training_raises_the_path_score_and_ends(name: str) -> None:
    x, _ = drawn(name, 300)
    flat = {} if name in ("categorical", "poisson") or name.startswith("mixture") else {"covars_prior": 0.0}
    model = make(name, fit_method="viterbi", random_state=0, n_iter=60, tol=0.05, **flat).fit(x)
    history = model.monitor_.history
    assert (np.diff(history) >= -1e-7).all()
    assert history[-1] > history[0]
    assert model.monitor_.converged
    assert model.decode(x)[0] >= history[-1] - 1e-7


def test_viterbi_training_counts_states_that_share_an_emission() -> None:
    topology = Topology.left_to_right(2).with_least_duration(2)
    model = GaussianHMM(2, topology=topology, fit_method="viterbi", init_params="stc", n_iter=3)
    model.means_ = [[0.0], [9.0]]  # clusters come in any order
    x = np.concatenate((np.random.RandomState(0).randn(10, 1), 9 + np.random.RandomState(1).randn(6, 1)))
    model.fit(np.concatenate((x, x)), [16, 16])
    assert model.startprob_.tolist() == [1, 0, 0, 0]
    expected = [[0, 1, 0, 0], [0, 8 / 9, 1 / 9, 0], [0, 0, 0, 1], [0, 0, 0, 1]]
    np.testing.assert_allclose(model.transmat_, expected, atol=1e-12)


@pytest.mark.parametrize("name", ["categorical", "poisson", "spherical", "diag", "full", "tied"])
def test_known_states_give_the_closed_form(name: str) -> None:
    x, y = drawn(name, seed=3)
    flat = {} if name in ("categorical", "poisson") else {"covars_prior": 0.0, "covars_weight": 0.0}
    model = make(name, random_state=0, transmat_prior=2.0, **flat).fit_supervised(x, y, LENGTHS)
    starts = np.bincount([part[0] for part in cut(y)], minlength=STATES)
    passed = np.ones((STATES, STATES))
    for part in cut(y):
        np.add.at(passed, (part[:-1], part[1:]), 1)
    np.testing.assert_allclose(model.startprob_, starts / starts.sum(), atol=1e-12)
    np.testing.assert_allclose(model.transmat_, passed / passed.sum(1, keepdims=True), atol=1e-12)
    parts = [x[y == state] for state in range(STATES)]
    if name == "categorical":
        wanted = [np.bincount(part[:, 0], minlength=4) / len(part) for part in parts]
        np.testing.assert_allclose(model.emissionprob_, wanted, atol=1e-12)
        return
    means = model.lambdas_ if name == "poisson" else model.means_
    np.testing.assert_allclose(means, [part.mean(0) for part in parts], atol=1e-10)
    spreads = [np.cov(part.T, bias=True) for part in parts]
    shares = np.bincount(y) / len(y)
    wanted = {
        "poisson": None,
        "spherical": [np.trace(each) / 2 for each in spreads],
        "diag": [np.diag(each) for each in spreads],
        "full": spreads,
        "tied": np.tensordot(shares, spreads, 1),
    }[name]
    if wanted is not None:
        np.testing.assert_allclose(model.covars_, wanted, atol=1e-9)


def test_known_states_of_mixtures_are_kept() -> None:
    x, y = drawn("mixture diag", 400)
    model = make("mixture diag", random_state=0, n_iter=30).fit_supervised(x, y)
    centres = np.einsum("sm,smd->sd", model.weights_, model.means_)
    np.testing.assert_allclose(centres, [x[y == state].mean(0) for state in range(STATES)], atol=1e-10)


def test_some_known_states_hold_the_e_step() -> None:
    """Against all paths that keep to what is known."""
    x = np.array([[0], [3], [1], [2], [0]])
    y = [-1, 2, -1, -1, 0]
    model = known("categorical")
    sequences = with_states(model._sequences(x, None), y, STATES)
    found = model.expectation(sequences)
    weights, starts, passed, shown = 0.0, np.zeros(STATES), np.zeros((STATES, STATES)), np.zeros((STATES, 4))
    for path in itertools.product(range(STATES), repeat=5):
        if all(label in (-1, state) for label, state in zip(y, path, strict=True)):
            weight = model.startprob_[path[0]] * np.prod([model.transmat_[pair] for pair in itertools.pairwise(path)])
            weight *= np.prod([model.emissionprob_[state, symbol] for state, symbol in zip(path, x[:, 0], strict=True)])
            weights += weight
            starts[path[0]] += weight
            np.add.at(passed, (path[:-1], path[1:]), weight)
            np.add.at(shown, (path, x[:, 0]), weight)
    np.testing.assert_allclose(found.log_likelihood, np.log(weights), rtol=1e-12)
    np.testing.assert_allclose(found.counts.initial, starts / weights, atol=1e-12)
    np.testing.assert_allclose(found.counts.transitions, passed / weights, atol=1e-12)
    np.testing.assert_allclose(found.statistics["obs"], shown / weights, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_a_tenth_of_the_states_names_the_rest(name: str) -> None:
    x, y = drawn(name, 500)
    given = np.where(np.arange(500) % 10 == 0, y, -1)
    model = make(name, random_state=0, n_iter=20).fit_supervised(x, given)
    assert (model.predict(x) == y).mean() > 0.95 * (known(name).predict(x) == y).mean()
    padded = torch.from_numpy(x).reshape(2, 250, -1), torch.from_numpy(given).reshape(2, 250)
    whole = make(name, random_state=0, n_iter=2).fit_supervised(x, given, [250, 250])
    close(make(name, random_state=0, n_iter=2).fit_supervised(*padded), whole)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0, 1], r"y must have shape \(3,\), got \(2,\)"),
        ([[0, 1, 2]], r"y must have shape \(3,\), got \(1, 3\)"),
        ([0, 1, 3], r"y must hold states 0 … 2, or -1 where they are not known, got \[0, 1, 3\]"),
        ([0.0, 1.0, 2.0], r"y must hold states 0 … 2, or -1 where they are not known, got \[0.0, 1.0, 2.0\]"),
        ([2, 1, 0], "sequence 0 of 3 frames is impossible for this model"),
    ],
)
def test_wrong_states_are_refused(y: Any, message: str) -> None:
    model = CategoricalHMM(3, topology=Topology.left_to_right(3), random_state=0)
    with pytest.raises(ValueError, match=message):
        model.fit_supervised([[0], [1], [2]], y)


def test_several_starts_keep_the_best() -> None:
    x, _ = drawn("mixture diag")
    numbers = torch.Generator().manual_seed(5)
    single = [make("mixture diag", random_state=numbers, tol=-np.inf).fit(x) for _ in range(4)]
    ends = [each.monitor_.history[-1] for each in single]
    assert len(set(ends)) > 1
    model = make("mixture diag", n_init=4, random_state=5, tol=-np.inf).fit(x)
    best = single[int(np.argmax(ends))]
    assert model.monitor_.history == best.monitor_.history
    close(model, best, atol=0)


def test_starts_leave_given_parameters_as_they_are() -> None:
    x, _ = drawn("diag")
    model = make("diag", n_features=2, n_init=3, init_params="st", params="st", random_state=0)
    model.means_ = [[0, 0], [3, 1], [-1, 4]]
    model.fit(x)
    assert model.means_.tolist() == [[0, 0], [3, 1], [-1, 4]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fit_method": "baum"}, "fit_method must be one of em, viterbi, got 'baum'"),
        ({"n_init": 0}, "n_init must be at least 1, got 0"),
    ],
)
def test_wrong_settings_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GaussianHMM(2, **options)


def test_a_method_set_later_is_looked_at_in_fit() -> None:
    with pytest.raises(ValueError, match="fit_method must be one of em, viterbi, got 'baum'"):
        known("diag").set_params(fit_method="baum").fit(drawn("diag")[0])
