"""The kernels for plain linear graphs: tiles of 64 states that hand chunks of 32 frames on, in any order of blocks."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from cases import random_case, random_scores, unlike_cases
from on_cuda import HOST, card, needs_device, on_cuda, order

import streamhmm as sh

COLUMNS = 7
ORDERS = (("FORWARD", 0), ("REVERSE", 0), ("RANDOM", 1), ("RANDOM", 2))
FAMILIES = ("linear", "skip", "ctc")


def in_order(name: str, seed: int) -> Any:
    return order(name, seed) if HOST is not None else nullcontext()


def ctc_graph(rng: np.random.Generator, states: int) -> sh.Graph:
    """A CTC graph, which has an odd number of states."""
    return sh.Graph.ctc(rng.integers(1, COLUMNS, size=states // 2).tolist())


def real_scores(rng: np.random.Generator, *shape: int) -> torch.Tensor:
    return torch.from_numpy(rng.normal(scale=3, size=(*shape, COLUMNS)))


@needs_device
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("states", [1, 3, 63, 65, 127, 129, 321, 601])
def test_paths_through_ctc_graphs_of_any_size(states: int, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(states)
    graph = ctc_graph(rng, states)
    lengths = torch.tensor([0, 1, states, states + 33, 31, 32, 33])
    scores = real_scores(rng, len(lengths), states + 33).to(dtype)
    expected = sh.viterbi(scores, graph, lengths)
    with on_cuda():
        path = sh.viterbi(scores, graph, lengths)
        in_little_memory = sh.viterbi(scores, graph, lengths, memory_budget=1)
    assert torch.equal(path.states, expected.states)
    assert path.score.tolist() == pytest.approx(expected.score.tolist(), rel=1e-12)
    assert torch.equal(in_little_memory.states, expected.states)


@needs_device
@pytest.mark.parametrize("frames", [1, 2, 16, 17, 31, 32, 33, 63, 64, 65, 96, 97, 160])
@pytest.mark.parametrize("family", FAMILIES)
def test_paths_that_end_anywhere_in_a_chunk(family: str, frames: int) -> None:
    rng = np.random.default_rng(frames)
    case = random_case(rng, family, 70, COLUMNS)
    scores = random_scores(rng, frames, COLUMNS).float()
    expected = sh.viterbi(scores, case.graph())
    with on_cuda():
        path = sh.viterbi(scores, case.graph())
    assert torch.equal(path.states, expected.states)
    assert path.score == expected.score


@needs_device
def test_a_path_that_skips_in_every_frame() -> None:
    """It passes a tile in 32 frames: what the walk back may need of the tiles is all that it has."""
    graph = sh.Graph.linear([0] * 641, skip=0.0)
    frames = 321
    with on_cuda():
        path = sh.viterbi(torch.zeros(frames, 1), graph)
    assert path.states.tolist() == list(range(0, 641, 2))


@needs_device
@pytest.mark.parametrize(("name", "seed"), ORDERS)
def test_the_order_of_blocks_and_threads_changes_nothing(name: str, seed: int) -> None:
    rng = np.random.default_rng(5)
    graphs = [ctc_graph(rng, states) for states in (601, 5, 259, 1)]
    lengths = torch.tensor([330, 70, 150, 40])
    scores = real_scores(rng, 4, 330).float()
    expected = sh.viterbi(scores, graphs, lengths)
    likelihood = sh.log_likelihood(scores, graphs, lengths)
    by_pdf = sh.posteriors(scores, graphs, lengths, by="pdf")
    limited = card(shared_bytes=16 << 10, multiprocessors=1) if HOST is not None else nullcontext()
    with on_cuda(), limited, in_order(name, seed):
        path = sh.viterbi(scores, graphs, lengths)
        again = sh.log_likelihood(scores, graphs, lengths)
        shares = sh.posteriors(scores, graphs, lengths, by="pdf")
    assert torch.equal(path.states, expected.states)
    assert again.tolist() == pytest.approx(likelihood.tolist(), rel=1e-6)
    torch.testing.assert_close(shares, by_pdf, atol=1e-5, rtol=0)


@needs_device
@pytest.mark.parametrize(
    ("family", "dtype"), [("ctc", torch.float32), ("skip", torch.float64), ("skip", torch.float32)]
)
def test_sums_in_many_tiles_waves_and_segments(family: str, dtype: torch.dtype) -> None:
    """More frames than a wave of the sums covers where memory is short."""
    rng = np.random.default_rng(11)
    case, frames = random_case(rng, family, 130, COLUMNS), 1100
    scores = real_scores(rng, frames).to(dtype)
    graph = case.graph()
    tolerance = 2e-4 if dtype == torch.float32 else 1e-9
    expected = sh.posteriors(scores, graph), sh.posteriors(scores, graph, by="pdf")
    counts = sh.expected_counts(scores, graph)
    with on_cuda():
        for budget in (None, 1):
            by_state = sh.posteriors(scores, graph, memory_budget=budget)
            by_pdf = sh.posteriors(scores, graph, by="pdf", memory_budget=budget)
            torch.testing.assert_close(by_state, expected[0], atol=tolerance, rtol=0)
            torch.testing.assert_close(by_pdf, expected[1], atol=tolerance, rtol=0)
            again = sh.expected_counts(scores, graph, memory_budget=budget)
            torch.testing.assert_close(again.arcs, counts.arcs, atol=tolerance, rtol=1e-4)
            torch.testing.assert_close(again.initial, counts.initial, atol=tolerance, rtol=1e-4)
            torch.testing.assert_close(again.final, counts.final, atol=tolerance, rtol=1e-4)
        assert sh.log_likelihood(scores, graph) == pytest.approx(sh.log_likelihood(scores, graph).item(), rel=1e-7)
    assert torch.isfinite(by_pdf).all()


@needs_device
def test_posteriors_by_pdf_are_the_same_in_every_run() -> None:
    rng = np.random.default_rng(2)
    graph, scores = ctc_graph(rng, 201), real_scores(rng, 2, 230).float()
    results = []
    for name, seed in ORDERS:
        with on_cuda(), in_order(name, seed):
            results.append(sh.posteriors(scores, graph, by="pdf"))
    assert all(torch.equal(result, results[0]) for result in results)
    torch.testing.assert_close(results[0].sum(-1), torch.ones(2, 230), atol=1e-4, rtol=0)


@needs_device
def test_more_columns_than_shared_memory_holds() -> None:
    rng = np.random.default_rng(3)
    columns = 5000
    graph = sh.Graph.ctc(rng.integers(1, columns, size=20).tolist())
    scores = torch.from_numpy(rng.normal(size=(50, columns))).float()
    expected = sh.posteriors(scores, graph, by="pdf")
    with on_cuda(), card(shared_bytes=16 << 10) if HOST is not None else nullcontext():
        by_pdf = sh.posteriors(scores, graph, by="pdf")
    torch.testing.assert_close(by_pdf, expected, atol=1e-5, rtol=0)


@needs_device
def test_a_large_or_bad_score_in_one_tile_does_not_stop_the_others() -> None:
    rng = np.random.default_rng(4)
    graph = sh.Graph.linear([0] * 64 + [1] * 64 + [2] * 300, skip=0.0)
    scores = torch.from_numpy(rng.normal(size=(4, 300, 3))).float()
    scores[1, 5, 0] = 5000.0
    scores[2, 280, 2] = float("nan")
    expected = sh.viterbi(scores[[0, 1, 3]], graph)
    with on_cuda():
        for name, seed in ORDERS:
            with in_order(name, seed):
                path = sh.viterbi(scores, graph)
                assert torch.equal(path.states[[0, 1, 3]], expected.states)
                assert path.score.isnan().tolist() == [False, False, True, False]
                likelihood = sh.log_likelihood(scores, graph)
                assert likelihood.isnan().tolist() == [False, False, True, False]


@needs_device
def test_graphs_of_several_families_in_one_batch() -> None:
    rng = np.random.default_rng(6)
    cases = [*unlike_cases(rng, COLUMNS), random_case(rng, "ctc", 131, COLUMNS)]
    graphs = [case.graph() for case in cases]
    scores = real_scores(rng, len(graphs), 150).float()
    expected, likelihood = sh.viterbi(scores, graphs), sh.log_likelihood(scores, graphs)
    with on_cuda():
        path, again = sh.viterbi(scores, graphs), sh.log_likelihood(scores, graphs)
    assert torch.equal(path.states, expected.states)
    assert again.tolist() == pytest.approx(likelihood.tolist(), rel=1e-6)
