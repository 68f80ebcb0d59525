"""Explicit durations on CUDA: paths equal to the CPU's to the bit, sums to rounding; bad numbers, little memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from cases import FAMILIES, NEVER, random_case, random_durations, random_scores, unlike_cases
from on_cuda import card, needs_device, needs_host, on_cuda, order
from torch import Tensor

import streamhmm as sh

COLUMNS = 5
OPERATIONS = (sh.viterbi, sh.log_likelihood, sh.posteriors)


def operands(family: str, size: int, frames: int, longest: int, batch: int = 3) -> tuple[Tensor, sh.Graph, Tensor]:
    """With real numbers, so that the order in which they are added shows."""
    rng = np.random.default_rng([size, frames, longest])
    graph = random_case(rng, family, size, COLUMNS).graph()
    durations = torch.from_numpy(rng.normal(size=(graph.num_states, longest)))
    return torch.from_numpy(rng.normal(scale=3, size=(batch, frames, COLUMNS))), graph, durations


def assert_same(scores: Tensor, graph: Any, durations: Tensor, **options: Any) -> None:
    expected = sh.viterbi(scores, graph, durations=durations, **options)
    by_state = sh.posteriors(scores, graph, durations=durations, **options)
    by_pdf = sh.posteriors(scores, graph, by="pdf", durations=durations, **options)
    total = sh.log_likelihood(scores, graph, durations=durations, **options)
    with on_cuda():
        path = sh.viterbi(scores, graph, durations=durations, **options)
        assert torch.equal(path.states, expected.states)
        torch.testing.assert_close(path.score, expected.score, rtol=1e-12, atol=1e-9)
        found = sh.log_likelihood(scores, graph, durations=durations, **options)
        torch.testing.assert_close(found, total, rtol=1e-12, atol=1e-9)
        atol = 1e-9 if scores.dtype == torch.float64 else 1e-6
        found = sh.posteriors(scores, graph, durations=durations, **options)
        torch.testing.assert_close(found, by_state, rtol=0, atol=atol)
        found = sh.posteriors(scores, graph, by="pdf", durations=durations, **options)
        torch.testing.assert_close(found, by_pdf, rtol=0, atol=atol)


@needs_device
@pytest.mark.parametrize("family", FAMILIES)
def test_as_on_the_cpu(family: str) -> None:
    for size, frames, longest in ((1, 1, 1), (7, 9, 3), (33, 40, 12), (20, 70, 200)):
        scores, graph, durations = operands(family, size, frames, longest)
        assert_same(scores.float(), graph, durations)
        assert_same(scores, graph, durations, lengths=[frames, frames // 2, 0])


@needs_device
def test_more_states_than_threads() -> None:
    scores, graph, durations = operands("skip", 700, 24, 5, batch=2)
    wide = sh.Graph.linear(graph.pdfs, self_loop=-1.0, skip=-2.0, initial=torch.zeros(700), final=torch.zeros(700))
    assert_same(scores, wide, durations)


@needs_device
@pytest.mark.parametrize("budget", [0, 20_000, 60_000])
@pytest.mark.parametrize("family", ["ctc", "sparse", "dense"])
def test_a_small_memory_budget_changes_nothing(family: str, budget: int) -> None:
    scores, graph, durations = operands(family, 9, 150, 40)
    assert_same(scores, graph, durations, lengths=[150, 64, 63], memory_budget=budget)


@needs_device
@pytest.mark.parametrize("budget", [None, 30_000])
@pytest.mark.parametrize("largest", [-20_000.0, 20_000.0, NEVER])
def test_large_scores_round_as_on_the_cpu(largest: float, budget: int | None) -> None:
    rng = np.random.default_rng(5)
    for longest in (6, 40):
        scores, graph, durations = operands("dense", 6, 100, longest)
        large = torch.from_numpy(rng.random(scores.shape) < 0.03)
        scores = torch.where(large, largest * (1 + 0.1 * scores.tanh()), scores)
        expected = sh.viterbi(scores, graph, durations=durations, memory_budget=budget)
        total = sh.log_likelihood(scores, graph, durations=durations)
        with on_cuda():
            path = sh.viterbi(scores, graph, durations=durations, memory_budget=budget)
            found = sh.log_likelihood(scores, graph, durations=durations)
        assert torch.equal(path.states, expected.states)
        torch.testing.assert_close(path.score, expected.score, rtol=1e-12, atol=1e-9)
        torch.testing.assert_close(found, total, rtol=1e-12, atol=1e-9)


@needs_device
def test_ties_are_broken_as_on_the_cpu() -> None:
    rng = np.random.default_rng(6)
    for family in FAMILIES:
        graph = random_case(rng, family, 12, COLUMNS).graph()
        scores, durations = random_scores(rng, 4, 60, COLUMNS), random_durations(rng, graph.num_states, 9)
        expected = sh.viterbi(scores, graph, durations=durations)
        with on_cuda():
            assert torch.equal(sh.viterbi(scores, graph, durations=durations).states, expected.states)


@needs_device
@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_a_sequence_with_a_bad_score_is_marked_and_the_others_are_as_ever(wrong: float) -> None:
    scores, graph, durations = operands("ctc", 6, 40, 20)
    path = sh.viterbi(scores, graph, durations=durations)
    by_pdf = sh.posteriors(scores, graph, by="pdf", durations=durations)
    scores[1, 17, int(graph.pdfs[0])] = wrong
    leaf, slope = scores.clone().requires_grad_(), durations.clone().requires_grad_()
    with on_cuda():
        marked = sh.viterbi(scores, graph, durations=durations)
        assert (marked.states[1] == -1).all()
        assert marked.score.isnan().tolist() == [False, True, False]
        assert torch.equal(marked.states[::2], path.states[::2])
        found = sh.posteriors(scores, graph, by="pdf", durations=durations)
        total = sh.log_likelihood(leaf, graph, durations=slope)
        total.sum().backward()
    assert total.isnan().tolist() == [False, True, False]
    assert found[1].isnan().all()
    torch.testing.assert_close(found[::2], by_pdf[::2], rtol=0, atol=1e-9)
    torch.testing.assert_close(leaf.grad[::2], by_pdf[::2], rtol=0, atol=1e-9)
    assert slope.grad.isnan().all()


@needs_device
def test_bad_durations_spoil_every_sequence() -> None:
    scores, graph, durations = operands("linear", 4, 20, 10)
    durations[2, 3] = float("inf")
    given = (scores, durations, None, graph.structure, graph.packed_weights(torch.float64), 10**6)
    with on_cuda():
        states, score = torch.ops.streamhmm.semi_markov_viterbi(*given)
        assert torch.ops.streamhmm.semi_markov_log_likelihood(*given).isnan().all()
    assert score.isnan().all()
    assert (states == -1).all()


@needs_device
def test_operands_that_do_not_go_together_are_refused() -> None:
    scores, graph, durations = operands("linear", 4, 20, 10)
    moves = sh.Graph.dense(torch.zeros(20, 4, 4))
    for rows, other in (
        (durations[:3].contiguous(), graph),
        (durations[:, :0].contiguous(), graph),
        (durations, moves),
    ):
        given = (scores, rows, None, other.structure, other.packed_weights(torch.float64), 10**6)
        with on_cuda(), pytest.raises(ValueError, match="durations"):
            torch.ops.streamhmm.semi_markov_viterbi(*given)


@needs_device
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_read_as_it_is(dtype: torch.dtype) -> None:
    scores, graph, durations = operands("dense", 6, 40, 20)
    scores = scores.to(dtype)
    wide = scores.float()
    expected = sh.viterbi(wide, graph, durations=durations)
    by_pdf = sh.posteriors(wide, graph, by="pdf", durations=durations)
    given = (scores, durations, None, graph.structure, graph.packed_weights(torch.float32), 10**6)
    with on_cuda():
        states, _ = torch.ops.streamhmm.semi_markov_viterbi(*given)
        found = torch.ops.streamhmm.semi_markov_posteriors(*given, 0)
        slopes = torch.ops.streamhmm.semi_markov_gradients(torch.ones(3), *given, False, False)[0]
    assert torch.equal(states, expected.states)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, by_pdf, rtol=0, atol=1e-6)
    assert slopes.dtype == dtype
    torch.testing.assert_close(slopes.float(), by_pdf, rtol=1e-2, atol=4e-3)


@needs_host
@pytest.mark.parametrize("name", ["REVERSE", "RANDOM"])
def test_the_order_of_threads_changes_nothing(name: str) -> None:
    rng = np.random.default_rng(7)
    graphs = [case.graph() for case in unlike_cases(rng, COLUMNS)]
    states = min(graph.num_states for graph in graphs)
    graphs = [graph for graph in graphs if graph.num_states == states]
    durations = torch.from_numpy(rng.normal(size=(states, 30))).requires_grad_()
    scores = torch.from_numpy(rng.normal(size=(len(graphs), 50, COLUMNS))).requires_grad_()

    def results() -> list[Tensor]:
        total = sh.log_likelihood(scores, graphs, durations=durations)
        slopes = torch.autograd.grad(total.sum(), (scores, durations))
        path = sh.viterbi(scores, graphs, durations=durations)
        return [*path, total, *slopes, sh.posteriors(scores, graphs, by="pdf", durations=durations)]

    with on_cuda():
        expected = results()
        for seed in range(2):
            with order(name, seed):
                found = results()
            assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@needs_host
@pytest.mark.parametrize("shared_bytes", [600, 12_000, 30_000])
def test_a_card_with_little_shared_memory_finds_the_same(shared_bytes: int) -> None:
    scores, graph, durations = operands("skip", 60, 40, 60, batch=2)
    with card(shared_bytes=shared_bytes, multiprocessors=1):
        assert_same(scores, graph, durations, memory_budget=100_000)
