"""Models on chunks: the same as on the whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from test_model_topology import TOPOLOGIES, model_of

from streamhmm import filter as filtered_posteriors
from streamhmm import smooth
from streamhmm.models import GaussianHMM


def heard(model: Any, x: np.ndarray, size: int, **options: Any) -> list[np.ndarray]:
    """What a stream tells, put together."""
    stream = model.stream(**options)
    parts = [stream.push(x[begin : begin + size]) for begin in range(0, len(x), size)]
    return [np.concatenate(each) for each in zip(*parts, stream.finish(), strict=True)]


@pytest.mark.parametrize("name", TOPOLOGIES)
@pytest.mark.parametrize("size", [1, 3, 39, 40, 41])
@pytest.mark.parametrize("lag", [0, 1, 5, 39, 60])
def test_chunks_tell_what_the_whole_tells(name: str, size: int, lag: int) -> None:
    model = model_of(TOPOLOGIES[name])
    x = model.sample(40, 3)[0]
    with torch.no_grad():
        scores, graph = model.emission.scores(torch.from_numpy(x)), model.chain.graph()
    filtered, smoothed, states = heard(model, x, size, lag=lag)
    np.testing.assert_allclose(filtered, filtered_posteriors(scores, graph, by="pdf").numpy(), atol=1e-12)
    np.testing.assert_allclose(smoothed, smooth(scores, graph, by="pdf", lag=lag).numpy(), atol=1e-12)
    np.testing.assert_array_equal(states, model.predict(x))


def test_states_are_decided_after_max_lag() -> None:
    model = model_of(TOPOLOGIES["ergodic"])
    stream = model.stream(max_lag=4)
    x = model.sample(50, 3)[0]
    for frame in range(50):
        decided = stream.push(x[frame : frame + 1])
        assert decided.smoothed.shape == (0, 3)
        assert decided.filtered.sum() == pytest.approx(1)
    assert len(stream.finish().states) <= 4


def test_wrong_streams_are_refused() -> None:
    model = model_of(TOPOLOGIES["ergodic"])
    with pytest.raises(ValueError, match="lag must be at least 0 frames, got -1"):
        model.stream(lag=-1)
    with pytest.raises(ValueError, match="the model has no emissions yet"):
        GaussianHMM(2).stream()
    stream = model.stream()
    with pytest.raises(ValueError, match="X must hold symbols below 3, got 3"):
        stream.push([[3]])
    assert stream.push(np.zeros((0, 1))).filtered.shape == (0, 3)
    with pytest.raises(ValueError, match=r"X must be \(n, D\), got several sequences; give each a stream of its own"):
        stream.push(np.zeros((2, 3, 1)))
    stream.finish()
    for call in (lambda: stream.push(np.zeros((1, 1))), lambda: stream.push(np.zeros((0, 1))), stream.finish):
        with pytest.raises(ValueError, match="the stream has ended: finish was called"):
            call()


def test_a_stream_goes_on_with_the_parameters_that_it_began_with() -> None:
    model = GaussianHMM(2, n_features=1)
    model.means_, model.transmat_ = [[0.0], [1.0]], [[0.8, 0.2], [0.3, 0.7]]
    x = model.sample(20, 0)[0]
    wanted = heard(model, x, 20, lag=3)
    stream = model.stream(lag=3)
    parts = [stream.push(x[:10])]
    model.means_, model.transmat_ = [[7.0], [-3.0]], [[0.1, 0.9], [0.9, 0.1]]
    parts += [stream.push(x[10:]), stream.finish()]
    for one, other in zip(zip(*parts, strict=True), wanted, strict=True):
        np.testing.assert_allclose(np.concatenate(one), other, atol=1e-12)
