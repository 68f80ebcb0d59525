"""HSMM against the list of all segmentations, and against the HMM that it is with geometric durations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from segment_oracle import Listed, enumerate_model

from streamhmm.models import HSMM, CategoricalHMM, GaussianHMM, Topology, hmm
from streamhmm.models.durations import KINDS, Durations

STATES, FRAMES, LONGEST = 3, 6, 4
SHAPES: dict[str, Any] = {
    "ergodic": None,
    "left to right": Topology.left_to_right(STATES, skip=1),
    "some last": Topology.of(torch.ones(STATES, STATES), last=[0, 1, 1]),
}
ALL = [(kind, shape, censored) for kind in KINDS for shape in SHAPES for censored in (True, False)]


def model_of(kind: str, shape: str = "ergodic", censored: bool = True, **options: Any) -> HSMM:
    """Random parameters."""
    rng = np.random.RandomState(len(kind) + len(shape))
    given: dict[str, Any] = {"max_duration": LONGEST, "topology": SHAPES[shape], "init_params": "", "n_iter": 1}
    emissions = GaussianHMM(STATES, n_features=2, init_params="", covars_weight=0, covars_prior=0)
    model = HSMM(emissions, durations=kind, censored=censored, **given | options)
    allowed, first = (each.numpy() for each in (model.chain.topology.allowed, model.chain.topology.first))
    follow = rng.rand(STATES, STATES) * allowed
    model.transmat_ = follow / np.where(allowed.any(1), follow.sum(1), 1)[:, None]
    start = first * rng.rand(STATES)
    model.startprob_ = start / start.sum()
    model.duration.begin(torch.tensor([1.5, 2.0, 2.5]))
    if kind == "categorical":
        model.durations_ = rng.dirichlet(np.ones(model.duration.width), STATES)
    model.means_ = rng.randn(STATES, 2)
    return model


def observations(frames: int = FRAMES, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).randn(frames, 2)


def listed_of(model: HSMM, x: np.ndarray) -> Listed:
    return enumerate_model(model, model.emission.scores(torch.from_numpy(x)).detach().numpy())


@pytest.mark.parametrize(("kind", "shape", "censored"), ALL)
def test_what_all_segmentations_tell(kind: str, shape: str, censored: bool) -> None:
    model, x = model_of(kind, shape, censored), observations()
    listed = listed_of(model, x)
    assert model.score(x) == pytest.approx(listed.log_likelihood, rel=1e-12)
    score, path = model.decode(x)
    assert score == pytest.approx(listed.score, rel=1e-12)
    assert path.tolist() == listed.path
    np.testing.assert_allclose(model.predict_proba(x), listed.posteriors, atol=1e-12)
    assert model.decode(x, algorithm="map")[0] == pytest.approx(listed.posteriors.max(1).sum())
    found = model.expectation(model._sequences(x, None))
    assert found.log_likelihood == pytest.approx(listed.log_likelihood, rel=1e-12)
    np.testing.assert_allclose(found.counts.initial, listed.initial, atol=1e-12)
    np.testing.assert_allclose(found.counts.transitions, listed.transitions, atol=1e-12)
    np.testing.assert_allclose(found.statistics["durations"], listed.durations, atol=1e-12)
    np.testing.assert_allclose(found.statistics["obs"], listed.posteriors.T @ x, atol=1e-12)


@pytest.mark.parametrize("censored", [True, False])
def test_a_state_alone_follows_itself(censored: bool) -> None:
    model = HSMM(GaussianHMM(1, n_features=2), durations="categorical", max_duration=3, censored=censored)
    model.durations_ = [[0.2, 0.5, 0.3]]
    listed = listed_of(model, observations())
    assert model.score(observations()) == pytest.approx(listed.log_likelihood, rel=1e-12)
    found = model.expectation(model._sequences(observations(), None))
    np.testing.assert_allclose(found.counts.transitions, listed.transitions, atol=1e-12)
    np.testing.assert_allclose(found.statistics["durations"], listed.durations, atol=1e-12)


@pytest.mark.parametrize("censored", [True, False])
def test_one_iteration_is_the_naive_one(censored: bool) -> None:
    model, parts = model_of("categorical", censored=censored), [observations(6, 1), observations(4, 2)]
    listed = [listed_of(model, x) for x in parts]
    initial, follow, lasting = (sum(getattr(each, key) for each in listed) for key in Listed._fields[4:])
    weights, x = np.concatenate([each.posteriors for each in listed]), np.concatenate(parts)
    model.fit(x, [6, 4])
    assert model.monitor_.history == [pytest.approx(sum(each.log_likelihood for each in listed), rel=1e-12)]
    np.testing.assert_allclose(model.startprob_, initial / initial.sum(), rtol=1e-9)
    np.testing.assert_allclose(model.transmat_, follow / follow.sum(1, keepdims=True), rtol=1e-9)
    np.testing.assert_allclose(model.durations_, lasting / lasting.sum(1, keepdims=True), rtol=1e-9)
    means = weights.T @ x / weights.sum(0)[:, None]
    np.testing.assert_allclose(model.means_, means, rtol=1e-9)
    spread = np.stack([weights[:, s] @ (x - means[s]) ** 2 / weights[:, s].sum() for s in range(STATES)])
    np.testing.assert_allclose(model.covars_, spread, rtol=1e-9)


@pytest.mark.parametrize("censored", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_no_iteration_lowers_the_likelihood(kind: str, censored: bool) -> None:
    model = model_of(kind, "some last", censored, n_iter=12, tol=-np.inf)
    x = np.concatenate([observations(9, seed) for seed in range(6)])
    history = model.fit(x, [9] * 6).monitor_.history
    assert len(history) == 12
    assert min(np.diff(history)) > -1e-9
    assert model.score(x, [9] * 6) >= history[-1] - 1e-9


def test_a_prior_counts_as_segments_seen() -> None:
    model, x = model_of("categorical", durations_prior=np.full((STATES, LONGEST), 3.0)), observations()
    lasting = listed_of(model, x).durations + 2
    model.fit(x)
    np.testing.assert_allclose(model.durations_, lasting / lasting.sum(1, keepdims=True), rtol=1e-9)


@pytest.mark.parametrize("stay", [0.3, 0.8])
def test_geometric_durations_make_an_hmm(stay: float) -> None:
    rng = np.random.RandomState(2)
    plain = GaussianHMM(STATES, n_features=2)
    plain.means_ = rng.randn(STATES, 2)
    follow = rng.rand(STATES, STATES) * (1 - np.eye(STATES))
    follow /= follow.sum(1, keepdims=True)
    plain.startprob_, plain.transmat_ = [0.2, 0.5, 0.3], stay * np.eye(STATES) + (1 - stay) * follow
    model = HSMM(plain, durations="geometric", max_duration=200)
    model.startprob_, model.transmat_ = plain.startprob_, follow
    model.durations_ = np.tile(np.diff(-(stay ** np.arange(201.0))) / (1 - stay**200), (STATES, 1))
    x = plain.sample(150, 3)[0]
    assert model.score(x) == pytest.approx(plain.score(x), rel=1e-10)
    assert model.decode(x)[0] == pytest.approx(plain.decode(x)[0], rel=1e-10)
    np.testing.assert_array_equal(model.predict(x), plain.predict(x))
    np.testing.assert_allclose(model.predict_proba(x), plain.predict_proba(x), atol=1e-9)
    np.testing.assert_allclose(model.get_stationary_distribution(), plain.get_stationary_distribution(), atol=1e-9)


@pytest.mark.parametrize("censored", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_the_slopes(kind: str, censored: bool) -> None:
    model, x = model_of(kind, censored=censored), observations()
    model.log_prob(x).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        for index in np.ndindex(*parameter.shape):
            ends = []
            for step in (1e-5, -1e-5):
                with torch.no_grad():
                    parameter[index] += step
                    ends.append(model.score(x))
                    parameter[index] -= step
            assert parameter.grad[index].item() == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-6), name


def test_gradient_descent_raises_the_likelihood() -> None:
    model, x = model_of("gamma"), observations(30)
    before = model.score(x)
    for _ in range(20):
        loss = -model.log_prob(x).mean()
        for parameter, slope in zip(
            model.parameters(), torch.autograd.grad(loss, list(model.parameters())), strict=True
        ):
            parameter.data -= 0.02 * slope
    assert model.score(x) > before + 1


def test_states_may_share_their_emissions() -> None:
    topology = Topology.of(torch.ones(3, 3), pdfs=[0, 1, 0])
    model = HSMM(CategoricalHMM(2, n_features=2), topology=topology, durations="categorical", max_duration=3)
    model.emissionprob_ = np.eye(2)
    model.durations_ = [[0, 1, 0], [0, 1, 0], [0, 0, 1]]  # 0 twice, 1 twice, 0 thrice
    x = [[0], [0], [1], [1], [0], [0], [0], [1]]
    assert model.predict(x).tolist() == [0, 0, 1, 1, 0, 0, 0, 1]
    np.testing.assert_allclose(model.predict_proba(x), np.eye(2)[np.ravel(x)])
    assert model.score(x) == pytest.approx(np.log(1 / 3) + 3 * np.log(1 / 2))


def test_blocks_hold_as_much_and_tell_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of("gamma")
    lengths = [5, 1, 12, 3, 8]
    sequences = model._sequences(observations(29), lengths)
    whole = model.expectation(sequences)
    monkeypatch.setattr(hmm, "BLOCK_CELLS", 2 * STATES * 13)
    assert [part.lengths.tolist() for part in model._blocks(sequences)] == [[5, 1], [12], [3], [8]]
    parts = model.expectation(sequences)
    assert parts.log_likelihood == pytest.approx(whole.log_likelihood)
    for one, other in zip(parts.counts, whole.counts, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)
    for name, one in parts.statistics.items():
        np.testing.assert_allclose(one, whole.statistics[name], atol=1e-12)


@pytest.mark.parametrize("kind", ["negative-binomial", "gamma"])
def test_single_precision_keeps_steep_durations(kind: str) -> None:
    single = Durations(kind, 1, 100, torch.float32)
    with torch.no_grad():
        single.raw.copy_(torch.tensor([[3.0, 12.0]]))
    double = Durations(kind, 1, 100, torch.float64)
    double.load_state_dict(single.state_dict())
    torch.testing.assert_close(single.table().double(), double.table(), rtol=1e-6, atol=1e-6)


def test_durations_of_no_probability_are_refused() -> None:
    with pytest.raises(ValueError, match="durations_ must be probabilities for each state, got none for 1"):
        model_of("categorical").durations_ = np.eye(STATES, LONGEST) * [[1], [0], [1]]
    with pytest.raises(ValueError, match=r"durations_prior must be a number, or of shape \(3, 4\), got shape \(2, 2\)"):
        model_of("categorical", durations_prior=np.ones((2, 2))).fit(observations())
