"""Models with networks on chunks: the same as on the whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from test_model_neural import CONTEXT, FEATURES, cases, model_of
from torch import Tensor, nn

from streamhmm import Graph, smooth
from streamhmm import filter as filtered_posteriors
from streamhmm.models import NeuralHMM

FRAMES = 24


def heard(model: Any, x: Tensor, size: int, context: Tensor | None = None, **options: Any) -> list[np.ndarray]:
    """What a stream tells, put together."""
    stream = model.stream(**options)
    parts = []
    for begin in range(0, len(x), size):
        told = {} if context is None else {"context": context[begin : begin + size]}
        parts.append(stream.push(x[begin : begin + size], **told))
    return [np.concatenate(each) for each in zip(*parts, stream.finish(), strict=True)]


def frames(count: int = FRAMES, columns: int = FEATURES, seed: int = 5) -> Tensor:
    return torch.randn(count, columns, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def whole(model: NeuralHMM, x: Tensor, lag: int, context: Tensor | None = None) -> list[np.ndarray]:
    """By the engine, with a matrix for each frame."""
    chain = model.chain
    final = torch.zeros(chain.n_states).masked_fill(~chain.topology.last, -torch.inf)
    begin = chain.initial_logits.detach().log_softmax(-1)
    with torch.no_grad():
        matrices = model.transition_proba(x[None], context=None if context is None else context[None])[0].log()
        graph = Graph.dense(matrices, initial=begin, final=final, pdfs=chain.topology.pdfs)
        told = (x[None],) if context is None else (x[None], context[None])
        scores = model.scores_of(model.outputs_of(told))[0]
    found = filtered_posteriors(scores, graph, by="pdf"), smooth(scores, graph, by="pdf", lag=lag)
    return [each.numpy() for each in found]


@pytest.mark.parametrize(("name", "kind"), cases())
@pytest.mark.parametrize(("size", "lag"), [(1, 3), (FRAMES - 1, 0), (FRAMES, 1), (FRAMES + 1, FRAMES), (5, 2)])
def test_chunks_tell_what_the_whole_tells(name: str, kind: str | None, size: int, lag: int) -> None:
    model, x = model_of(name, kind), frames()
    filtered, smoothed, states = heard(model, x, size, lag=lag)
    wanted = whole(model, x, lag)
    np.testing.assert_allclose(filtered, wanted[0], atol=1e-9)
    np.testing.assert_allclose(smoothed, wanted[1], atol=1e-9)
    np.testing.assert_array_equal(states, model.predict(x))


@pytest.mark.parametrize("kind", [None, "arcs", "matrix"])
@pytest.mark.parametrize("size", [1, 7, FRAMES])
def test_contexts_come_once_or_with_the_frames(kind: str | None, size: int) -> None:
    model, x = model_of("ring", kind, n_context=CONTEXT), frames()
    context = frames(columns=CONTEXT, seed=6)
    filtered, smoothed, states = heard(model, x, size, context=context, lag=2)
    wanted = whole(model, x, 2, context)
    np.testing.assert_allclose(filtered, wanted[0], atol=1e-9)
    np.testing.assert_allclose(smoothed, wanted[1], atol=1e-9)
    np.testing.assert_array_equal(states, model.predict(x, context=context))


class Recurrent(nn.Module):
    """Goes on where it was."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.layer, self.output = nn.GRU(FEATURES, 4, batch_first=True), nn.Linear(4, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.step(x, None, None)[0]

    def step(self, x: Tensor, context: Tensor | None, state: Tensor | None) -> tuple[Tensor, Tensor]:
        found, state = self.layer(x, state)
        return self.output(found), state


@pytest.mark.parametrize("size", [1, 7, FRAMES])
def test_recurrent_networks_go_on(size: int) -> None:
    torch.manual_seed(0)
    model = model_of("ergodic", "arcs").set_params(network=Recurrent(3).double())
    x = frames()
    filtered, smoothed, states = heard(model.eval(), x, size, lag=2)
    wanted = whole(model, x, 2)
    np.testing.assert_allclose(filtered, wanted[0], atol=1e-9)
    np.testing.assert_allclose(smoothed, wanted[1], atol=1e-9)
    np.testing.assert_array_equal(states, model.predict(x))


def test_a_context_for_the_whole_stream() -> None:
    model, x, context = model_of("ring", "arcs", n_context=CONTEXT), frames(), frames(1, CONTEXT)
    stream = model.stream(context=context[0])
    parts = [stream.push(x[:3]), stream.push(x[3:]), stream.finish()]
    wanted = whole(model, x, 0, context.expand(FRAMES, -1))
    np.testing.assert_allclose(np.concatenate([each.filtered for each in parts]), wanted[0], atol=1e-9)
    with pytest.raises(ValueError, match="context was given when the stream was made; name it there or here"):
        model.stream(context=context[0]).push(x, context=context)


def test_frames_wait_for_what_the_network_sees() -> None:
    model = model_of("ergodic")  # which sees one frame ahead
    stream = model.stream(max_lag=2)
    counts = [stream.push(frames(1)) for _ in range(6)]
    assert [len(each.filtered) for each in counts] == [0, 1, 1, 1, 1, 1]
    assert sum(len(each.states) for each in counts) >= 3
    assert len(stream.finish().filtered) == 1


def test_wrong_streams_are_refused() -> None:
    model = NeuralHMM(2, network=nn.Linear(FEATURES, 2))
    with pytest.raises(ValueError, match=r"Linear does not tell what it sees; set receptive_field = \(frames before, "):
        model.stream()
    assert model.set_params(receptive_field=(0, 0)).stream().push(np.zeros((3, FEATURES))).filtered.shape == (3, 2)
    with pytest.raises(ValueError, match="lag must be at least 0 frames, got -1"):
        model.stream(lag=-1)
    with pytest.raises(ValueError, match=r"context must be \(C,\), got shape \(1, 3\)"):
        model.stream(context=np.zeros((1, 3)))
    with pytest.raises(ValueError, match="the model has no network yet"):
        NeuralHMM(2).stream()
    stream = model_of("ergodic").stream()
    with pytest.raises(ValueError, match="X must have 2 features, got 1"):
        stream.push(np.zeros((3, 1)))
    with pytest.raises(ValueError, match="context must have 0 numbers for network, got 3"):
        stream.push(np.zeros((4, 2)), context=np.zeros((4, 3)))
    with pytest.raises(ValueError, match=r"X must be \(n, D\), got several sequences; give each a stream of its own"):
        stream.push(np.zeros((2, 3, 2)))
    assert len(stream.finish().filtered) == 0
    for call in (lambda: stream.push(np.zeros((0, 2))), stream.finish):
        with pytest.raises(ValueError, match="the stream has ended: finish was called"):
            call()
