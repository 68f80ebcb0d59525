"""OnlineViterbi's streams on CUDA against those on the CPU, to the bit. tests/test_online.py runs there, too: see
tests/native/on_cuda.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from cases import FAMILIES, random_case, words_case
from on_cuda import card, needs_device, needs_host, on_cuda, order
from torch import Tensor

import streamhmm as sh
from streamhmm import packing
from streamhmm.errors import BackendUnavailable

pytestmark = needs_device

COLUMNS = 5
OPTIONS = (
    {},
    {"beam": 6.0},
    {"max_lag": 5},
    {"certainty": 0.9},
    {"certainty": 0.75, "max_lag": 9, "beam": 12.0},
)
SIZES = (1, 5, 63, 64, 65, 130)


def mixed_graphs(seed: int = 3) -> list[sh.Graph]:
    """Of every family and of many sizes, so that a block of threads has too many or too few for most."""
    rng = np.random.default_rng(seed)
    graphs = [random_case(rng, family, SIZES[k % len(SIZES)], COLUMNS).graph() for k, family in enumerate(FAMILIES)]
    return [*graphs, words_case(rng, 300, COLUMNS, 30).graph()]


def random_numbers(*shape: int, seed: int = 1) -> Tensor:
    """Scores that are no round numbers: their sums depend on the order of operations."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 3


def told(decoder: sh.OnlineViterbi) -> list[Any]:
    """What a decoder says of itself, with scores to the bit."""
    survivors = [(states.tolist(), scores.tolist()) for states, scores in decoder.survivors()]
    undecided = [path.tolist() for path in decoder.undecided()]
    return [decoder.current(), decoder.committed_frames, survivors, undecided]


def story(graphs: list[sh.Graph], chunks: list[Any], **options: Any) -> list[Any]:
    """All that a batch of streams tells on the way through some chunks."""
    decoder = sh.OnlineViterbi(graphs, **options)
    found = []
    for chunk in chunks:
        found.append([states.tolist() for states in decoder.push(chunk)])
        found.append(told(decoder))
    found.append([states.tolist() for states in decoder.finish()])
    return [*found, decoder.complete, decoder.committed_frames]


def assert_same_story(graphs: list[sh.Graph], chunks: list[Any], **options: Any) -> None:
    expected = story(graphs, chunks, **options)
    with on_cuda():
        assert story(graphs, chunks, **options) == expected


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_streams_with_unlike_graphs_are_those_of_the_cpu(options: dict[str, Any]) -> None:
    graphs = mixed_graphs()
    scores = random_numbers(len(graphs), 40, COLUMNS)
    for size in (1, 39, 40, 41):
        assert_same_story(graphs, list(scores.split(size, 1)), **options)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_types_of_scores(dtype: torch.dtype) -> None:
    graphs = mixed_graphs()
    scores = random_numbers(len(graphs), 50, 2 * COLUMNS).to(dtype)
    assert_same_story(graphs, list(scores[:, :, :COLUMNS].split(20, 1)), beam=9.0)
    assert_same_story(graphs, list(scores[:, :, ::2].split(20, 1)), beam=9.0)


def test_streams_that_share_a_graph() -> None:
    graph = words_case(np.random.default_rng(5), 150, COLUMNS, 30).graph()
    assert_same_story([graph] * 4, list(random_numbers(4, 60, COLUMNS).split(16, 1)), beam=9.0, max_lag=20)


def test_chunks_of_unlike_lengths() -> None:
    graphs = mixed_graphs()
    rng = np.random.default_rng(7)
    lengths = rng.integers(0, 12, (8, len(graphs)))
    lengths[0, 1] = lengths[2, :] = 0
    chunks = [[random_numbers(int(n), COLUMNS, seed=int(n) + 1) for n in row] for row in lengths]
    for options in ({}, {"beam": 6.0, "max_lag": 4}):
        assert_same_story(graphs, chunks, **options)


def test_what_is_undecided_may_grow() -> None:
    graph = sh.Graph.linear(torch.arange(300) % COLUMNS)
    assert_same_story([graph, graph], list(random_numbers(2, 700, COLUMNS).split(90, 1)))


@needs_host
@pytest.mark.parametrize("options", [{}, {"certainty": 0.75, "max_lag": 9, "beam": 12.0}], ids=str)
def test_no_order_of_threads_changes_anything(options: dict[str, Any]) -> None:
    graphs = mixed_graphs()
    chunks = list(random_numbers(len(graphs), 40, COLUMNS).split(13, 1))
    for name, seed in (("REVERSE", 0), ("RANDOM", 1), ("RANDOM", 2)):
        with order(name, seed):
            assert_same_story(graphs, chunks, **options)


@needs_host
def test_states_that_do_not_fit_shared_memory() -> None:
    graphs = mixed_graphs()
    chunks = list(random_numbers(len(graphs), 40, COLUMNS).split(13, 1))
    with card(shared_bytes=4096):
        assert_same_story(graphs, chunks, certainty=0.75, max_lag=9, beam=12.0)


def test_a_stream_goes_on_in_double_from_scores_too_large_for_single_precision() -> None:
    graphs = mixed_graphs()
    scores = random_numbers(len(graphs), 120, COLUMNS)
    scores[::2, 77:] *= 4000
    for options in ({}, {"beam": 4000.0, "max_lag": 30}):
        assert_same_story(graphs, list(scores.split(9, 1)), **options)


