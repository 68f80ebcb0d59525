"""``filter`` and ``smooth`` against the oracle, and against each other."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cases import (
    FAMILIES,
    NEVER,
    Case,
    dense_arcs,
    random_case,
    random_scores,
    small_cases,
    small_scores,
    unlike_cases,
    unrolled_arcs,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import enumerate_paths
from test_threads import instruction_set
from torch import Tensor

import streamhmm as sh
from streamhmm import _C, reference

DTYPES = (torch.float32, torch.float64)
CLOSE = {torch.float32: 1e-4, torch.float64: 1e-9}


@settings(derandomize=True, deadline=None, max_examples=100)
@given(small_cases(), small_scores(), st.integers(0, 6), st.sampled_from(DTYPES))
def test_small_graphs_equal_the_list_of_all_paths(case: Case, scores: Tensor, lag: int, dtype: torch.dtype) -> None:
    frames, arcs, graph = len(scores), case.arcs(), case.graph()
    open_ended = arcs._replace(final=torch.zeros(arcs.num_states))
    filtered = sh.filter(scores.to(dtype), graph)
    smoothed = sh.smooth(scores.to(dtype), graph, lag=lag)
    assert filtered.dtype == smoothed.dtype == dtype
    assert filtered.shape == smoothed.shape == (frames, graph.num_states)
    for t in range(frames):
        so_far = enumerate_paths(scores[: t + 1], open_ended)
        np.testing.assert_allclose(filtered[t], so_far.posteriors[t], atol=CLOSE[dtype])
        end = min(t + lag, frames - 1)
        window = enumerate_paths(scores[: end + 1], arcs if end == frames - 1 else open_ended)
        np.testing.assert_allclose(smoothed[t], window.posteriors[t], atol=CLOSE[dtype])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", [1, 2, 17, 33])
def test_any_size_equals_the_reference(size: int, family: str, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(size)
    case, scores = random_case(rng, family, size, 5), random_scores(rng, size + 8, 5)
    graph, arcs, given = case.graph(), case.arcs(), scores.to(dtype)
    np.testing.assert_allclose(sh.filter(given, graph), reference.filter(scores, arcs), atol=CLOSE[dtype])
    for lag in (0, 1, 7, size + 6):
        np.testing.assert_allclose(
            sh.smooth(given, graph, lag=lag), reference.smooth(scores, arcs, lag), atol=CLOSE[dtype]
        )


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_shortest_and_the_longest_lag(family: str, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(1)
    graph = random_case(rng, family, 20, 5).graph()
    scores = torch.from_numpy(rng.normal(size=(50, 5))).to(dtype)
    whole = sh.posteriors(scores, graph)
    for lag in (49, 50, 10**9):
        torch.testing.assert_close(sh.smooth(scores, graph, lag=lag), whole, rtol=0, atol=CLOSE[dtype])
    shortest = sh.smooth(scores, graph, lag=0)
    assert torch.equal(shortest[:-1], sh.filter(scores, graph)[:-1])
    torch.testing.assert_close(shortest[-1], whole[-1], rtol=0, atol=CLOSE[dtype])


@pytest.mark.parametrize("family", FAMILIES)
def test_filtering_knows_nothing_of_what_follows(family: str) -> None:
    rng = np.random.default_rng(2)
    graph = random_case(rng, family, 20, 5).graph()
    scores = torch.from_numpy(rng.normal(size=(40, 5)))
    changed = scores.clone()
    changed[25:] = torch.from_numpy(rng.normal(size=(15, 5)))
    assert torch.equal(sh.filter(scores, graph)[:25], sh.filter(changed, graph)[:25])
    assert torch.equal(sh.smooth(scores, graph, lag=5)[:20], sh.smooth(changed, graph, lag=5)[:20])
    assert not torch.equal(sh.smooth(scores, graph, lag=5)[20:25], sh.smooth(changed, graph, lag=5)[20:25])


@pytest.mark.parametrize("by", ["state", "pdf"])
@pytest.mark.parametrize("lag", [None, 0, 4, 100])
def test_a_batch_with_one_graph_each(lag: int | None, by: str) -> None:
    rng = np.random.default_rng(3)
    cases = unlike_cases(rng, 6)
    graphs = [case.graph() for case in cases]
    lengths = [40, 39, 40, 0, 21, 1]
    scores = random_scores(rng, len(cases), 40, 6).float()
    for index, length in enumerate(lengths):
        scores[index, length:] = float("nan")

    def operation(*arguments: object) -> Tensor:
        return sh.filter(*arguments, by=by) if lag is None else sh.smooth(*arguments, by=by, lag=lag)

    result = operation(scores, graphs, torch.tensor(lengths))
    assert result.shape == (len(cases), 40, 6 if by == "pdf" else max(graph.num_states for graph in graphs))
    for index, (graph, length) in enumerate(zip(graphs, lengths, strict=True)):
        alone = operation(scores[index, :length], graph)
        assert torch.equal(result[index, :length, : alone.shape[1]], alone)
        assert result[index, length:].count_nonzero() == result[index, :, alone.shape[1] :].count_nonzero() == 0


@pytest.mark.parametrize("family", FAMILIES)
def test_by_pdf_adds_up_the_states_of_a_column(family: str) -> None:
    rng = np.random.default_rng(4)
    graph = random_case(rng, family, 20, 5).graph()
    scores = torch.from_numpy(rng.normal(size=(30, 5)))
    for by_state, by_pdf in (
        (sh.filter(scores, graph), sh.filter(scores, graph, by="pdf")),
        (sh.smooth(scores, graph, lag=3), sh.smooth(scores, graph, by="pdf", lag=3)),
    ):
        expected = torch.zeros(30, 5, dtype=torch.float64).index_add(1, graph.pdfs, by_state)
        torch.testing.assert_close(by_pdf, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_neighbouring_scores_200_nats_apart(dtype: torch.dtype, family: str) -> None:
    rng = np.random.default_rng(5)
    case = random_case(rng, family, 20, 6)
    scores = random_scores(rng, 40, 6) + 200 * random_scores(rng, 40, 6).sign()
    given, arcs = scores.to(dtype), case.arcs()
    np.testing.assert_allclose(sh.filter(given, case.graph()), reference.filter(scores, arcs), atol=1e-4)
    np.testing.assert_allclose(sh.smooth(given, case.graph(), lag=5), reference.smooth(scores, arcs, 5), atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_beyond_the_range_of_scaled_numbers(family: str) -> None:
    rng = np.random.default_rng(6)
    case, scores = random_case(rng, family, 8, 4), 1e9 * random_scores(rng, 6, 4)
    np.testing.assert_allclose(sh.filter(scores, case.graph()), reference.filter(scores, case.arcs()), atol=1e-5)
    np.testing.assert_allclose(
        sh.smooth(scores, case.graph(), lag=2), reference.smooth(scores, case.arcs(), 2), atol=1e-5
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_a_short_budget_changes_nothing(family: str) -> None:
    rng = np.random.default_rng(7)
    graph = random_case(rng, family, 30, 4).graph()
    scores = torch.from_numpy(rng.normal(size=(150, 4)))
    for lag in (5, 100, 200):
        expected = sh.smooth(scores, graph, lag=lag)
        for budget in (0, 20_000):
            result = sh.smooth(scores, graph, lag=lag, memory_budget=budget)
            torch.testing.assert_close(result, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_transitions_that_change_with_time(dtype: torch.dtype) -> None:
    rng = np.random.default_rng(8)
    transitions, scores = torch.from_numpy(rng.normal(size=(12, 3, 3))), torch.from_numpy(rng.normal(size=(12, 3)))
    ends = torch.from_numpy(rng.normal(size=(2, 3)))
    graph, arcs = sh.Graph.dense(transitions, *ends), unrolled_arcs(transitions, *ends)
    pairs = [(sh.filter(scores.to(dtype), graph), reference.filter(scores, arcs))]
    pairs += [(sh.smooth(scores.to(dtype), graph, lag=lag), reference.smooth(scores, arcs, lag)) for lag in (0, 3, 11)]
    for result, unrolled in pairs:
        expected = torch.stack([row.reshape(12, 3)[t] for t, row in enumerate(unrolled)])
        np.testing.assert_allclose(result, expected, atol=CLOSE[dtype])


# What α loses to its largest value before the scores turn round: beyond single precision, and beyond double.
@pytest.mark.parametrize("fall", [150.0, 2000.0])
@pytest.mark.parametrize("apart", [NEVER, -100.0, -10.0])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_state_comes_back_from_far_below(dtype: torch.dtype, apart: float, fall: float) -> None:
    scores = torch.zeros(30, 2, dtype=torch.float64)
    scores[:15, 0], scores[15:, 1] = -fall / 15, -fall / 12
    transitions = torch.tensor([[0.0, apart], [apart, 0.0]], dtype=torch.float64)
    filtered = reference.filter(scores, dense_arcs(transitions))
    smoothed = reference.smooth(scores, dense_arcs(transitions), 3)
    for weights in (transitions, transitions.expand(30, 2, 2).contiguous()):
        graph, given = sh.Graph.dense(weights), scores.to(dtype)
        np.testing.assert_allclose(sh.filter(given, graph), filtered, atol=CLOSE[dtype])
        np.testing.assert_allclose(sh.smooth(given, graph, lag=3), smoothed, atol=CLOSE[dtype])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("spread", [1.0, 10.0, 60.0, 300.0])
@pytest.mark.parametrize("forbidden", [0.0, 0.5])
def test_dense_graphs_of_any_spread(forbidden: float, spread: float, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(9)
    weights = torch.from_numpy(rng.normal(scale=spread, size=(11, 9)))
    weights[torch.from_numpy(rng.random((11, 9)) < forbidden)] = NEVER
    weights[:9].diagonal().zero_()
    pdfs = torch.from_numpy(rng.integers(0, 5, 9))
    scores = torch.from_numpy(rng.normal(scale=spread, size=(12, 5))).to(dtype)
    rounded = weights.to(dtype).double()
    parts = rounded[:9], rounded[9], rounded[10], pdfs
    graph, arcs = sh.Graph.dense(*parts), dense_arcs(*parts)
    filtered = reference.filter(scores.double(), arcs)
    smoothed = reference.smooth(scores.double(), arcs, 3)
    for name in _C.available_isas():
        with instruction_set(name):
            np.testing.assert_allclose(sh.filter(scores, graph), filtered, atol=CLOSE[dtype])
            np.testing.assert_allclose(sh.smooth(scores, graph, lag=3), smoothed, atol=CLOSE[dtype])


def test_a_dead_end_shows_only_where_it_is_known() -> None:
    scores = torch.zeros(10, 2)
    scores[6] = NEVER
    graph = sh.Graph.dense(torch.zeros(2, 2))
    assert sh.filter(scores, graph).sum(1).tolist() == [1.0] * 6 + [0.0] * 4
    assert sh.smooth(scores, graph, lag=2).sum(1).tolist() == [1.0] * 4 + [0.0] * 6
    assert sh.smooth(scores, graph, lag=9).sum(1).tolist() == [0.0] * 10


def test_half_precision_no_frames_and_no_gradients() -> None:
    graph = sh.Graph.linear([0, 1, 1])
    assert sh.filter(torch.zeros(4, 2, dtype=torch.bfloat16), graph).dtype == torch.float32
    assert sh.smooth(torch.zeros(0, 5, 2), graph, lag=1).shape == (0, 5, 3)
    assert sh.smooth(torch.zeros(4, 0, 2), graph, lag=1, by="pdf").shape == (4, 0, 2)
    assert not sh.filter(torch.zeros(4, 2, requires_grad=True), graph).requires_grad


def test_wrong_calls() -> None:
    scores, graph = torch.zeros(5, 3), sh.Graph.linear([0, 1, 2])
    with pytest.raises(ValueError, match=r"lag must be at least 0 frames, got -1"):
        sh.smooth(scores, graph, lag=-1)
    with pytest.raises(TypeError, match=r"lag must be an integer, got float"):
        sh.smooth(scores, graph, lag=1.0)
    for operation in (sh.filter, lambda *given, by: sh.smooth(*given, by=by, lag=1)):
        with pytest.raises(ValueError, match='by must be "state" or "pdf", got \'phone\''):
            operation(scores, graph, by="phone")
