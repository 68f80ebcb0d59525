"""``expected_counts`` against the oracle, against gradients, and summed over the batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cases import (
    FAMILIES,
    NEVER,
    Case,
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
from torch import Tensor

import streamhmm as sh
from streamhmm import library, reference

DTYPES = (torch.float32, torch.float64)
CLOSE = {torch.float32: 1e-4, torch.float64: 1e-9}


def in_given_order(case: Case, counts: Tensor) -> Tensor:
    """The oracle's counts of a case's arcs where ``expected_counts`` has them: CTC has a place for every skip."""
    if case.constructor == "dense":
        return counts.reshape(case.arguments["transitions"].shape)
    if case.constructor != "ctc":
        return counts
    arcs, size = case.arcs(), case.arcs().num_states
    result = torch.zeros(size + max(size - 1, 0) + max(size - 2, 0), dtype=counts.dtype)
    starts = torch.tensor([0, size, 2 * size - 1])
    result[starts[arcs.dst - arcs.src] + arcs.src] = counts
    return result


@settings(derandomize=True, deadline=None, max_examples=100)
@given(small_cases(), small_scores(), st.sampled_from(DTYPES))
def test_small_graphs_equal_the_list_of_all_paths(case: Case, scores: Tensor, dtype: torch.dtype) -> None:
    counts = sh.expected_counts(scores.to(dtype), case.graph())
    assert {each.dtype for each in counts} == {torch.float64}
    if len(scores) == 0:
        assert all(each.count_nonzero() == 0 for each in counts)
        return
    listed = enumerate_paths(scores, case.arcs())
    expected = in_given_order(case, torch.from_numpy(listed.arc_counts))
    np.testing.assert_allclose(counts.arcs, expected, atol=CLOSE[dtype])
    np.testing.assert_allclose(counts.initial, listed.posteriors[0], atol=CLOSE[dtype])
    np.testing.assert_allclose(counts.final, listed.posteriors[-1], atol=CLOSE[dtype])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", [1, 2, 17, 33])
def test_any_size_equals_the_reference(size: int, family: str, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(size)
    case, scores = random_case(rng, family, size, 5), random_scores(rng, size + 3, 5)
    counts = sh.expected_counts(scores.to(dtype), case.graph())
    expected = in_given_order(case, reference.arc_counts(scores, case.arcs()))
    torch.testing.assert_close(counts.arcs, expected, rtol=1e-4, atol=CLOSE[dtype])
    by_state = reference.posteriors(scores, case.arcs())
    torch.testing.assert_close(counts.initial, by_state[0], rtol=0, atol=CLOSE[dtype])
    torch.testing.assert_close(counts.final, by_state[-1], rtol=0, atol=CLOSE[dtype])


def test_the_order_of_a_chain_is_self_loops_advances_skips() -> None:
    counts = sh.expected_counts(torch.zeros(3, 1), sh.Graph.linear([0] * 3, self_loop=NEVER, skip=NEVER))
    assert counts.arcs.tolist() == [0, 0, 0, 1, 1, 0]
    jump = torch.tensor([0.0, NEVER, NEVER])
    counts = sh.expected_counts(torch.zeros(2, 1), sh.Graph.linear([0] * 3, self_loop=NEVER, advance=NEVER, skip=jump))
    assert counts.arcs.tolist() == [0, 0, 0, 0, 0, 1]


def test_arcs_stand_as_they_were_given() -> None:
    weights = torch.tensor([0.0, 0.5, 0.25]).log()
    for src, dst in (([0, 1, 1], [1, 0, 0]), ([1, 0, 1], [0, 1, 0])):
        ends = {"initial": [0.0, NEVER], "final": [0.0, NEVER]}
        graph = sh.Graph.from_arcs(2, src, dst, torch.where(torch.tensor(src) == 0, 0.0, weights), **ends)
        share = torch.where(torch.tensor(src) == 0, 0.0, weights.exp())
        expected = torch.where(torch.tensor(src) == 0, 1.0, share / share.sum())
        torch.testing.assert_close(sh.expected_counts(torch.zeros(3, 2), graph).arcs, expected.double())


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_and_its_sum(family: str) -> None:
    rng = np.random.default_rng(4)
    graph = random_case(rng, family, 20, 6).graph()
    scores, lengths = torch.from_numpy(rng.normal(size=(6, 50, 6))), torch.tensor([50, 0, 1, 49, 33, 20])
    together = sh.expected_counts(scores, graph, lengths)
    total = sh.expected_counts(scores, graph, lengths, reduction="sum")
    alone = [sh.expected_counts(each[:length], graph) for each, length in zip(scores, lengths, strict=True)]
    for name in together._fields:
        rows = torch.stack([getattr(each, name) for each in alone])
        torch.testing.assert_close(getattr(together, name), rows, rtol=0, atol=1e-12)
        torch.testing.assert_close(getattr(total, name), rows.sum(0))
    alone = sh.expected_counts(scores[0], graph, reduction="sum").arcs
    torch.testing.assert_close(alone, together.arcs[0], rtol=0, atol=1e-12)


def test_the_sum_in_parts_is_the_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    weight = torch.zeros(20, requires_grad=True)
    graph = sh.Graph.linear(np.arange(20) % 4, self_loop=weight)
    scores, lengths = torch.from_numpy(rng.normal(size=(23, 30, 4))), torch.from_numpy(rng.integers(0, 31, 23))
    whole = sh.expected_counts(scores, graph, lengths, reduction="sum")
    sh.log_likelihood(scores, graph, lengths).sum().backward()
    slope, weight.grad = weight.grad, None
    held = []
    zeros = np.zeros
    monkeypatch.setattr(np, "zeros", lambda *size, **options: held.append(size) or zeros(*size, **options))
    parts = sh.expected_counts(scores, graph, lengths, reduction="sum", memory_budget=0)
    assert ((library.FEWEST_IN_PART, graph.num_weights),) in held
    assert ((23, graph.num_weights),) not in held
    sh.log_likelihood(scores, graph, lengths, memory_budget=0).sum().backward()
    monkeypatch.undo()
    for name in whole._fields:
        torch.testing.assert_close(getattr(parts, name), getattr(whole, name))
    torch.testing.assert_close(weight.grad, slope)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_one_pass_gives_what_three_do(family: str, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(10)
    graph = random_case(rng, family, 20, 6).graph()
    scores = torch.from_numpy(rng.normal(size=(70, 30, 6))).to(dtype)  # counts come in parts
    lengths = torch.from_numpy(rng.integers(0, 31, 70))
    scores[3] = NEVER
    likelihood, posteriors = sh.log_likelihood(scores, graph, lengths), sh.posteriors(scores, graph, lengths, "pdf")
    for reduction in ("none", "sum"):
        counts = sh.expected_counts(scores, graph, lengths, reduction=reduction)
        found = sh.forward_backward(scores, graph, lengths, reduction=reduction)
        torch.testing.assert_close(found.log_likelihood, likelihood)
        torch.testing.assert_close(found.posteriors, posteriors)
        torch.testing.assert_close(tuple(found.counts), tuple(counts))
    alone = sh.forward_backward(scores[0], graph)
    torch.testing.assert_close(alone.log_likelihood, sh.log_likelihood(scores[0], graph))
    torch.testing.assert_close(alone.posteriors, sh.posteriors(scores[0], graph, by="pdf"))
    torch.testing.assert_close(tuple(alone.counts), tuple(sh.expected_counts(scores[0], graph)))


def test_one_pass_over_one_graph_each() -> None:
    rng = np.random.default_rng(11)
    graphs = [case.graph() for case in unlike_cases(rng, 6) if case.constructor != "dense"]
    scores = random_scores(rng, len(graphs), 40, 6)
    found = sh.forward_backward(scores, graphs)
    torch.testing.assert_close(found.log_likelihood, sh.log_likelihood(scores, graphs))
    torch.testing.assert_close(found.posteriors, sh.posteriors(scores, graphs, by="pdf"))
    torch.testing.assert_close(tuple(found.counts), tuple(sh.expected_counts(scores, graphs)))


def test_one_graph_each() -> None:
    rng = np.random.default_rng(3)
    cases = [case for case in unlike_cases(rng, 6) if case.constructor != "dense"]
    scores, lengths = random_scores(rng, len(cases), 60, 6), torch.tensor([60, 59, 60, 0, 31])
    counts = sh.expected_counts(scores, [case.graph() for case in cases], lengths)
    assert counts.arcs.shape == (5, max(case.graph().num_arcs for case in cases))
    for index, (case, length) in enumerate(zip(cases, lengths, strict=True)):
        arcs, states = case.graph().num_arcs, case.graph().num_states
        alone = sh.expected_counts(scores[index, :length], case.graph())
        assert torch.equal(counts.arcs[index, :arcs], alone.arcs)
        assert torch.equal(counts.initial[index, :states], alone.initial)
        assert torch.equal(counts.final[index, :states], alone.final)
        assert counts.arcs[index, arcs:].count_nonzero() == counts.final[index, states:].count_nonzero() == 0
    assert torch.equal(
        sh.expected_counts(scores[1], [cases[1].graph()]).arcs, sh.expected_counts(scores[1], cases[1].graph()).arcs
    )
    nothing = sh.expected_counts(torch.zeros(0, 5, 3), [])
    assert [each.shape for each in nothing] == [(0, 0)] * 3


def test_matrices_of_unlike_sizes() -> None:
    rng = np.random.default_rng(6)
    scores = random_scores(rng, 2, 9, 4)
    graphs = [sh.Graph.dense(torch.from_numpy(rng.normal(size=(size, size)))) for size in (4, 2)]
    counts = sh.expected_counts(scores, graphs)
    assert counts.arcs.shape == (2, 4, 4)
    assert torch.equal(counts.arcs[1, :2, :2], sh.expected_counts(scores[1], graphs[1]).arcs)
    assert counts.arcs[1].sum() == pytest.approx(8)
    alike = [graphs[0], sh.Graph.dense(graphs[0].pieces[0].values.mT)]
    each = sh.expected_counts(scores, alike)
    assert torch.equal(sh.expected_counts(scores, alike, reduction="sum").arcs, each.arcs.sum(0))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_transitions_that_change_with_time(dtype: torch.dtype) -> None:
    rng = np.random.default_rng(7)
    transitions, scores = torch.from_numpy(rng.normal(size=(12, 3, 3))), torch.from_numpy(rng.normal(size=(12, 3)))
    ends = torch.from_numpy(rng.normal(size=(2, 3)))
    transitions[4, 1] = NEVER
    counts = sh.expected_counts(scores.to(dtype), sh.Graph.dense(transitions, *ends))
    expected = reference.arc_counts(scores, unrolled_arcs(transitions, *ends)).reshape(11, 3, 3)
    assert counts.arcs[0].count_nonzero() == 0
    torch.testing.assert_close(counts.arcs[1:], expected, rtol=0, atol=CLOSE[dtype])
    longer = sh.Graph.dense(torch.cat([transitions, transitions]), *ends)
    assert torch.equal(sh.expected_counts(scores.to(dtype), longer).arcs[:12], counts.arcs)


@pytest.mark.parametrize("family", FAMILIES)
def test_no_path_counts_nothing_and_short_budgets_change_nothing(family: str) -> None:
    rng = np.random.default_rng(8)
    graph = random_case(rng, family, 30, 4).graph()
    scores = torch.from_numpy(rng.normal(size=(2, 200, 4)))
    scores[1, 50] = NEVER
    counts = sh.expected_counts(scores, graph)
    assert all(each[1].count_nonzero() == 0 and each[0].count_nonzero() > 0 for each in counts)
    for name in counts._fields:
        short = getattr(sh.expected_counts(scores, graph, memory_budget=1000), name)
        torch.testing.assert_close(short, getattr(counts, name), rtol=0, atol=1e-12)


def test_the_expectation_step_of_em_raises_the_likelihood() -> None:
    rng = np.random.default_rng(9)
    scores = torch.from_numpy(rng.normal(scale=2, size=(4, 60, 5)))
    transitions = torch.from_numpy(rng.normal(size=(5, 5))).log_softmax(1)
    totals = []
    for _ in range(5):
        graph = sh.Graph.dense(transitions)
        totals.append(sh.log_likelihood(scores, graph).sum().item())
        counts = sh.expected_counts(scores, graph, reduction="sum").arcs
        transitions = (counts / counts.sum(1, keepdim=True)).log()
    assert totals == sorted(totals)
    assert totals[-1] > totals[0] + 1


def test_wrong_calls() -> None:
    scores, chain, square = torch.zeros(2, 5, 3), sh.Graph.linear([0, 1, 2]), sh.Graph.dense(torch.zeros(3, 3))
    with pytest.raises(ValueError, match='reduction must be "none" or "sum", got \'mean\''):
        sh.expected_counts(scores, chain, reduction="mean")
    with pytest.raises(ValueError, match=r"same size, got 3 states with 5 arcs and 2 with 3"):
        sh.expected_counts(scores, [chain, sh.Graph.linear([0, 1])], reduction="sum")
    with pytest.raises(ValueError, match=r"graph must be a list of matrices of one kind or of none"):
        sh.expected_counts(scores, [chain, square])
