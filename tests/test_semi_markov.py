"""Explicit durations: ``viterbi``, ``log_likelihood`` and ``posteriors`` with ``durations``.

Scores are small integers unless said otherwise, so that paths and scores are exact.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cases import (
    FAMILIES,
    NEVER,
    Case,
    explicit_arcs,
    explicit_case,
    random_case,
    random_durations,
    random_scores,
    small_cases,
    small_scores,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import enumerate_segments
from test_threads import instruction_set, torch_threads
from torch import Tensor

import streamhmm as sh
from streamhmm import _C, reference

DTYPES = (torch.float32, torch.float64)
CLOSE = {torch.float32: 1e-6, torch.float64: 1e-9}
OPERATIONS = (sh.viterbi, sh.log_likelihood, sh.posteriors)


def assert_as_reference(scores: Tensor, case: Case, durations: Tensor, *dtypes: torch.dtype) -> None:
    graph, arcs = case.graph(), case.arcs()
    with torch_threads(1):  # torch's own threads would take longer to meet than to compute
        expected = reference.semi_markov_viterbi(scores, arcs, durations)
        expected_total = reference.semi_markov_log_likelihood(scores, arcs, durations)
        expected_by_state = reference.semi_markov_posteriors(scores, arcs, durations)
    for dtype in dtypes:
        path = sh.viterbi(scores.to(dtype), graph, durations=durations)
        assert path.score.item() == expected.score
        assert path.states.tolist() == expected.states.tolist()
        total = sh.log_likelihood(scores.to(dtype), graph, durations=durations)
        assert total.item() == pytest.approx(expected_total, rel=1e-12)
        by_state = sh.posteriors(scores.to(dtype), graph, durations=durations)
        assert by_state.dtype == dtype
        np.testing.assert_allclose(by_state, expected_by_state, atol=CLOSE[dtype])


# ---- against every row of segments, and against the reference


@settings(derandomize=True, deadline=None, max_examples=250)
@given(st.data(), small_cases(), small_scores(max_frames=4), st.integers(1, 6), st.sampled_from(DTYPES))
def test_small_problems_equal_the_list_of_all_segmentations(
    data: st.DataObject, case: Case, scores: Tensor, longest: int, dtype: torch.dtype
) -> None:
    graph, arcs = case.graph(), case.arcs()
    size = graph.num_states * longest
    weight = st.sampled_from([0.0, -1.0, -2.0, 3.0, NEVER, -200.0, 200.0])
    values = data.draw(st.lists(weight, min_size=size, max_size=size))
    durations = torch.tensor(values, dtype=torch.float64).reshape(-1, longest)
    path = sh.viterbi(scores.to(dtype), graph, durations=durations)
    leaf = scores.to(dtype, copy=True).requires_grad_()
    total = sh.log_likelihood(leaf, graph, durations=durations)
    total.backward()
    by_state = sh.posteriors(scores.to(dtype), graph, durations=durations)
    assert path.states.dtype == torch.int64
    assert path.score.dtype == total.dtype == torch.float64
    if len(scores) == 0:
        assert (path.states.tolist(), path.score.item(), total.item()) == ([], NEVER, NEVER)
        return
    listed = enumerate_segments(scores, arcs, durations)
    assert path.score.item() == listed.score
    assert path.states.tolist() == (listed.best or [-1] * len(scores))
    assert total.item() == pytest.approx(listed.log_likelihood, rel=1e-12, abs=1e-12)
    np.testing.assert_allclose(by_state, listed.posteriors, atol=CLOSE[dtype])
    np.testing.assert_allclose(leaf.grad, listed.pdf_posteriors, atol=CLOSE[dtype])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", [1, 7, 8, 9, 40])
def test_any_size_equals_the_reference(size: int, family: str) -> None:
    rng = np.random.default_rng(size)
    case = random_case(rng, family, size, 5)
    states = case.graph().num_states
    for frames, longest in ((1, 1), (1, 9), (7, 3), (8, 8), (9, 200), (17, 16), (50, 11), (67, 64)):
        assert_as_reference(random_scores(rng, frames, 5), case, random_durations(rng, states, longest), *DTYPES)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_arcs_between_all_states(dtype: torch.dtype) -> None:
    rng = np.random.default_rng(1)
    src, dst = (each.flatten() for each in torch.meshgrid(torch.arange(37), torch.arange(37), indexing="ij"))
    weight = torch.from_numpy(rng.integers(-3, 1, len(src)).astype(np.float64))
    case = explicit_case(explicit_arcs(37, src, dst, weight, pdfs=rng.integers(0, 6, 37)))
    assert case.graph().family == "dense"
    assert_as_reference(random_scores(rng, 60, 6), case, random_durations(rng, 37, 20), dtype)


@pytest.mark.parametrize("name", _C.available_isas())
def test_every_instruction_set_equals_the_reference(name: str) -> None:
    rng = np.random.default_rng(2)
    with instruction_set(name):
        for family in FAMILIES:
            case = random_case(rng, family, 19, 5)
            states = case.graph().num_states
            assert_as_reference(random_scores(rng, 90, 5), case, random_durations(rng, states, 30), *DTYPES)


def test_every_instruction_set_gives_the_same_path() -> None:
    rng = np.random.default_rng(3)
    case = random_case(rng, "sparse", 30, 6)
    scores, durations = torch.from_numpy(rng.normal(size=(300, 6))), torch.from_numpy(rng.normal(size=(30, 50)))
    paths = []
    for name in _C.available_isas():
        with instruction_set(name):
            paths.append(sh.viterbi(scores, case.graph(), durations=durations))
    assert all(torch.equal(path.states, paths[0].states) for path in paths)
    assert all(path.score.item() == paths[0].score.item() for path in paths)


# ---- equal to models without durations


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_geometric_durations_equal_self_loops(dtype: torch.dtype) -> None:
    rng = np.random.default_rng(4)
    size, frames = 12, 80
    scores = torch.from_numpy(rng.normal(size=(frames, size))).to(dtype)
    moves = torch.from_numpy(rng.normal(size=(size, size))).fill_diagonal_(NEVER)
    stay = -torch.from_numpy(rng.random(size)) - 0.1
    durations = stay[:, None] * torch.arange(frames)  # of any length that fits
    between, looping = sh.Graph.dense(moves), sh.Graph.dense(moves.diagonal_scatter(stay))
    expected, path = sh.viterbi(scores, looping), sh.viterbi(scores, between, durations=durations)
    assert path.states.tolist() == expected.states.tolist()
    assert path.score.item() == pytest.approx(expected.score.item(), rel=1e-6)
    totals = sh.log_likelihood(scores, looping), sh.log_likelihood(scores, between, durations=durations)
    torch.testing.assert_close(*totals, rtol=1e-6, atol=0)
    both = sh.posteriors(scores, looping), sh.posteriors(scores, between, durations=durations)
    torch.testing.assert_close(*both, rtol=0, atol=1e-5 if dtype == torch.float32 else 1e-10)


@pytest.mark.parametrize("family", FAMILIES)
def test_one_frame_a_segment_equals_the_ordinary_model(family: str) -> None:
    rng = np.random.default_rng(5)
    graph = random_case(rng, family, 20, 5).graph()
    scores, durations = random_scores(rng, 60, 5), torch.zeros(graph.num_states, 1)
    for operation in OPERATIONS:
        plain, explicit = operation(scores, graph), operation(scores, graph, durations=durations)
        for one, other in zip(*((r,) if isinstance(r, Tensor) else r for r in (plain, explicit)), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-9)


def test_durations_that_no_sequence_reaches_change_nothing() -> None:
    rng = np.random.default_rng(6)
    graph, scores = random_case(rng, "sparse", 9, 5).graph(), random_scores(rng, 30, 5)
    durations = random_durations(rng, 9, 5000)
    for operation in OPERATIONS:
        long, cut = (operation(scores, graph, durations=each) for each in (durations, durations[:, :30]))
        for one, other in zip(*((r,) if isinstance(r, Tensor) else r for r in (long, cut)), strict=True):
            assert torch.equal(one, other)


def test_a_self_loop_joins_segments() -> None:
    graph = sh.Graph.from_arcs(1, [0], [0], [-1.0])
    path = sh.viterbi(torch.zeros(5, 1), graph, durations=[[NEVER, 0.0, 0.0]])
    assert path.states.tolist() == [0] * 5
    assert path.score.item() == -1.0
    assert sh.viterbi(torch.zeros(7, 1), graph, durations=[[NEVER, 0.0, 0.0]]).score.item() == -2.0


def test_the_last_segment_ends_with_the_sequence() -> None:
    durations = [[NEVER, NEVER, 0.0]]
    graph = sh.Graph.from_arcs(1, [0], [0], [0.0])
    assert sh.viterbi(torch.zeros(6, 1), graph, durations=durations).states.tolist() == [0] * 6
    for operation, nothing in ((sh.viterbi, -1), (sh.posteriors, 0)):
        result = operation(torch.zeros(5, 1), graph, durations=durations)
        assert (result if isinstance(result, Tensor) else result.states).flatten().tolist() == [nothing] * 5
    assert sh.log_likelihood(torch.zeros(5, 1), graph, durations=durations).item() == NEVER


def test_ties_go_to_the_shortest_last_segment() -> None:
    graph = sh.Graph.from_arcs(2, [0, 0, 1, 1], [0, 1, 0, 1], [0.0] * 4)
    durations = torch.zeros(2, 3)
    assert sh.viterbi(torch.zeros(4, 2), graph, durations=durations).states.tolist() == [0, 0, 0, 0]
    durations[0, 0] = -1.0
    durations[0, 2] = 1.0  # 3 frames of 0 with one of 1 before or after: the end decides, the lowest state there
    assert sh.viterbi(torch.zeros(4, 2), graph, durations=durations).states.tolist() == [1, 0, 0, 0]


# ---- batches, dtypes, layouts


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("one_each", [False, True])
def test_a_batch_equals_its_sequences_one_by_one(one_each: bool, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(7)
    lengths = [40, 0, 1, 39, 24]
    cases = [random_case(rng, family, 12, 6) for family in ("linear", "skip", "extra", "sparse", "sparse")]
    cases = cases if one_each else cases[3:4] * 5
    graphs = [case.graph() for case in cases]
    scores, durations = random_scores(rng, 5, 40, 6).to(dtype), random_durations(rng, 12, 15)
    graph = graphs if one_each else graphs[0]
    scores[2, 1:] = float("nan")
    for threads in (1, 3):
        with torch_threads(threads):
            path = sh.viterbi(scores, graph, lengths, durations=durations)
            totals = sh.log_likelihood(scores, graph, lengths, durations=durations)
            by_state, by_pdf = (
                sh.posteriors(scores, graph, lengths, by=by, durations=durations) for by in ("state", "pdf")
            )
        assert by_state.shape == (5, 40, 12)
        assert by_pdf.shape == (5, 40, 6)
        for b, length in enumerate(lengths):
            alone = sh.viterbi(scores[b, :length], graphs[b % len(graphs)], durations=durations)
            assert path.states[b].tolist() == alone.states.tolist() + [-1] * (40 - length)
            assert path.score[b].item() == alone.score.item()
            total = sh.log_likelihood(scores[b, :length], graphs[b % len(graphs)], durations=durations)
            assert totals[b].item() == total.item()
            one = sh.posteriors(scores[b, :length], graphs[b % len(graphs)], durations=durations)
            assert torch.equal(by_state[b, :length], one)
            assert by_state[b, length:].count_nonzero() == by_pdf[b, length:].count_nonzero() == 0
            expected = torch.zeros(length, 6, dtype=dtype).index_add(1, cases[b].arcs().pdfs, one)
            torch.testing.assert_close(by_pdf[b, :length], expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_scores(dtype: torch.dtype) -> None:
    rng = np.random.default_rng(8)
    case, scores = random_case(rng, "sparse", 12, 5), random_scores(rng, 50, 5)
    durations, arcs = random_durations(rng, 12, 10), case.arcs()
    path = sh.viterbi(scores.to(dtype), case.graph(), durations=durations)
    assert path.states.tolist() == reference.semi_markov_viterbi(scores, arcs, durations).states.tolist()
    half = scores.to(dtype).requires_grad_()
    sh.log_likelihood(half, case.graph(), durations=durations).backward()
    assert half.grad.dtype == dtype
    by_state = sh.posteriors(scores.to(dtype), case.graph(), durations=durations)
    assert by_state.dtype == torch.float32
    np.testing.assert_allclose(by_state, reference.semi_markov_posteriors(scores, arcs, durations), atol=1e-6)


def test_scores_and_durations_need_not_be_contiguous() -> None:
    rng = np.random.default_rng(9)
    graph, scores = random_case(rng, "skip", 9, 4).graph(), random_scores(rng, 3, 30, 4).float()
    durations = random_durations(rng, 9, 8)
    expected = [operation(scores, graph, durations=durations) for operation in OPERATIONS]
    turned = scores.permute(2, 0, 1).contiguous().permute(1, 2, 0)
    for given_durations in (durations.T.contiguous().T, durations.float(), durations.tolist()):
        for operation, one in zip(OPERATIONS, expected, strict=True):
            other = operation(turned, graph, durations=given_durations)
            for each, same in zip(*((r,) if isinstance(r, Tensor) else r for r in (one, other)), strict=True):
                assert torch.equal(each, same)


def test_an_empty_batch_and_no_frames() -> None:
    graph, durations = sh.Graph.linear([0, 1]), torch.zeros(2, 3)
    assert sh.viterbi(torch.zeros(0, 5, 2), graph, durations=durations).states.shape == (0, 5)
    assert sh.viterbi(torch.zeros(3, 0, 2), graph, durations=durations).score.tolist() == [NEVER] * 3
    assert sh.log_likelihood(torch.zeros(3, 0, 2), graph, durations=durations).tolist() == [NEVER] * 3
    assert sh.log_likelihood(torch.zeros(0, 4, 2), graph, durations=durations).shape == (0,)
    assert sh.posteriors(torch.zeros(3, 0, 2), graph, durations=durations).shape == (3, 0, 2)
    assert sh.posteriors(torch.zeros(0, 4, 2), [], durations=durations).shape[:2] == (0, 4)


# ---- numbers at the edge


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_neighbouring_scores_200_nats_apart(family: str, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(10)
    case = random_case(rng, family, 20, 6)
    scores = random_scores(rng, 150, 6) + 200 * random_scores(rng, 150, 6).sign()
    scores[torch.from_numpy(rng.random((150, 6)) < 0.05)] = NEVER
    assert_as_reference(scores, case, random_durations(rng, case.graph().num_states, 40), dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_states_that_drift_apart(dtype: torch.dtype) -> None:
    """A state 30 nats a frame below the others for long, then above: the terms of one window lie 3,000 nats apart."""
    rng = np.random.default_rng(11)
    case = random_case(rng, "sparse", 10, 3)
    drift = torch.zeros(300, 3, dtype=torch.float64)
    drift[:150, 0] = drift[150:, 1] = -30.0
    durations = random_durations(rng, 10, 100)
    durations[:, :60] = NEVER
    durations[:5, 30:60] = 0.0
    assert_as_reference(random_scores(rng, 300, 3) + drift, case, durations, dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("barred", [-1e30, -3e38])
def test_huge_negative_scores_bar_as_minus_infinity_does(barred: float, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(12)
    case = random_case(rng, "sparse", 20, 6)
    graph, durations = case.graph(), random_durations(rng, 20, 10)
    scores = random_scores(rng, 120, 6).to(dtype)
    masked = torch.from_numpy(rng.random((120, 6)) < 0.15)
    forbidden, huge = scores.masked_fill(masked, NEVER), scores.masked_fill(masked, barred)
    expected, path = (sh.viterbi(each, graph, durations=durations) for each in (forbidden, huge))
    assert expected.score.item() > -1e3
    assert path.states.tolist() == expected.states.tolist()
    assert path.score.item() == expected.score.item()
    totals = [sh.log_likelihood(each, graph, durations=durations).item() for each in (forbidden, huge)]
    assert totals[0] == pytest.approx(totals[1], abs=1e-12)
    both = (sh.posteriors(each, graph, durations=durations) for each in (forbidden, huge))
    torch.testing.assert_close(*both, rtol=0, atol=CLOSE[dtype])


@pytest.mark.parametrize("large", [20_000.0, -20_000.0])
def test_large_scores_among_small_ones(large: float) -> None:
    rng = np.random.default_rng(13)
    case = random_case(rng, "sparse", 12, 4)
    scores = random_scores(rng, 90, 4)
    scores[torch.from_numpy(rng.random((90, 4)) < 0.1)] = large
    assert_as_reference(scores, case, random_durations(rng, 12, 20), torch.float64)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_weights_of_10000_nats(dtype: torch.dtype) -> None:
    rng = np.random.default_rng(14)
    arcs = random_case(rng, "sparse", 12, 4).arcs()
    case = explicit_case(arcs._replace(weight=arcs.weight * 5000))
    durations = random_durations(rng, 12, 20) * 5000
    assert_as_reference(random_scores(rng, 60, 4), case, durations, dtype)


def test_minus_infinity_everywhere() -> None:
    graph, scores = sh.Graph.linear([0, 1]), torch.zeros(2, 6, 2)
    scores[1] = NEVER
    path = sh.viterbi(scores, graph, durations=torch.zeros(2, 6))
    assert path.states[1].tolist() == [-1] * 6
    assert path.score.isneginf().tolist() == [False, True]
    for durations in (torch.full((2, 6), NEVER), torch.tensor([[0.0] * 6, [NEVER] * 6])):
        assert sh.viterbi(scores[0], graph, durations=durations).score.item() == NEVER
        assert sh.posteriors(scores[0], graph, durations=durations).count_nonzero() == 0


def test_long_audio() -> None:
    rng = np.random.default_rng(15)
    frames, size, longest = 60_000, 6, 30
    moves = torch.from_numpy(rng.normal(size=(size, size))).fill_diagonal_(NEVER)
    durations = torch.from_numpy(rng.normal(size=(size, longest)))
    scores = torch.from_numpy(rng.normal(size=(frames, size)) - 40.0)
    graph = sh.Graph.dense(moves)
    by_state = sh.posteriors(scores, graph, durations=durations)
    assert by_state.min().item() >= 0.0
    assert by_state.max().item() <= 1.0
    torch.testing.assert_close(by_state.sum(1), torch.ones(frames, dtype=torch.float64), rtol=0, atol=1e-9)
    tail, head = slice(frames - 400, frames), slice(0, 400)
    for part, keep in ((tail, slice(200, 400)), (head, slice(0, 200))):  # far from the cut, the rest says nothing
        alone = sh.posteriors(scores[part], graph, durations=durations)
        torch.testing.assert_close(by_state[part][keep], alone[keep], rtol=0, atol=1e-9)
    path = sh.viterbi(scores, graph, durations=durations)
    assert path.score.item() <= sh.log_likelihood(scores, graph, durations=durations).item()
    assert segments_score(path.states, scores, moves, durations) == pytest.approx(path.score.item(), abs=1e-9 * frames)


def segments_score(states: Tensor, scores: Tensor, moves: Tensor, durations: Tensor) -> float:
    """Of a path whose neighbouring segments differ in state."""
    values, spans = torch.unique_consecutive(states, return_counts=True)
    arcs = moves[values[:-1], values[1:]].sum()
    return float(durations[values, spans - 1].sum() + arcs + scores[torch.arange(len(states)), states].sum())


# ---- memory


@pytest.mark.parametrize("budget", [0, 1000, 20_000, 100_000])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_small_memory_budget_changes_nothing(family: str, budget: int) -> None:
    rng = np.random.default_rng(16)
    case = random_case(rng, family, 12, 5)
    graph = case.graph()
    durations, scores = random_durations(rng, graph.num_states, 13), random_scores(rng, 1200, 5)
    scores[torch.from_numpy(rng.random((1200, 5)) < 0.03)] = -30_000.0
    expected = sh.viterbi(scores, graph, durations=durations)
    path = sh.viterbi(scores, graph, durations=durations, memory_budget=budget)
    assert torch.equal(path.states, expected.states)
    assert path.score.item() == expected.score.item()
    both = (sh.posteriors(scores, graph, durations=durations, memory_budget=each) for each in (None, budget))
    torch.testing.assert_close(*both, rtol=0, atol=1e-10)
    totals = [sh.log_likelihood(scores, graph, durations=durations, memory_budget=each) for each in (None, budget)]
    assert totals[0].item() == totals[1].item()
