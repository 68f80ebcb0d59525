"""What trains an HMM trains an HSMM: best paths, known states, batches, several starts."""

from __future__ import annotations

from itertools import groupby, pairwise

import numpy as np
import pytest
import torch
from test_semi_markov_model import STATES, model_of, observations

from streamhmm.models import HSMM, CategoricalHMM, GaussianHMM

LENGTHS = [12, 9, 19]


def test_known_states_are_counted() -> None:
    states = np.array([0, 0, 1, 0, 0, 0, 1, 1, 1, 1, 0])
    model = HSMM(CategoricalHMM(2), durations="categorical", max_duration=5, censored=False)
    model.fit_supervised(states[:, None] + 1, states)
    np.testing.assert_allclose(model.durations_, [[1 / 3, 1 / 3, 1 / 3, 0, 0], [1 / 2, 0, 0, 1 / 2, 0]], atol=1e-12)
    np.testing.assert_allclose(model.transmat_, [[0, 1], [1, 0]])
    np.testing.assert_allclose(model.startprob_, [1, 0])
    np.testing.assert_allclose(model.emissionprob_, [[0, 1, 0], [0, 0, 1]], atol=1e-12)


def test_known_states_that_last_too_long_are_refused() -> None:
    model = HSMM(CategoricalHMM(2), max_duration=2)
    with pytest.raises(ValueError, match="sequence 0 of 4 frames is impossible for this model"):
        model.fit_supervised([[0], [0], [0], [1]], [0, 0, 0, 1])


@pytest.mark.parametrize("censored", [True, False])
def test_counts_of_the_best_paths(censored: bool) -> None:
    model, x = model_of("categorical", censored=censored), observations(40)
    sequences = model._sequences(x, LENGTHS)
    score, states = model.decode(x, LENGTHS)
    found = model.path_expectation(sequences)
    assert found.log_likelihood == pytest.approx(score)
    paths = np.split(states, np.cumsum(LENGTHS)[:-1])
    runs = [[(state, len(list(group))) for state, group in groupby(path)] for path in paths]
    follow, lasting = np.zeros((STATES, STATES)), np.zeros((STATES, 4))
    for row in runs:
        for (state, frames), (after, _) in pairwise(row):
            follow[state, after] += 1
            lasting[state, frames - 1] += 1
        state, frames = row[-1]
        share = model.durations_[state] * (np.arange(4) >= frames - 1) if censored else np.eye(4)[frames - 1]
        lasting[state] += share / share.sum()
    np.testing.assert_allclose(found.counts.initial, np.bincount([row[0][0] for row in runs], minlength=STATES))
    np.testing.assert_allclose(found.counts.transitions, follow, atol=1e-12)
    np.testing.assert_allclose(found.statistics["durations"], lasting, atol=1e-9)
    np.testing.assert_allclose(found.statistics["post"], np.bincount(states, minlength=STATES), atol=1e-9)


@pytest.mark.parametrize("kind", ["gamma", "categorical"])
def test_viterbi_training_raises_the_score_of_the_best_paths(kind: str) -> None:
    model, x = model_of(kind, fit_method="viterbi", n_iter=8, tol=-np.inf), observations(40)
    history = model.fit(x, LENGTHS).monitor_.history
    assert min(np.diff(history)) > -1e-9
    assert model.decode(x, LENGTHS)[0] >= history[-1] - 1e-9


def test_one_batch_is_em() -> None:
    whole, batch, x = model_of("negative-binomial"), model_of("negative-binomial"), observations(40)
    whole.fit(x, LENGTHS)
    batch.fit_batches([(x, LENGTHS)])
    for one, other in zip(whole.parameters(), batch.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_batches_raise_the_likelihood() -> None:
    model, x = model_of("gamma"), observations(40)
    before = model.score(x, LENGTHS)
    batches = np.split(x, np.cumsum(LENGTHS)[:-1])
    model.fit_batches(batches, n_passes=3).partial_fit(batches[0])
    assert model.score(x, LENGTHS) > before


def test_the_best_start_is_kept() -> None:
    x, scores = observations(40), []
    for n_init in (1, 4):
        model = HSMM(GaussianHMM(2), max_duration=9, n_init=n_init, n_iter=5, tol=-np.inf, random_state=1)
        scores.append(model.fit(x, LENGTHS).score(x, LENGTHS))
    assert scores[1] >= scores[0]
