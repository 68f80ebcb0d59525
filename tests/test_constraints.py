"""``viterbi`` through allowed states only, and through fixed ones."""

from __future__ import annotations

from typing import Any

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
from oracle import rescore
from test_threads import instruction_set
from torch import Tensor

import streamhmm as sh
from streamhmm import _C, reference

DTYPES = (torch.float32, torch.float64)


def mask_of(fixed: Tensor, states: int) -> Tensor:
    """(…, T, S): the fixed state, or all."""
    return (fixed[..., None] == torch.arange(states)) | (fixed[..., None] < 0)


def assert_same(path: sh.Path, expected: Any) -> None:
    assert path.states.tolist() == expected.states.tolist()
    assert path.score.item() == pytest.approx(float(expected.score), rel=1e-14)  # families add up in their own order


@settings(derandomize=True, deadline=None, max_examples=200)
@given(small_cases(), small_scores(), st.integers(0, 2**30), st.sampled_from(DTYPES))
def test_small_graphs_equal_the_reference(case: Case, scores: Tensor, seed: int, dtype: torch.dtype) -> None:
    rng, arcs, graph = np.random.default_rng(seed), case.arcs(), case.graph()
    allowed = torch.from_numpy(rng.random((len(scores), arcs.num_states)) < 0.8)
    fixed = torch.from_numpy(np.where(rng.random(len(scores)) < 0.3, rng.integers(0, arcs.num_states, len(scores)), -1))
    both = allowed & mask_of(fixed, arcs.num_states)
    given = scores.to(dtype)
    assert_same(sh.viterbi(given, graph, allowed=allowed), reference.viterbi(scores, arcs, allowed))
    assert_same(sh.viterbi(given, graph, fixed=fixed), reference.viterbi(scores, arcs, mask_of(fixed, arcs.num_states)))
    assert_same(sh.viterbi(given, graph, allowed=allowed, fixed=fixed), reference.viterbi(scores, arcs, both))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", [1, 2, 17, 70])
