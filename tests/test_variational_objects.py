"""Variational models as objects: files, clones, batches, streams, missing symbols, long sequences, errors."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from test_model_variational import KINDS, LENGTHS, bound, every_model, log_evidence, symbols, vectors

from streamhmm import models
from streamhmm.models import HSMM, Topology, VariationalCategoricalHMM, VariationalGaussianHMM, hmm, long_sequence

POSTERIORS = {
    VariationalCategoricalHMM: ("startprob", "transmat", "emissionprob"),
    VariationalGaussianHMM: ("startprob", "transmat", "means", "beta", "dof", "scale"),
}


def assert_same(one: Any, other: Any, rtol: float = 1e-9) -> None:
    for name in POSTERIORS[type(one)]:
        values = (getattr(each, f"{name}_posterior_") for each in (one, other))
        np.testing.assert_allclose(*values, rtol=rtol, err_msg=name)


def test_a_model_from_a_file_goes_on_as_the_one_that_was_saved(tmp_path: Path) -> None:
    for model, x in every_model(n_iter=3, startprob_prior=np.full(1, 0.7), tol=-np.inf):
        models.save(model.fit(x, LENGTHS), tmp_path / "model.safetensors")
        others = models.load(tmp_path / "model.safetensors"), copy.deepcopy(model)
        for other in others:
            assert_same(other, model, rtol=0)
            assert other.score(x, LENGTHS) == model.score(x, LENGTHS)
            assert other.lower_bound(x, LENGTHS) == model.lower_bound(x, LENGTHS)
        histories = [each.set_params(init_params="").fit(x, LENGTHS).monitor_.history for each in (model, *others)]
        assert histories[0] == histories[1] == histories[2]


def test_clones_learn_the_same() -> None:
    for model, x in every_model(n_iter=3):
        other = clone(model.fit(x))
        assert other.get_params() == model.get_params()
        assert not hasattr(other, "emission")
        assert_same(other.fit(x), model, rtol=0)


def test_the_bound_of_the_history_is_the_one_that_can_be_asked() -> None:
    for model, x in every_model(n_iter=4, tol=-np.inf):
        value = model.fit(x, LENGTHS).lower_bound(x, LENGTHS)
        again = model.set_params(init_params="", n_iter=1).fit(x, LENGTHS)
        assert again.monitor_.history == [pytest.approx(value, rel=1e-12)]


def test_padded_sequences_tensors_and_single_precision_give_the_same() -> None:
    for model, x in every_model(n_iter=5, tol=-np.inf):
        model.fit(x, [100] * 4)
        padded = clone(model).fit(torch.from_numpy(x).reshape(4, 100, -1))
        assert_same(padded, model)
        single = clone(model).set_params(dtype=torch.float32).fit(x, [100] * 4)
        assert single.startprob_posterior_.dtype == np.float32
        np.testing.assert_allclose(single.monitor_.history, model.monitor_.history, rtol=1e-4)


def test_one_batch_that_is_all_the_data_is_the_same_as_fit() -> None:
    for model, x in every_model(n_iter=4, tol=-np.inf):
        other = clone(model).fit_batches([(x, LENGTHS)], 4, decay=0)
        assert_same(other, model.fit(x, LENGTHS))


def test_batches_after_a_fit_on_other_data_go_on_where_the_batches_ended() -> None:
    for model, x in every_model(n_iter=1):
        if isinstance(model, VariationalGaussianHMM):
            before = model.fit_batches([x[:200]], decay=0)
            after = copy.deepcopy(before)
            after.emission.origin += 3.0  # as another fit does
            for each in (before, after):
                each.means_prior = 0.5
                each.partial_fit(x[200:], decay=0.5)
            assert_same(after, before, rtol=1e-8)


@pytest.mark.parametrize("method", ["em", "viterbi"])
def test_long_sequences_are_cut(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    for model, x in every_model(n_iter=3, fit_method=method, tol=-np.inf):
        whole = clone(model).fit(x)
        with monkeypatch.context() as patch:
            patch.setattr(hmm, "WHOLE_CELLS", 0)
            patch.setattr(long_sequence, "SEGMENT_CELLS", 120)
            model.fit(x)
        np.testing.assert_allclose(model.monitor_.history, whole.monitor_.history, rtol=1e-9)
        assert_same(model, whole, rtol=1e-7)


def test_streams_tell_what_the_mean_of_the_posterior_tells() -> None:
    for model, x in every_model(n_iter=5):
        stream = model.fit(x).stream()
        heard = [stream.push(part) for part in (x[:7], x[7:60])]
        np.testing.assert_allclose(heard[-1].filtered[-1], model.predict_proba(x[:60])[-1], atol=1e-9)


def test_samples_are_of_the_mean_of_the_posterior() -> None:
    x, states = vectors()
    model = VariationalGaussianHMM(3, covariance_type="tied").fit_supervised(x, states)
    drawn, path = model.sample(4000, random_state=0)
    for state in range(3):
        np.testing.assert_allclose(drawn[path == state].mean(0), model.means_[state], atol=0.15)
    assert isinstance(float(model.dof_posterior_), float)
    np.testing.assert_allclose(model.covars_, model.scale_posterior_ / model.dof_posterior_)


def test_missing_symbols_are_no_evidence() -> None:
    x = symbols().astype(float)
    x[::3] = np.nan
    model = VariationalCategoricalHMM(1, emissionprob_prior=0.7, missing="marginal", n_iter=3).fit(x)
    counts = np.bincount(x[~np.isnan(x)].astype(int))
    np.testing.assert_allclose(model.emissionprob_posterior_, [0.7 + counts])
    assert bound(model) == pytest.approx(log_evidence(counts[None], 0.7), abs=1e-8)


def test_copies_of_a_state_share_its_posterior() -> None:
    topology = Topology.ergodic(3).with_least_duration(2)
    x = vectors()[0]
    model = VariationalGaussianHMM(3, topology=topology, random_state=0, scale_prior=1.0).fit(x)
    assert model.transmat_posterior_.shape == (6, 6)
    assert model.beta_posterior_.sum() == pytest.approx(3 + len(x))
    assert np.diff(model.monitor_.history).min() > -1e-9 * abs(bound(model))


GAUSSIAN: list[tuple[dict[str, Any], str]] = [
    ({"beta_prior": 0}, "beta_prior must be above 0 and finite, got 0.0"),
    ({"startprob_prior": -1.0}, "startprob_prior must be above 0 and finite, got -1.0"),
    ({"transmat_prior": np.ones(3)}, r"transmat_prior must be a number, or of shape \(2, 2\), got shape \(3,\)"),
    ({"dof_prior": 1}, "dof_prior must be above 1, n_features - 1, got 1.0"),
    ({"scale_prior": -np.eye(2)}, "scale_prior must be above 0, or positive definite matrices"),
    ({"scale_prior": 0, "covariance_type": "diag"}, "scale_prior must be above 0, or positive definite matrices"),
    ({"missing": "marginal"}, "missing must be 'error' for VariationalGaussianHMM, got 'marginal'"),
]


@pytest.mark.parametrize(("given", "message"), GAUSSIAN)
def test_settings_that_make_no_prior_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VariationalGaussianHMM(2, **given).fit(vectors()[0])


SET: list[tuple[str, Any, str]] = [
    ("startprob_posterior_", [1.0, 0.0], "startprob_posterior_ must be above 0 and finite, got 0.0"),
    ("transmat_posterior_", np.ones((2, 3)), r"transmat_posterior_ must have shape \(2, 2\), got \(2, 3\)"),
    ("beta_posterior_", [1.0, -2.0], "beta_posterior_ must be above 0, got -2.0"),
    ("beta_posterior_", [1.0], r"beta_posterior_ must have shape \(2,\), got \(1,\)"),
    ("dof_posterior_", [3.0, 0.5], "dof_posterior_ must be above 1, n_features - 1, got 0.5"),
    ("dof_posterior_", [3.0, 3.0, 3.0], r"dof_posterior_ must have shape \(2,\), got \(3,\)"),
    ("scale_posterior_", np.ones((2, 2)), r"scale_posterior_ must have shape \(2, 2, 2\), got \(2, 2\)"),
    ("scale_posterior_", np.zeros((2, 2, 2)), "scale_posterior_ must be above 0, or positive definite matrices"),
    ("means_posterior_", np.ones((3, 2)), r"means_posterior_ must have shape \(2, 2\), got \(3, 2\)"),
]


@pytest.mark.parametrize(("name", "value", "message"), SET)
def test_values_that_are_no_posterior_are_refused(name: str, value: Any, message: str) -> None:
    model = VariationalGaussianHMM(2, n_features=2)
    with pytest.raises(ValueError, match=message):
        setattr(model, name, value)


def test_other_errors() -> None:
    model = VariationalCategoricalHMM(2, n_features=3)
    with pytest.raises(ValueError, match=r"emissionprob_posterior_ must be above 0 and finite, got 0\.0"):
        model.emissionprob_posterior_ = np.zeros((2, 3))
    for name in ("startprob_", "transmat_"):
        with pytest.raises(AttributeError, match=f"{name} is the mean of a posterior; set {name[:-1]}_posterior_"):
            setattr(model, name, np.ones(2) / 2)
    with pytest.raises(ValueError, match=f"covariance_type must be one of {', '.join(KINDS)}, got 'round'"):
        VariationalGaussianHMM(2, covariance_type="round")
    with pytest.raises(TypeError, match=r"emissions must be a model such as GaussianHMM\(4\), got Variational"):
        HSMM(VariationalGaussianHMM(2))
