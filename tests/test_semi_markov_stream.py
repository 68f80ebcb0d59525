"""Semi-Markov models on chunks: what all segmentations of the frames so far tell, and the same as on the whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from segment_oracle import enumerate_model
from test_model_stream import heard
from test_semi_markov_model import FRAMES, SHAPES, model_of, observations

from streamhmm.models import HSMM, CategoricalHMM, Topology
from streamhmm.models.ages import AgeChain

CASES = [(shape, censored) for shape in SHAPES for censored in (True, False)]


def posteriors_so_far(model: HSMM, scores: np.ndarray) -> np.ndarray:
    """Of the last segment it is not known yet whether, or where, it ends."""
    going_on = HSMM(model.emissions, durations="categorical", max_duration=model.max_duration)
    going_on.chain, going_on.duration = model.chain, model.duration
    ends, topology = going_on.chain.topology.last, going_on.chain.topology
    object.__setattr__(topology, "last", torch.ones_like(ends))
    found = enumerate_model(going_on, scores).posteriors
    object.__setattr__(topology, "last", ends)
    return found


@pytest.mark.parametrize(("shape", "censored"), CASES)
@pytest.mark.parametrize("lag", [1, 3])
def test_a_stream_tells_what_all_segmentations_so_far_tell(shape: str, censored: bool, lag: int) -> None:
    model, x = model_of("categorical", shape, censored), observations()
    scores = model.emission.scores(torch.from_numpy(x)).detach().numpy()
    filtered, smoothed, states = heard(model, x, 2, lag=lag)
    for frame in range(FRAMES):
        so_far = posteriors_so_far(model, scores[: frame + 1])
        np.testing.assert_allclose(filtered[frame], so_far[frame], atol=1e-12)
        end = frame + lag + 1
        whole = end >= FRAMES
        wanted = enumerate_model(model, scores).posteriors if whole else posteriors_so_far(model, scores[:end])
        np.testing.assert_allclose(smoothed[frame], wanted[frame], atol=1e-12)
    assert states.tolist() == enumerate_model(model, scores).path


@pytest.mark.parametrize(("shape", "censored"), CASES)
@pytest.mark.parametrize("kind", ["gamma", "categorical"])
def test_chunks_tell_what_the_whole_tells(kind: str, shape: str, censored: bool) -> None:
    model = model_of(kind, shape, censored, max_duration=15)
    x = model.sample(12 if shape == "left to right" else 40, 3)[0]
    whole = heard(model, x, len(x), lag=5)
    np.testing.assert_array_equal(whole[2], model.predict(x))
    np.testing.assert_allclose(whole[1][-6:], model.predict_proba(x)[-6:], atol=1e-10)
    for size in (1, len(x) - 1, len(x) + 1):
        for one, other in zip(heard(model, x, size, lag=5), whole, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-10)


def test_full_lag_is_the_whole_posterior() -> None:
    model = model_of("gamma")
    x = model.sample(60, 1)[0]
    np.testing.assert_allclose(heard(model, x, 7, lag=59)[1], model.predict_proba(x), atol=1e-10)


def test_a_long_stream_decides_as_the_whole_does() -> None:
    model = model_of("negative-binomial", max_duration=30)
    with torch.no_grad():
        model.duration.begin(torch.tensor([4.0, 9.0, 15.0]))
    x = model.sample(1500, 4)[0]
    stream = model.stream()
    decided = [stream.push(x[frame : frame + 50]).states for frame in range(0, 1500, 50)]
    assert sum(map(len, decided)) > 1300
    np.testing.assert_array_equal(np.concatenate([*decided, stream.finish().states]), model.predict(x))
    late = model.stream(max_lag=20)
    assert [len(late.push(x[frame : frame + 1]).states) for frame in range(100)].count(0) <= 40
    assert len(late.finish().states) <= 20


def test_a_segment_that_goes_on_is_not_ended() -> None:
    model = HSMM(CategoricalHMM(2, n_features=2), durations="categorical", max_duration=4)
    model.emissionprob_ = np.full((2, 2), 0.5)  # nothing is seen
    model.startprob_, model.durations_ = [1, 0], [[0, 0, 0.25, 0.75], [0, 1, 0, 0]]
    filtered, _, states = heard(model, np.zeros((4, 1)), 1)
    np.testing.assert_allclose(filtered[:, 0], [1, 1, 1, 0.75])
    assert states.tolist() == [0, 0, 0, 0]
    model.set_params(censored=False)
    assert model.stream().push(np.zeros((2, 1))).filtered[:, 0].tolist() == [1, 1]
    assert model.score(np.zeros((2, 1))) == -np.inf


def test_impossible_frames_are_told() -> None:
    model = HSMM(CategoricalHMM(2, n_features=2), durations="categorical", max_duration=2)
    model.emissionprob_ = np.eye(2)
    filtered, _, states = heard(model, [[0], [0], [0], [1]], 1)  # three frames in a state of two
    np.testing.assert_allclose(filtered, [[1, 0], [1, 0], [0, 0], [0, 0]])
    assert states.tolist() == [0, 0, -1, -1]  # what was decided stays
    assert model.predict([[0], [0], [0], [1]]).tolist() == [-1] * 4


def test_the_chain_of_ages_has_only_what_can_be() -> None:
    topology = Topology.of([[0, 1, 0], [0, 0, 1], [0, 0, 0]])
    model: Any = HSMM(CategoricalHMM(3), topology=topology, durations="gamma", max_duration=[1, 5, 3])
    ages = model.stream_chain()
    assert isinstance(ages, AgeChain)
    assert (ages.n_states, ages.graph().num_arcs) == (1 + 5 + 3, 0 + 4 + 2 + 1 + 5)
    assert ages.pdfs.tolist() == [0, 1, 1, 1, 1, 1, 2, 2, 2]
    assert ages.ends_anywhere
    step = ages.step(torch.eye(9, dtype=torch.float64)[0])
    assert step.tolist() == [0, 1, 0, 0, 0, 0, 0, 0, 0]
