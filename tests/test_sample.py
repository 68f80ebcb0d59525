"""``sample``: the paths that given numbers choose, and how often each comes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from cases import (
    FAMILIES,
    NEVER,
    Case,
    dense_arcs,
    explicit_case,
    random_case,
    random_scores,
    small_cases,
    small_scores,
    unrolled_arcs,
)
from hypothesis import given, settings
from oracle import enumerate_paths
from test_threads import instruction_set, torch_threads
from torch import Tensor

import streamhmm as sh
from streamhmm import _C, reference

DTYPES = (torch.float32, torch.float64)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def numbers(*shape: int) -> Tensor:
    """What ``sample`` draws from ``seeded()``."""
    return torch.rand(shape, dtype=torch.float64, generator=seeded())


@settings(derandomize=True, deadline=None, max_examples=100)
@given(small_cases(), small_scores())
def test_small_graphs_equal_the_reference(case: Case, scores: Tensor) -> None:
    states = sh.sample(scores, case.graph(), num_samples=4, generator=seeded())
    assert states.dtype == torch.int64
    assert states.shape == (4, len(scores))
    for path, uniforms in zip(states, numbers(4, len(scores)), strict=True):
        assert path.tolist() == reference.sample(scores, case.arcs(), uniforms).tolist()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", [1, 2, 17, 33])
def test_any_size_equals_the_reference(size: int, family: str) -> None:
    rng = np.random.default_rng(size)
    case, scores = random_case(rng, family, size, 5), random_scores(rng, size + 3, 5)
    states = sh.sample(scores, case.graph(), num_samples=3, generator=seeded())
    for path, uniforms in zip(states, numbers(3, len(scores)), strict=True):
        assert path.tolist() == reference.sample(scores, case.arcs(), uniforms).tolist()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_path_comes_as_often_as_it_should(family: str, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(11)
    case = random_case(rng, family, 3, 3)
    arcs, scores, count = case.arcs(), torch.from_numpy(rng.normal(size=(5, 3))), 20_000
    states = sh.sample(scores.to(dtype), case.graph(), num_samples=count, generator=seeded())
    listed = enumerate_paths(scores, arcs)
    size = arcs.num_states
    found = np.zeros(size**5)
    np.add.at(found, (states @ size ** torch.arange(4, -1, -1)).numpy(), 1)
    expected = np.zeros(size**5)
    for index, path in enumerate(itertools.product(range(size), repeat=5)):
        expected[index] = np.exp(log_weight(scores, arcs, path) - listed.log_likelihood) * count
    assert expected.sum() == pytest.approx(count)
    assert found[expected == 0].sum() == 0
    often = expected > 5
    chi_square = ((found - expected)[often] ** 2 / expected[often]).sum()
    assert chi_square < often.sum() + 5 * np.sqrt(2 * often.sum())


def log_weight(scores: Tensor, arcs: reference.Arcs, path: tuple[int, ...]) -> float:
    """A path's score with parallel arcs added up."""
    total = float(arcs.initial[path[0]] + arcs.final[path[-1]])
    total += sum(float(scores[t, arcs.pdfs[state]]) for t, state in enumerate(path))
    for i, j in itertools.pairwise(path):
        total += float(arcs.weight[(arcs.src == i) & (arcs.dst == j)].double().logsumexp(0))
    return total


def test_parallel_arcs_add_up() -> None:
    arcs = explicit_case(
        reference.Arcs(
            2,
            *torch.tensor([[0, 0, 0], [1, 1, 0]]),
            torch.zeros(3),
            torch.tensor([0, 0]),
            torch.zeros(2),
            torch.zeros(2),
        )
    )
    states = sh.sample(torch.zeros(2, 1), arcs.graph(), num_samples=30_000, generator=seeded())
    assert states[:, 1].double().mean().item() == pytest.approx(2 / 3, abs=0.01)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_takes_its_numbers_in_order(family: str) -> None:
    rng = np.random.default_rng(3)
    graph = random_case(rng, family, 12, 5).graph()
    scores, lengths = torch.from_numpy(rng.normal(size=(3, 20, 5))), torch.tensor([20, 0, 13])
    states = sh.sample(scores, graph, lengths, 4, generator=seeded())
    assert states.shape == (3, 4, 20)
    for index, (length, uniforms) in enumerate(zip(lengths, numbers(3, 4, 20), strict=True)):
        assert (states[index, :, length:] == -1).all()
        assert (states[index, :, :length] >= 0).all()
        for path, chosen in zip(states[index], uniforms, strict=True):
            expected = torch.ops.streamhmm.sample(
                scores[index, :length],
                None,
                graph.structure,
                graph.packed_weights(scores.dtype),
                -1,
                chosen[None, :length].contiguous(),
            )
            assert torch.equal(path[:length], expected[0])