def test_any_size_equals_the_reference(size: int, family: str, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(size)
    case, scores = random_case(rng, family, size, 5), random_scores(rng, size + 40, 5)
    graph, arcs = case.graph(), case.arcs()
    allowed = torch.from_numpy(rng.random((len(scores), arcs.num_states)) < 0.9)
    path = sh.viterbi(scores.to(dtype), graph, allowed=allowed)
    assert_same(path, reference.viterbi(scores, arcs, allowed))
    assert path.score.item() == rescore(scores, arcs, path.states)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_allowing_everything_changes_nothing(family: str, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(1)
    for size in (5, 64, 150):
        graph = random_case(rng, family, size, 7).graph()
        tying = random_scores(rng, 300, 7).to(dtype)
        for scores in (tying, tying + torch.from_numpy(rng.normal(size=(300, 7))).to(dtype), 1e4 * tying):
            free = sh.viterbi(scores, graph)
            everything = torch.ones(300, graph.num_states, dtype=torch.bool)
            assert_same(sh.viterbi(scores, graph, allowed=everything), free)
            assert_same(sh.viterbi(scores, graph, fixed=torch.full((300,), -1)), free)
            assert_same(sh.viterbi(scores, graph, fixed=free.states), free)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_best_path_without_its_own_states(family: str) -> None:
    rng = np.random.default_rng(2)
    case = random_case(rng, family, 20, 5)
    graph, scores = case.graph(), torch.from_numpy(rng.normal(size=(60, 5)))
    free = sh.viterbi(scores, graph)
    allowed = torch.ones(60, graph.num_states, dtype=torch.bool)
    allowed[30, free.states[30]] = False
    path = sh.viterbi(scores, graph, allowed=allowed)
    assert path.states[30] != free.states[30]
    assert path.score <= free.score + 1e-9
    assert path.score.item() == pytest.approx(rescore(scores, case.arcs(), path.states), abs=1e-9)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_budgets_and_instruction_sets_change_nothing(dtype: torch.dtype, family: str) -> None:
    rng = np.random.default_rng(3)
    graph = random_case(rng, family, 70, 5).graph()
    scores = torch.from_numpy(rng.normal(size=(400, 5))).to(dtype)
    allowed = torch.from_numpy(rng.random((400, graph.num_states)) < 0.95)
    expected = sh.viterbi(scores, graph, allowed=allowed)
    assert expected.score > NEVER
    for budget in (0, 1000, 30_000):
        assert_same(sh.viterbi(scores, graph, allowed=allowed, memory_budget=budget), expected)
    for name in _C.available_isas():
        with instruction_set(name):
            assert_same(sh.viterbi(scores, graph, allowed=allowed), expected)


def test_batches_share_a_constraint_or_have_their_own() -> None:
    rng = np.random.default_rng(4)
    cases = unlike_cases(rng, 6)
    graphs, lengths = [case.graph() for case in cases], torch.tensor([40, 39, 40, 0, 21, 33])
    scores, widest = random_scores(rng, len(cases), 40, 6).float(), max(graph.num_states for graph in graphs)
    own = torch.from_numpy(rng.random((len(cases), 40, widest)) < 0.9)
    own_fixed = torch.full((len(cases), 40), -1)
    own_fixed[:, 2] = torch.arange(len(cases))
    own_fixed[:, 39] = 10**6  # beyond the lengths of all but two sequences
    own_fixed[[0, 2], 39] = -1
    for allowed, fixed in ((own, None), (own[0], None), (None, own_fixed), (None, own_fixed[0]), (own, own_fixed)):
        together = sh.viterbi(scores, graphs, lengths, allowed=allowed, fixed=fixed)
        for index, (graph, length) in enumerate(zip(graphs, lengths, strict=True)):
            mask = allowed if allowed is None or allowed.dim() == 2 else allowed[index]
            states = fixed if fixed is None or fixed.dim() == 1 else fixed[index]
            alone = sh.viterbi(
                scores[index, :length],
                graph,
                allowed=None if mask is None else mask[:length, : graph.num_states],
                fixed=None if states is None else states[:length],
            )
            assert together.states[index, :length].tolist() == alone.states.tolist()
            assert (together.states[index, length:] == -1).all()
            assert together.score[index] == alone.score


def test_transitions_that_change_with_time() -> None:
    rng = np.random.default_rng(8)
    transitions, scores = torch.from_numpy(rng.normal(size=(40, 3, 3))), torch.from_numpy(rng.normal(size=(40, 3)))
    ends = torch.from_numpy(rng.normal(size=(2, 3)))
    allowed = torch.from_numpy(rng.random((40, 3)) < 0.8)
    arcs = unrolled_arcs(transitions, *ends)
    expected = reference.viterbi(scores, arcs, allowed.repeat(1, 40))
    for budget in (None, 0):
        path = sh.viterbi(scores, sh.Graph.dense(transitions, *ends), allowed=allowed, memory_budget=budget)
        assert (path.states + 3 * torch.arange(40)).tolist() == expected.states.tolist()
        assert path.score.item() == pytest.approx(expected.score, abs=1e-12)


def test_masks_need_not_be_contiguous_and_fixed_may_be_a_list() -> None:
    rng = np.random.default_rng(5)
    graph, scores = sh.Graph.dense(torch.zeros(3, 3)), random_scores(rng, 6, 3)
    allowed = torch.from_numpy(rng.random((6, 3)) < 0.7)
    allowed[:, 0] = True
    expected = sh.viterbi(scores, graph, allowed=allowed)
    assert_same(sh.viterbi(scores, graph, allowed=allowed.T.contiguous().T), expected)
    assert_same(sh.viterbi(scores, graph, allowed=allowed.repeat_interleave(2, 1)[:, ::2]), expected)
    assert sh.viterbi(scores, graph, fixed=[2, -1, 1, -1, -1, 0]).states[[0, 2, 5]].tolist() == [2, 1, 0]


def test_nothing_allowed_is_no_path() -> None:
    scores, graph = torch.zeros(2, 4, 2), sh.Graph.dense(torch.zeros(2, 2))
    for frame in range(4):
        allowed = torch.ones(2, 4, 2, dtype=torch.bool)
        allowed[1, frame] = False
        path = sh.viterbi(scores, graph, allowed=allowed)
        assert path.states.tolist() == [[0] * 4, [-1] * 4]
        assert path.score.tolist() == [0.0, NEVER]
    chain = sh.Graph.linear([0, 1])
    assert sh.viterbi(scores[0], chain, fixed=[1, -1, -1, -1]).score.item() == NEVER
    assert sh.viterbi(torch.zeros(0, 2), chain, allowed=torch.zeros(0, 2, dtype=torch.bool)).score.item() == NEVER


SCORES, GRAPH = torch.zeros(2, 5, 3), sh.Graph.linear([0, 1, 2])
WRONG: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "a mask of numbers": (
        {"allowed": torch.ones(5, 3)},
        TypeError,
        r"allowed must be a tensor of bool, got torch.float32",
    ),
    "a mask that is a list": ({"allowed": [[True]]}, TypeError, r"allowed must be a tensor of bool, got list"),
    "a mask of other states": (
        {"allowed": torch.ones(5, 4, dtype=torch.bool)},
        ValueError,
        r"allowed must be \(5, 3\) or \(2, 5, 3\), got shape \(5, 4\)",
    ),
    "fixed states that are not whole": (
        {"fixed": torch.zeros(5)},
        TypeError,
        r"fixed must be integers, got torch.float32",
    ),
    "fixed states of other frames": (
        {"fixed": torch.zeros(3, 5, dtype=torch.int64)},
        ValueError,
        r"fixed must be \(5,\) or \(2, 5\), got shape \(3, 5\)",
    ),
    "a fixed state too high": (
        {"fixed": [-1, 3, 0, 0, 0]},
        ValueError,
        r"fixed must be -1 or .* 0…2, got 3 in sequence [01], frame 1",
    ),
    "a fixed state too low": ({"fixed": [-1, -1, -2, 0, 0]}, ValueError, r"fixed .*got -2 in sequence [01], frame 2"),
    "constraints and durations": (
        {"fixed": [-1] * 5, "durations": torch.zeros(3, 2)},
        ValueError,
        r"durations do not go with allowed, fixed or beam",
    ),
    "a bad score": (
        {"scores": torch.full((2, 5, 3), float("nan")), "fixed": [0] * 5},
        ValueError,
        r"scores must be finite or -inf .*sequence 0, frame 0",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_calls(case: str) -> None:
    changed, error, message = WRONG[case]
    with pytest.raises(error, match=message):
        sh.viterbi(**{"scores": SCORES, "graph": GRAPH} | changed)