def test_weights_too_large_for_single_precision() -> None:
    loops = torch.full((70,), -3000.7)
    graphs = [sh.Graph.linear(torch.arange(70) % COLUMNS, self_loop=weight) for weight in (loops, -0.5)]
    assert_same_story(graphs, list(random_numbers(2, 100, COLUMNS).split(30, 1)))


def test_all_that_was_open_may_be_decided_at_once() -> None:
    """More states than are copied without a second look."""
    graph = sh.Graph.linear([0, 1, 2])
    scores = random_numbers(1500, 3)

    def run() -> tuple[list[int], list[int]]:
        decoder = sh.OnlineViterbi(graph)
        first = decoder.push(scores[:-1]).tolist()
        decoder.change(max_lag=0)
        return first, decoder.push(scores[-1:]).tolist()

    expected = run()
    assert len(expected[1]) > 1400
    with on_cuda():
        assert run() == expected


def test_going_on_elsewhere_and_giving_up_states() -> None:
    graph = words_case(np.random.default_rng(11), 130, COLUMNS, 30).graph()
    scores, initial = random_numbers(90, COLUMNS), random_numbers(130, seed=2)
    initial[20:90] = float("-inf")

    def run(options: dict[str, Any]) -> list[Any]:
        decoder = sh.OnlineViterbi(graph, **options)
        decoder.keep(torch.zeros(130, dtype=torch.bool))  # no frame yet: nothing happens
        found = [decoder.push(scores[:40]).tolist()]
        decoder.keep(torch.arange(130) % 3 == 0)
        found += [
            decoder.current(),
            [values.tolist() for values in decoder.survivors()],
            decoder.push(scores[:0]).tolist(),
        ]
        found += [decoder.push(scores[40:70]).tolist(), decoder.restart(initial).tolist()]
        found += [decoder.current(), decoder.survivors().states.tolist(), decoder.undecided(3).tolist()]
        return [*found, decoder.push(scores[70:]).tolist(), decoder.finish().tolist(), decoder.complete]

    for options in OPTIONS:
        expected = run(options)
        with on_cuda():
            assert run(options) == expected


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_bad_score_stops_its_own_stream_only(value: float) -> None:
    graphs = mixed_graphs()
    scores = random_numbers(len(graphs), 60, COLUMNS)
    bad = scores[:, 20:40].clone()
    bad[2, 7], bad[4, 3:] = value, value

    def run() -> list[Any]:
        decoder = sh.OnlineViterbi(graphs, beam=6.0)
        found = [[states.tolist() for states in decoder.push(scores[:, :20])]]
        with pytest.raises(ValueError, match=r"got NaN or \+inf in sequence 2, frame 27"):
            decoder.push(bad)
        found.append(told(decoder))
        found.append([states.tolist() for states in decoder.push(scores[:, 40:])])
        return [*found, [states.tolist() for states in decoder.finish()], decoder.committed_frames]

    expected = run()
    assert expected[-1] == [60, 60, 40, 60, 40, 60, 60]
    with on_cuda():
        assert run() == expected


def test_a_bad_score_that_no_state_reads_does_no_harm() -> None:
    graphs = mixed_graphs()
    scores = random_numbers(len(graphs), 30, COLUMNS + 1)
    expected = story(graphs, [scores])
    scores[:, :, COLUMNS] = float("nan")
    with on_cuda():
        assert story(graphs, [scores]) == expected


def test_bad_weights_are_told_with_the_first_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU nobody looks at weights before."""
    matrix = torch.zeros(3, 3)
    graphs = [sh.Graph.dense(torch.zeros(3, 3)), sh.Graph.dense(matrix)]
    matrix[1, 2] = float("nan")
    monkeypatch.setattr(packing, "check_weights", lambda values, name: None)
    with (
        on_cuda(),
        pytest.raises(ValueError, match=r"graph weights must be finite or -inf, got .* in that of sequence 1"),
    ):
        sh.OnlineViterbi(graphs).push(torch.zeros(2, 4, 3))


def test_streams_outlive_inference_mode() -> None:
    graph = sh.Graph.linear(torch.arange(40) % COLUMNS)
    scores, initial = random_numbers(200, COLUMNS), torch.zeros(40)
    with on_cuda():
        for modes in ((True, False), (False, True)):
            decoder = sh.OnlineViterbi(graph)
            with torch.inference_mode(modes[0]):
                found = decoder.push(scores[:60]).tolist()
                decoder.keep(torch.ones(40, dtype=torch.bool))
            with torch.inference_mode(modes[1]):
                found += decoder.push(scores[60:]).tolist()
                decoder.keep(torch.ones(40, dtype=torch.bool))
                found += decoder.restart(initial).tolist()
            assert found == sh.viterbi(scores, sh.Graph.linear(graph.pdfs, final=initial)).states.tolist()


def test_what_is_there_on_the_cpu_only() -> None:
    graph = sh.Graph.linear([0, 1])
    with on_cuda():
        decoder = sh.OnlineViterbi(graph)
        decoder.push(torch.zeros(3, 2))
        calls = {"extend": lambda: decoder.extend(graph), "state_dict": decoder.state_dict}
        for name, call in calls.items():
            with pytest.raises(BackendUnavailable, match=f"{name} is there for streams on the CPU only"):
                call()
        assert decoder.finish().tolist() == [1]
