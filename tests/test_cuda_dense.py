"""Dense graphs that a batch shares, on CUDA: the special kernels against the CPU's results, and against the general
kernels, which run where each sequence has its own copy of the graph."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cases import NEVER, random_scores
from on_cuda import card, needs_device, needs_host, on_cuda, order
from torch import Tensor

import streamhmm as sh

NARROW = (1, 5, 8, 9, 17, 32, 33, 64)
WIDE = (65, 128, 150)
CARDS = ((64 << 10, 1), (64 << 10, 2), (48 << 10, 7), (227 << 10, 40))  # shared bytes, multiprocessors


def problem(size: int, batch: int, frames: int, *, tied: bool = False, scale: float = 2.0) -> tuple[Tensor, sh.Graph]:
    """Scores and a graph with forbidden transitions and pdfs that states share; with ties, small whole numbers."""
    rng = np.random.default_rng([size, batch, frames])
    matrix, scores = scale * random_scores(rng, size, size), 3 * random_scores(rng, batch, frames, size + 2)
    if tied:
        matrix, scores = matrix.round(), scores.round()
    matrix[torch.from_numpy(rng.random((size, size)) < 0.2)] = NEVER
    matrix[0, 0] = 0.0
    pdfs = torch.from_numpy(rng.integers(0, size + 2, size))
    initial, final = torch.from_numpy(rng.normal(size=(2, size)))
    return scores.float(), sh.Graph.dense(matrix, initial=initial, final=final, pdfs=pdfs)


def assert_same_paths(
    scores: Tensor, graph: sh.Graph | list[sh.Graph], lengths: list[int] | None, budget: int | None = None
) -> None:
    expected = sh.viterbi(scores, graph, lengths)
    with on_cuda():
        path = sh.viterbi(scores, graph, lengths, memory_budget=budget)
    assert torch.equal(path.states, expected.states)
    assert torch.equal(path.score, expected.score)


@needs_device
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("size", [*NARROW, *WIDE])
def test_paths_are_those_of_the_cpu(size: int, tied: bool) -> None:
    for lengths in ([1], [33, 0, 40, 32, 7], [65, 70]):
        scores, graph = problem(size, len(lengths), max(lengths), tied=tied)
        assert_same_paths(scores, graph, lengths)
        assert_same_paths(scores, graph, lengths, budget=1)
    assert_same_paths(scores.half(), graph, lengths)
    assert_same_paths(scores.bfloat16(), graph, lengths)


@needs_host
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("size", [5, 40, 100, 150])
def test_paths_do_not_depend_on_the_order_of_threads(size: int, seed: int) -> None:
    scores, graph = problem(size, 3, 35)
    with order("RANDOM", seed):
        assert_same_paths(scores, graph, [35, 20, 33])
    with order("REVERSE"):
        assert_same_paths(scores, graph, [35, 20, 33])


@needs_host
@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize("limits", CARDS, ids=str)
@pytest.mark.parametrize("size", WIDE)
def test_paths_on_small_and_large_cards(size: int, limits: tuple[int, int], batch: int) -> None:
    scores, graph = problem(size, batch, 34)
    with card(shared_bytes=limits[0], multiprocessors=limits[1]):
        assert_same_paths(scores, graph, [34, 0, 33, 32, 5][:batch])


@needs_host
def test_more_sequences_than_a_card_takes_at_once() -> None:
    scores, graph = problem(70, 40, 33)
    with card(shared_bytes=16 << 10, multiprocessors=2):
        assert_same_paths(scores, graph, [*range(1, 34), 0, 3, 32, 33, 1, 2, 5])


@needs_device
@pytest.mark.parametrize("size", [20, 64, 65, 130])
def test_paths_are_those_of_the_general_kernel(size: int) -> None:
    scores, graph = problem(size, 3, 70)
    with on_cuda():
        shared, own = sh.viterbi(scores, graph), sh.viterbi(scores, [graph] * 3)
    assert torch.equal(shared.states, own.states)
    assert torch.equal(shared.score, own.score)


@needs_device
@pytest.mark.parametrize("size", [12, 64, 100])
def test_long_sequences_stay_exact(size: int) -> None:
    """α move into the offsets often, from tiles far apart, some of which are empty."""
    scores, graph = problem(size, 2, 300)
    scores[:, 100:, : size // 2] -= 50.0
    scores[1, 40:100] = NEVER
    scores[1, 40:100, int(graph.pdfs[0])] = 0.0
    assert_same_paths(scores, graph, [300, 290], budget=1)


@needs_device
@pytest.mark.parametrize("size", [7, 40, 80])
def test_one_bad_sequence_leaves_the_others_alone(size: int) -> None:
    scores, graph = problem(size, 5, 40)
    column = int(graph.pdfs[0])
    scores[1, 17, column] = 5e4  # too large for single precision
    scores[2, 39, column] = float("nan")
    scores[3, 20] = NEVER
    finite = torch.tensor([0, 1, 3, 4])
    expected = sh.viterbi(scores[finite], graph)
    with on_cuda():
        path = sh.viterbi(scores, graph)
    assert torch.equal(path.states[finite], expected.states)
    assert torch.equal(path.score[finite], expected.score)
    assert expected.states[2].tolist() == [-1] * 40
    assert path.states[2].tolist() == [-1] * 40
    assert path.score[2].isnan()


@needs_device
@pytest.mark.parametrize("size", [7, 40, 80])
def test_weights_too_large_for_single_precision(size: int) -> None:
    scores, graph = problem(size, 3, 40, scale=1e4)
    assert_same_paths(scores, graph, [40, 33, 0])


# ---- sums


def sums(scores: Tensor, graph: sh.Graph, lengths: list[int], budget: int | None = None) -> list[Tensor]:
    """Whatever sums over paths give, the gradients with unlike factors."""
    counts = sh.expected_counts(scores, graph, lengths, memory_budget=budget)
    given = scores.detach().requires_grad_()
    total = sh.log_likelihood(given, graph, lengths, memory_budget=budget)
    finite = total.isfinite()
    total[finite].mul(torch.arange(1, 1 + int(finite.sum()))).sum().backward()
    return [
        sh.log_likelihood(scores, graph, lengths, memory_budget=budget),
        total.detach(),
        given.grad,
        sh.posteriors(scores, graph, lengths, memory_budget=budget),
        sh.posteriors(scores, graph, lengths, by="pdf", memory_budget=budget),
        counts.arcs,
        counts.initial,
        counts.final,
    ]


def assert_same_sums(
    scores: Tensor, graph: sh.Graph, lengths: list[int], budget: int | None = None, near: float = 2e-5
) -> None:
    expected = sums(scores.double(), graph, lengths)
    with on_cuda():
        found = sums(scores, graph, lengths, budget)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.double(), other.double(), rtol=2e-6, atol=near)


@needs_device
@pytest.mark.parametrize("size", [1, 8, 9, 32, 64, 65, 130])
def test_sums_are_those_of_the_cpu_in_double(size: int) -> None:
    for lengths in ([1], [33, 0, 40, 32, 7]):
        scores, graph = problem(size, len(lengths), max(lengths))
        assert_same_sums(scores, graph, lengths)
    assert_same_sums(scores, graph, lengths, budget=1)


@needs_device
@pytest.mark.parametrize("size", [6, 20, 64, 70])
def test_every_state_with_a_column_of_its_own(size: int) -> None:
    scores, _ = problem(size, 3, 40)
    rng = np.random.default_rng(size)
    graph = sh.Graph.dense(random_scores(rng, size, size))
    assert_same_sums(scores, graph, [40, 33, 8])


@needs_host
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("size", [5, 40, 100])
def test_sums_do_not_depend_on_the_order_of_threads(size: int, seed: int) -> None:
    scores, graph = problem(size, 3, 20)
    with on_cuda():
        expected = sums(scores, graph, [20, 0, 17])
        with order("RANDOM", seed):
            found = sums(scores, graph, [20, 0, 17])
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


@needs_host
@pytest.mark.parametrize("limits", CARDS, ids=str)
@pytest.mark.parametrize("size", [3, 70, 150])
def test_sums_on_small_and_large_cards(size: int, limits: tuple[int, int]) -> None:
    scores, graph = problem(size, 4, 20)
    with card(shared_bytes=limits[0], multiprocessors=limits[1]):
        assert_same_sums(scores, graph, [20, 0, 17, 5], budget=1)


@needs_device
@pytest.mark.parametrize("spread", [30.0, 200.0, 1e5])
@pytest.mark.parametrize("size", [4, 40, 70])
def test_probabilities_that_no_float_holds(size: int, spread: float) -> None:
    """One sequence of three; counts of what had been added up before are taken back."""
    scores, graph = problem(size, 3, 70)
    scores[1, 3:20] *= spread
    assert_same_sums(scores, graph, [70, 65, 33], near=1e-4)
    assert_same_sums(scores, graph, [70, 65, 33], budget=1, near=1e-4)


@needs_device
@pytest.mark.parametrize("size", [4, 40, 70])
def test_two_chains_that_never_meet(size: int) -> None:
    """The best end is reached only from a state that all but vanishes on the way."""
    matrix = torch.full((size, size), NEVER)
    matrix.diagonal().fill_(0.0)
    scores = torch.zeros(2, 40, size)
    scores[:, :20, 1], scores[:, 20:, 1] = -10.0, 25.0
    with on_cuda():
        total = sh.log_likelihood(scores, sh.Graph.dense(matrix))
        gamma = sh.posteriors(scores, sh.Graph.dense(matrix))
    assert total.tolist() == pytest.approx([300.0, 300.0], rel=1e-6)
    torch.testing.assert_close(gamma[:, :, 1], torch.ones(2, 40))


@needs_device
@pytest.mark.parametrize("size", [4, 40, 70])
def test_sums_of_a_sequence_without_a_path_and_of_a_bad_one(size: int) -> None:
    scores, graph = problem(size, 4, 35)
    scores[1, 20] = NEVER
    scores[2, 34, int(graph.pdfs[0])] = float("nan")
    sound = torch.tensor([0, 1, 3])
    expected = sh.posteriors(scores[sound].double(), graph)
    counts = sh.expected_counts(scores[sound].double(), graph)
    with on_cuda():
        total = sh.log_likelihood(scores, graph)
        gamma = sh.posteriors(scores, graph)
        found = sh.expected_counts(scores, graph)
    assert total[1].item() == NEVER
    assert total[2].isnan()
    assert gamma[2].isnan().all()
    assert gamma[1].count_nonzero() == 0
    torch.testing.assert_close(gamma[sound].double(), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found.arcs[sound], counts.arcs, rtol=1e-5, atol=1e-4)


@needs_device
@pytest.mark.parametrize("size", [6, 64, 70])
def test_long_sums_stay_near(size: int) -> None:
    scores, graph = problem(size, 1, 300)
    with on_cuda():
        gamma = sh.posteriors(scores, graph)
        total = sh.log_likelihood(scores, graph)
    torch.testing.assert_close(gamma.double(), sh.posteriors(scores.double(), graph), rtol=0, atol=1e-5)
    assert total.item() == pytest.approx(sh.log_likelihood(scores.double(), graph).item(), rel=1e-6)