def test_one_graph_each_and_no_path() -> None:
    graphs = [sh.Graph.linear([0, 1]), sh.Graph.dense(torch.zeros(3, 3)), sh.Graph.linear([0, 1, 2])]
    scores = torch.zeros(3, 6, 3)
    scores[2, 3] = NEVER
    states = sh.sample(scores, graphs, num_samples=5, generator=seeded())
    assert (states[0, :, 0] == 0).all()
    assert (states[0, :, -1] == 1).all()
    assert set(states[1].unique().tolist()) == {0, 1, 2}
    assert (states[2] == -1).all()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_seed_gives_the_same_paths_however_they_are_computed(dtype: torch.dtype, family: str) -> None:
    rng = np.random.default_rng(4)
    graph = random_case(rng, family, 40, 5).graph()
    scores = torch.from_numpy(rng.normal(size=(4, 90, 5))).to(dtype)
    expected = sh.sample(scores, graph, num_samples=6, generator=seeded(1))
    assert not torch.equal(sh.sample(scores, graph, num_samples=6, generator=seeded(2)), expected)
    for budget in (0, 10_000):
        assert torch.equal(sh.sample(scores, graph, num_samples=6, generator=seeded(1), memory_budget=budget), expected)
    for threads in (1, 3):
        with torch_threads(threads):
            assert torch.equal(sh.sample(scores, graph, num_samples=6, generator=seeded(1)), expected)
    for name in _C.available_isas():
        with instruction_set(name):
            assert torch.equal(sh.sample(scores, graph, num_samples=6, generator=seeded(1)), expected)
    torch.manual_seed(7)
    by_default = sh.sample(scores, graph)
    torch.manual_seed(7)
    assert torch.equal(sh.sample(scores, graph), by_default)


def test_transitions_that_change_with_time() -> None:
    rng = np.random.default_rng(8)
    transitions, scores = torch.from_numpy(rng.normal(size=(12, 3, 3))), torch.from_numpy(rng.normal(size=(12, 3)))
    ends = torch.from_numpy(rng.normal(size=(2, 3)))
    states = sh.sample(scores, sh.Graph.dense(transitions, *ends), num_samples=20, generator=seeded())
    arcs = unrolled_arcs(transitions, *ends)
    for path, uniforms in zip(states, numbers(20, 12), strict=True):
        assert (path + 3 * torch.arange(12)).tolist() == reference.sample(scores, arcs, uniforms).tolist()


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_beyond_the_range_of_scaled_numbers(family: str) -> None:
    rng = np.random.default_rng(6)
    case, scores = random_case(rng, family, 8, 4), 1e9 * random_scores(rng, 9, 4)
    states = sh.sample(scores, case.graph(), num_samples=3, generator=seeded())
    for path, uniforms in zip(states, numbers(3, 9), strict=True):
        assert path.tolist() == reference.sample(scores, case.arcs(), uniforms).tolist()


@pytest.mark.parametrize("fall", [150.0, 2000.0])  # beyond single precision, and beyond double
@pytest.mark.parametrize("apart", [NEVER, -100.0, -10.0])
def test_a_state_comes_back_from_far_below(apart: float, fall: float) -> None:
    scores = torch.zeros(30, 2, dtype=torch.float64)
    scores[:15, 0], scores[15:, 1] = -fall / 15, -fall / 15
    transitions = torch.tensor([[0.0, apart], [apart, 0.0]], dtype=torch.float64)
    states = sh.sample(scores, sh.Graph.dense(transitions), num_samples=20, generator=seeded())
    for path, uniforms in zip(states, numbers(20, 30), strict=True):
        assert path.tolist() == reference.sample(scores, dense_arcs(transitions), uniforms).tolist()


def test_no_frames_and_an_empty_batch() -> None:
    graph = sh.Graph.linear([0, 1, 1])
    assert sh.sample(torch.zeros(0, 5, 2), graph).shape == (0, 1, 5)
    assert sh.sample(torch.zeros(4, 0, 2), graph, num_samples=2).shape == (4, 2, 0)


def test_wrong_calls() -> None:
    scores, graph = torch.zeros(5, 3), sh.Graph.linear([0, 1, 2])
    with pytest.raises(ValueError, match=r"num_samples must be at least 1, got 0"):
        sh.sample(scores, graph, num_samples=0)
    with pytest.raises(TypeError, match=r"num_samples must be an integer, got float"):
        sh.sample(scores, graph, num_samples=2.0)
