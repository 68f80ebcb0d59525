"""A small ``memory_budget`` makes the engine recompute, and changes nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cases import FAMILIES, random_case, random_scores, unlike_cases, words_case
from torch import Tensor

import streamhmm as sh
from streamhmm import reference

DTYPES = (torch.float32, torch.float64)
BUDGETS = (1, 1000, 10_000, 100_000)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("frames", [1, 2, 63, 64, 65, 1000])
def test_viterbi_is_the_same_to_the_bit(frames: int, family: str, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(frames)
    case = random_case(rng, family, 150, 9)
    graph = case.graph()
    tying = random_scores(rng, frames, 9).to(dtype)
    for scores in (tying, tying + torch.from_numpy(rng.normal(size=(frames, 9))).to(dtype)):
        expected = sh.viterbi(scores, graph)
        for budget in BUDGETS:
            path = sh.viterbi(scores, graph, memory_budget=budget)
            assert torch.equal(path.states, expected.states)
            assert path.score.item() == expected.score.item()
    if frames == 1000:
        arcs = case.arcs()
        assert (
            sh.viterbi(tying, graph, memory_budget=1).states.tolist() == reference.viterbi(tying, arcs).states.tolist()
        )


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("family", ["linear", "skip", "ctc", "words"])
@pytest.mark.parametrize("size", [256, 300, 1000, 5000])
def test_a_large_graph_with_back_pointers_and_without(size: int, family: str, dtype: torch.dtype) -> None:
    """With little memory all frames are computed twice; with enough, windows of states are."""
    rng = np.random.default_rng(size)
    graph = (words_case(rng, size, 9) if family == "words" else random_case(rng, family, size, 9)).graph()
    for frames in (size + 1, 1800):
        tying = random_scores(rng, frames, 9).to(dtype)
        for scores in (tying, tying + torch.from_numpy(rng.normal(size=(frames, 9))).to(dtype)):
            for beam in (None, 60.0):
                expected = sh.viterbi(scores, graph, memory_budget=1, beam=beam)
                path = sh.viterbi(scores, graph, beam=beam)
                assert torch.equal(path.states, expected.states)
                assert path.score.item() == expected.score.item()


@pytest.mark.parametrize("frames", [1, 2, 31, 32, 33, 64, 65, 700])
def test_words_passed_over_equal_the_reference(frames: int) -> None:
    rng = np.random.default_rng(frames)
    case, scores = words_case(rng, 600, 9), random_scores(rng, frames, 9)
    expected = reference.viterbi(scores, case.arcs())
    for dtype in DTYPES:
        path = sh.viterbi(scores.to(dtype), case.graph())
        assert path.states.tolist() == expected.states.tolist()
        assert path.score.item() == expected.score


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("by", ["state", "pdf"])
@pytest.mark.parametrize("family", FAMILIES)
def test_posteriors_are_the_same(family: str, by: str, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(1)
    graph = random_case(rng, family, 150, 9).graph()
    scores = torch.from_numpy(rng.normal(size=(1000, 9))).to(dtype)
    expected = sh.posteriors(scores, graph, by=by)
    assert expected.count_nonzero() > 0
    for budget in BUDGETS:
        result = sh.posteriors(scores, graph, by=by, memory_budget=budget)
        torch.testing.assert_close(result, expected, rtol=0, atol={torch.float32: 1e-6, torch.float64: 1e-12}[dtype])


@pytest.mark.parametrize("family", FAMILIES)
def test_log_likelihood_and_its_gradients_are_the_same(family: str) -> None:
    rng = np.random.default_rng(2)
    case = random_case(rng, family, 60, 5)
    values = torch.from_numpy(rng.normal(size=(500, 5)))

    def total_and_slope(budget: int | None) -> tuple[Tensor, Tensor]:
        scores = values.clone().requires_grad_()
        total = sh.log_likelihood(scores, case.graph(), memory_budget=budget)
        total.backward()
        return total.detach(), scores.grad

    expected_total, expected_slope = total_and_slope(None)
    for budget in BUDGETS:
        total, slope = total_and_slope(budget)
        assert total.item() == expected_total.item()
        torch.testing.assert_close(slope, expected_slope, rtol=0, atol=1e-12)


@pytest.mark.parametrize("budget", BUDGETS)
def test_batches_with_one_graph_each(budget: int) -> None:
    rng = np.random.default_rng(3)
    graphs = [case.graph() for case in unlike_cases(rng, 6)]
    scores, lengths = random_scores(rng, 6, 300, 6).float(), torch.tensor([300, 299, 128, 0, 71, 299])
    expected = sh.viterbi(scores, graphs, lengths)
    path = sh.viterbi(scores, graphs, lengths, memory_budget=budget)
    assert torch.equal(path.states, expected.states)
    assert torch.equal(path.score, expected.score)
    both = (sh.posteriors(scores, graphs, lengths, memory_budget=each) for each in (budget, None))
    torch.testing.assert_close(*both, rtol=0, atol=1e-6)


def test_an_hour_in_little_memory() -> None:
    rng = np.random.default_rng(4)
    graph = sh.Graph.ctc(rng.integers(1, 30, 300).tolist())
    scores = torch.from_numpy(rng.normal(size=(36_000, 30)).astype(np.float32))
    expected, path = sh.viterbi(scores, graph), sh.viterbi(scores, graph, memory_budget=500_000)
    assert torch.equal(path.states, expected.states)
    assert path.score.item() == expected.score.item()
