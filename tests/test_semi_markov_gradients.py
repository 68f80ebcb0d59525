"""Explicit durations: the gradients of ``log_likelihood``, what torch sees of the operations, and wrong calls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from cases import NEVER, Case, explicit_case, random_case, random_durations, random_scores, small_cases, small_scores
from hypothesis import given, settings
from oracle import enumerate_segments
from test_threads import torch_threads
from torch import Tensor

import streamhmm as sh

OPERATIONS = (sh.viterbi, sh.log_likelihood, sh.posteriors)


def leaves_of(rng: np.random.Generator, *shapes: tuple[int, ...]) -> list[Tensor]:
    return [torch.from_numpy(rng.normal(size=shape)).requires_grad_() for shape in shapes]


@pytest.mark.parametrize("family", ["extra", "sparse"])
def test_gradcheck_arcs(family: str) -> None:
    rng = np.random.default_rng(17)
    arcs = random_case(rng, family, 6, 3).arcs()

    def total(scores: Tensor, weight: Tensor, initial: Tensor, final: Tensor, durations: Tensor) -> Tensor:
        ends: dict[str, Any] = {"pdfs": arcs.pdfs, "initial": initial, "final": final}
        graph = sh.Graph.from_arcs(6, arcs.src, arcs.dst, weight, **ends)
        return sh.log_likelihood(scores, graph, [7, 5], durations=durations)

    assert torch.autograd.gradcheck(total, leaves_of(rng, (2, 7, 3), (len(arcs.src),), (6,), (6,), (6, 4)))


def test_gradcheck_linear_and_a_list_of_graphs() -> None:
    def total(scores: Tensor, loop: Tensor, advance: Tensor, moves: Tensor, durations: Tensor) -> Tensor:
        graphs = [sh.Graph.linear([0, 1, 2], self_loop=loop, advance=advance), sh.Graph.dense(moves)]
        return sh.log_likelihood(scores, graphs, durations=durations)

    assert torch.autograd.gradcheck(total, leaves_of(np.random.default_rng(18), (2, 6, 3), (3,), (3,), (3, 3), (3, 9)))


@pytest.mark.parametrize("states", [12, 40])
def test_gradients_of_many_arcs_in_either_form(states: int) -> None:
    """A matrix, or a list where there are many states and few arcs: the same counts as by a graph in another form."""
    rng = np.random.default_rng(19)
    arcs = random_case(rng, "sparse", states, 5).arcs()
    scores, durations = random_scores(rng, 40, 5), random_durations(rng, states, 9, barred=0.1)
    weight = arcs.weight.clone().requires_grad_()
    sh.log_likelihood(scores, explicit_case(arcs._replace(weight=weight)).graph(), durations=durations).backward()
    matrix = torch.full((states, states), NEVER, dtype=torch.float64)
    for i, j, each in zip(arcs.src.tolist(), arcs.dst.tolist(), arcs.weight.tolist(), strict=True):
        matrix[i, j] = torch.logaddexp(matrix[i, j], torch.tensor(each))
    matrix.requires_grad_()
    dense = sh.Graph.dense(matrix, initial=arcs.initial, final=arcs.final, pdfs=arcs.pdfs)
    sh.log_likelihood(scores, dense, durations=durations).backward()
    share = (arcs.weight - matrix.detach()[arcs.src, arcs.dst]).exp()
    torch.testing.assert_close(weight.grad, matrix.grad[arcs.src, arcs.dst] * share, rtol=0, atol=1e-10)


@settings(derandomize=True, deadline=None, max_examples=50)
@given(small_cases(), small_scores(max_frames=4))
def test_gradients_of_arcs_are_expected_counts(case: Case, scores: Tensor) -> None:
    if len(scores) == 0 or case.constructor != "from_arcs" or len(case.arguments["src"]) == 0:
        return
    weight = case.arguments["weight"].clone().requires_grad_()
    durations = torch.zeros(case.arguments["num_states"], 3, dtype=torch.float64, requires_grad=True)
    graph = Case("from_arcs", case.arguments | {"weight": weight}).graph()
    sh.log_likelihood(scores, graph, durations=durations).backward()
    listed = enumerate_segments(scores, case.arcs(), durations.detach())
    np.testing.assert_allclose(weight.grad, listed.arc_counts, atol=1e-9)
    frames = (durations.grad * torch.tensor([1.0, 2.0, 3.0])).sum(1)
    np.testing.assert_allclose(frames, listed.posteriors.sum(0), atol=1e-9)


def test_gradients_of_shared_weights_do_not_depend_on_threads() -> None:
    rng = np.random.default_rng(20)
    scores = torch.from_numpy(rng.normal(size=(8, 60, 4)))
    slopes = []
    for count in (1, 3):
        weight, durations = leaves_of(np.random.default_rng(21), (20,), (20, 15))
        graph = sh.Graph.linear(np.arange(20) % 4, self_loop=weight, advance=weight)
        with torch_threads(count):
            sh.log_likelihood(scores, graph, durations=durations).sum().backward()
        slopes.append((weight.grad, durations.grad))
    assert all(torch.equal(*pair) for pair in zip(*slopes, strict=True))


def test_no_path_has_no_gradient_whatever_comes_from_above() -> None:
    scores = torch.zeros(2, 4, 2, dtype=torch.float64)
    scores[1, 2] = NEVER
    scores.requires_grad_()
    durations = torch.zeros(2, 4, dtype=torch.float32, requires_grad=True)
    total = sh.log_likelihood(scores, sh.Graph.linear([0, 1]), durations=durations)
    total.square().sum().backward()
    assert scores.grad[1].count_nonzero() == 0
    assert scores.grad.isfinite().all()
    assert durations.grad.dtype == torch.float32
    assert durations.grad.isfinite().all()


def test_second_derivatives_are_refused() -> None:
    scores = torch.zeros(3, 2, dtype=torch.float64, requires_grad=True)
    total = sh.log_likelihood(scores, sh.Graph.linear([0, 1]), durations=torch.zeros(2, 3))
    (slope,) = torch.autograd.grad(total, scores, create_graph=True)
    with pytest.raises((RuntimeError, NotImplementedError)):
        slope.square().sum().backward()


def test_no_gradients_flow_through_paths_and_posteriors() -> None:
    durations = torch.zeros(2, 3, requires_grad=True)
    scores, graph = torch.zeros(4, 2, requires_grad=True), sh.Graph.linear([0, 1])
    assert not sh.posteriors(scores, graph, durations=durations).requires_grad
    assert not sh.viterbi(scores, graph, durations=durations).score.requires_grad


def test_torch_sees_the_operations() -> None:
    graph, scores = sh.Graph.linear([0, 1]), torch.randn(2, 5, 2, dtype=torch.float64)
    durations, weights = torch.randn(2, 4, dtype=torch.float64), graph.packed_weights(torch.float64)
    call = (scores, durations, torch.tensor([5, 3]), graph.structure, weights, 1 << 20)
    operations = torch.ops.streamhmm
    torch.library.opcheck(operations.semi_markov_viterbi.default, call)
    leaves = (scores.clone().requires_grad_(), durations.clone().requires_grad_(), *call[2:4])
    differentiable = (*leaves, weights.clone().requires_grad_(), 1 << 20)
    torch.library.opcheck(operations.semi_markov_log_likelihood.default, differentiable)
    for states in (0, 2):
        torch.library.opcheck(operations.semi_markov_posteriors.default, (*call, states))
    grad = torch.ones(2, dtype=torch.float64)
    for wanted in (False, True):
        torch.library.opcheck(operations.semi_markov_gradients.default, (grad, *call, wanted, wanted))


# ---- wrong calls

SCORES, GRAPH = torch.zeros(2, 5, 3), sh.Graph.linear([0, 1, 2])
WRONG_CALLS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "one axis": ({"durations": torch.zeros(3)}, ValueError, r"durations must be \(S, D\).*got shape \(3,\)"),
    "three axes": ({"durations": torch.zeros(2, 3, 4)}, ValueError, r"durations.*got shape \(2, 3, 4\)"),
    "no durations": ({"durations": torch.zeros(3, 0)}, ValueError, r"durations.*D at least 1, got shape \(3, 0\)"),
    "too few states": (
        {"durations": torch.zeros(2, 4)},
        ValueError,
        r"durations must have a row for each of the graph's 3 states, got shape \(2, 4\)",
    ),
    "graphs of different states": (
        {"durations": torch.zeros(3, 4), "graph": [GRAPH, sh.Graph.linear([0, 1])]},
        ValueError,
        r"durations must have a row for each of the graph's 2 states, got shape \(3, 4\)",
    ),
    "NaN": ({"durations": torch.full((3, 2), float("nan"))}, ValueError, r"durations must be finite or -inf.*got nan"),
    "infinite": ({"durations": torch.full((3, 2), float("inf"))}, ValueError, r"durations.*got inf"),
    "complex": (
        {"durations": torch.zeros(3, 2, dtype=torch.complex64)},
        TypeError,
        r"durations must be real.*complex64",
    ),
    "truth values": ({"durations": torch.ones(3, 2, dtype=torch.bool)}, TypeError, r"durations must be real.*bool"),
    "words": ({"durations": "long"}, TypeError, r"durations must be a tensor or rows of numbers, got str"),
    "ragged rows": ({"durations": [[0.0], [0.0, 1.0], []]}, TypeError, r"durations must be .*got list"),
    "transitions by frame": (
        {"durations": torch.zeros(3, 2), "graph": sh.Graph.dense(torch.zeros(5, 3, 3))},
        ValueError,
        r"durations are not supported with transitions that vary with time",
    ),
}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
@pytest.mark.parametrize("case", WRONG_CALLS)
def test_wrong_calls(case: str, operation: Any) -> None:
    changed, error, message = WRONG_CALLS[case]
    with pytest.raises(error, match=message):
        operation(**{"scores": SCORES, "graph": GRAPH} | changed)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_the_first_bad_frame_of_the_first_bad_sequence_is_named(bad: float, operation: Any) -> None:
    scores = torch.zeros(4, 30, 3)
    scores[3, 2, 0] = scores[2, 25, 1] = scores[2, 11, 2] = bad
    with pytest.raises(ValueError, match=r"sequence 2\b.*frame 11\b"):
        operation(scores, GRAPH, durations=torch.zeros(3, 4))


def test_the_compiled_core_checks_states_and_transitions() -> None:
    for graph, message in (
        (sh.Graph.linear([0, 1]), "differ in states"),
        (sh.Graph.dense(torch.zeros(5, 3, 3)), "vary"),
    ):
        call = (
            SCORES,
            torch.zeros(3, 2, dtype=torch.float64),
            None,
            graph.structure,
            graph.packed_weights(torch.float32),
        )
        with pytest.raises(ValueError, match=message):
            torch.ops.streamhmm.semi_markov_viterbi(*call, 1 << 20)
