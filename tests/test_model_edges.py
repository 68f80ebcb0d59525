"""Models where something is missing, empty, out of reach or changed underway."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from model_cases import close, drawn, known, make, valid

from streamhmm.models import HSMM, CategoricalHMM, GaussianHMM, Topology, load, save
from streamhmm.models.chain import ChainCounts


def test_viterbi_training_counts_nothing_of_a_sequence_without_frames() -> None:
    x, _ = drawn("diag")
    whole = known("diag", fit_method="viterbi").fit(x, [60, 40])
    found = known("diag", fit_method="viterbi").fit(x, [60, 0, 40])
    assert np.isfinite(found.monitor_.history).all()
    assert found.monitor_.history == whole.monitor_.history


def test_priors_that_leave_nothing_leave_the_first_probabilities() -> None:
    x, _ = drawn("diag")
    model = known("diag", startprob_prior=0.0, n_iter=1).fit(x)  # one sequence: every count is below 1
    np.testing.assert_allclose(model.startprob_, [0.5, 0.3, 0.2], rtol=1e-12)


def test_priors_of_tied_transitions_are_pooled_before_they_are_cut_off() -> None:
    """Ties of all loops and of all others: the M step is that of two numbers, with the sums of counts and priors."""
    ties = 1 - np.eye(3, dtype=int)
    topology = Topology.of(np.ones((3, 3)), ties=ties)
    model = GaussianHMM(3, topology=topology, n_features=2)
    counts, prior = torch.tensor([[5, 0.1, 2], [0.2, 6, 0.3], [1, 0.4, 4]], dtype=torch.float64), 0.5
    model.chain.maximise(ChainCounts(torch.ones(3), counts), torch.tensor(1.0), torch.tensor(prior), "t")
    loops, others = 15.0 + 3 * (prior - 1), 4.0 + 6 * (prior - 1)
    loop = loops / 3 / (loops / 3 + 2 * others / 6)
    np.testing.assert_allclose(model.transmat_, np.where(np.eye(3), loop, (1 - loop) / 2), rtol=1e-12)


def test_the_first_state_is_one_that_the_topology_has() -> None:
    model = GaussianHMM(3, topology=Topology.left_to_right(3))
    with pytest.raises(ValueError, match="startprob_ must be 0 where the topology lets no sequence begin"):
        model.startprob_ = [0.5, 0.5, 0.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"first": [0, 0]}, "first must be true of a state at least, got none"),
        ({"last": [0, 0]}, "last must be true of a state at least, got none"),
        ({"pdfs": [-1, 0]}, "pdfs must be at least 0, got -1"),
        ({"pdfs": [0]}, r"pdfs must have shape \(2,\), got \(1,\)"),
        ({"pdfs": [[0, 1], [1, 0]]}, r"pdfs must have shape \(2,\), got \(2, 2\)"),
    ],
)
def test_topologies_that_no_sequence_fits_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Topology.of(np.ones((2, 2)), **arguments)


def test_no_state_is_skipped_less_than_none() -> None:
    with pytest.raises(ValueError, match="skip must be at least 0 states, got -1"):
        Topology.left_to_right(3, skip=-1)


def test_one_dimension_gets_a_hint() -> None:
    with pytest.raises(ValueError, match=r"got shape \(5,\); one feature is X\[:, None\], one frame X\[None\]"):
        GaussianHMM(2).fit(np.zeros(5))


def test_bic_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="X must have rows that show something, got none"):
        known("diag").bic(np.zeros((0, 2)))


@pytest.mark.parametrize("tensor", [False, True])
def test_results_are_as_wide_as_padded_observations(tensor: bool) -> None:
    model, x = known("diag"), drawn("diag", 40)[0].reshape(2, 20, 2)
    given = torch.from_numpy(x) if tensor else x
    states, chances = np.asarray(model.predict(given, [7, 5])), np.asarray(model.predict_proba(given, [7, 5]))
    assert (states.shape, chances.shape) == ((2, 20), (2, 20, 3))
    assert set(states[0, 7:]) | set(states[1, 5:]) == {-1}
    assert not chances[1, 5:].any()
    np.testing.assert_array_equal(states[1, :5], model.predict(x[1, :5]))
    np.testing.assert_allclose(chances[0, :7], model.predict_proba(x[0, :7]), atol=1e-12)
    assert np.shape(model.decode(given, [7, 5], algorithm="map")[1]) == (2, 20)


def test_no_sequences_have_no_results() -> None:
    model = known("diag")
    assert model.log_prob(np.zeros((0, 5, 2))).shape == (0,)
    assert model.predict(np.zeros((0, 5, 2))).shape == (0, 5)
    assert model.predict_proba(np.zeros((0, 2)), []).shape == (0, 3)
    with pytest.raises(ValueError, match="X must have rows to learn from, got none"):
        model.fit(np.zeros((0, 2)), [])


def test_a_stream_is_of_one_sequence() -> None:
    with pytest.raises(ValueError, match=r"X must be \(n, D\), got several sequences"):
        known("diag").stream().push(np.zeros((2, 5, 2)))


def test_a_loaded_model_takes_another_number_of_states(tmp_path: Path) -> None:
    x, _ = drawn("diag")
    for model in (known("diag"), HSMM(make("diag"), max_duration=5, n_iter=1, random_state=0).fit(x)):
        save(model, tmp_path / "model.safetensors")
        found = load(tmp_path / "model.safetensors")
        assert found.topology is None
        assert found.score(x) == model.score(x)
    save(known("diag"), tmp_path / "model.safetensors")
    found = load(tmp_path / "model.safetensors").set_params(n_components=2, random_state=0, init_params="stmc")
    assert found.fit(x).means_.shape == (2, 2)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("covariance_type", "round"),
        ("n_components", 0),
        ("algorithm", "best"),
        ("missing", "ignore"),
        ("fit_method", "guess"),
        ("n_init", 0),
        ("topology", Topology.left_to_right(2)),
        ("no_such", 1),
    ],
)
def test_a_setting_that_is_refused_changes_nothing(name: str, value: Any) -> None:
    model, x = known("diag"), drawn("diag")[0]
    score, before = model.score(x), model.get_params()
    with pytest.raises(ValueError, match=name):
        model.set_params(n_iter=99, **{name: value})
    assert model.get_params() == before
    assert model.score(x) == score


@pytest.mark.parametrize("name", ["categorical", "poisson", "diag", "full", "mixture diag"])
def test_models_of_another_dtype_learn_in_that(name: str) -> None:
    x, _ = drawn(name)
    model = make(name, n_iter=2, random_state=0).to(torch.float32)
    assert model.dtype == torch.float32
    valid(model.fit(x))
    assert {each.dtype for each in model.parameters()} == {torch.float32}
    model.set_params(n_components=2).fit(x)
    assert {each.dtype for each in model.parameters()} == {torch.float32}


def test_models_stay_on_their_device_when_shapes_change() -> None:
    assert known("diag").to("meta").set_params(n_components=2).chain.initial_logits.device.type == "meta"


def test_partial_fit_after_fit_starts_from_what_that_found() -> None:
    x, _ = drawn("diag")
    model = known("diag").partial_fit(x + 100).fit(x)
    fresh = known("diag")
    fresh.load_state_dict(model.state_dict())
    close(model.partial_fit(x), fresh.partial_fit(x))


def test_partial_fit_makes_a_first_guess_where_only_shapes_are_known() -> None:
    x, _ = drawn("diag")
    model = make("diag", n_features=2, random_state=0).partial_fit(x)
    close(model, make("diag", random_state=0).partial_fit(x))
    assert len(np.unique(model.means_[:, 0])) == 3


def test_samples_end_where_nothing_follows() -> None:
    model = CategoricalHMM(2, topology=Topology.of([[0, 1], [0, 0]], first=[1, 0]), n_features=3)
    x, states = model.sample(5, random_state=0)
    assert x.shape == (2, 1)
    assert states.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_samples": -1}, "n_samples must be at least 0, got -1"),
        ({"currstate": 3}, "currstate must be in 0 … 2, got 3"),
        ({"currstate": -1}, "currstate must be in 0 … 2, got -1"),
    ],
)
def test_samples_of_no_number_or_state_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        known("diag").sample(**arguments)
