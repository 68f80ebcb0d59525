"""Wrong calls: each is refused by one message that names the argument, what was expected and what came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from cases import FAMILIES, NEVER, random_case

import streamhmm as sh
from streamhmm.graph import Graph


def smooth(*given: Any, **named: Any) -> torch.Tensor:
    return sh.smooth(*given, **named, lag=2)


def sample(*given: Any, **named: Any) -> torch.Tensor:
    return sh.sample(*given, **named, generator=torch.Generator().manual_seed(0))


OPERATIONS = (sh.viterbi, sh.log_likelihood, sh.posteriors, sh.expected_counts, sh.filter, smooth, sample)
NAN, INF = float("nan"), float("inf")
SCORES = torch.zeros(2, 5, 3)
GRAPH = Graph.linear([0, 1, 2])

WRONG_CALLS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "scores of one axis": (
        {"scores": torch.zeros(3)},
        ValueError,
        r"scores must be \(B, T, V\) or \(T, V\), got shape \(3,\)",
    ),
    "scores of four axes": ({"scores": torch.zeros(1, 2, 3, 4)}, ValueError, r"scores.*got shape \(1, 2, 3, 4\)"),
    "scores that are a list": ({"scores": [[0.0]]}, TypeError, r"scores must be a torch.Tensor, got list"),
    "scores that are an array": (
        {"scores": np.zeros((5, 3))},
        TypeError,
        r"scores must be a torch.Tensor, got ndarray",
    ),
    "whole scores": ({"scores": SCORES.long()}, TypeError, r"scores must be float16, .*got torch.int64"),
    "complex scores": (
        {"scores": SCORES.to(torch.complex64)},
        TypeError,
        r"scores must be float16, .*got torch.complex64",
    ),
    "too few columns": (
        {"scores": torch.zeros(5, 2)},
        ValueError,
        r"graph reads score column 2, but scores have 2 columns",
    ),
    "no graph": ({"graph": None}, TypeError, r"graph must be a Graph or a list of them, got NoneType"),
    "a list with something else": (
        {"graph": [GRAPH, "graph"]},
        TypeError,
        r"graph must be a Graph or a list of them, got str",
    ),
    "too few graphs": ({"graph": [GRAPH]}, ValueError, r"graph must be one Graph or a list of 2, .*got 1"),
    "a list of graphs for one sequence": (
        {"scores": SCORES[0], "graph": [GRAPH, GRAPH]},
        ValueError,
        r"graph must be one Graph or a list of 1, .*got 2",
    ),
    "no graphs": ({"graph": []}, ValueError, r"graph must be one Graph or a list of 2, .*got 0"),
    "lengths of the wrong size": (
        {"lengths": torch.tensor([5])},
        ValueError,
        r"lengths must be \(2,\), .*got shape \(1,\)",
    ),
    "lengths of two axes": (
        {"lengths": torch.tensor([[5, 5]])},
        ValueError,
        r"lengths must be \(2,\), .*got shape \(1, 2\)",
    ),
    "lengths that are not whole": (
        {"lengths": torch.tensor([5.0, 2.0])},
        TypeError,
        r"lengths must be integers, got torch.float32",
    ),
    "a negative length": (
        {"lengths": torch.tensor([5, -1])},
        ValueError,
        r"lengths must be in 0…5, got -1",
    ),
    "a length beyond the frames": (
        {"lengths": torch.tensor([6, 5])},
        ValueError,
        r"lengths must be in 0…5, got 6",
    ),
    "memory that is not whole": (
        {"memory_budget": float("inf")},
        TypeError,
        r"memory_budget must be a whole number of bytes, got inf",
    ),
    "less than no memory": ({"memory_budget": -1}, ValueError, r"memory_budget must be at least 0 bytes, got -1"),
}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
@pytest.mark.parametrize("case", WRONG_CALLS)
def test_wrong_calls(case: str, operation: Callable[..., Any]) -> None:
    changed, error, message = WRONG_CALLS[case]
    with pytest.raises(error, match=message):
        operation(**{"scores": SCORES, "graph": GRAPH} | changed)


def test_posteriors_by_something_else() -> None:
    with pytest.raises(ValueError, match='by must be "state" or "pdf", got \'phone\''):
        sh.posteriors(SCORES, GRAPH, by="phone")


# ---- scores that are no numbers


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("bad", [NAN, INF])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("frame", [0, 1, 39, 69])
def test_nan_and_infinity_are_found(
    frame: int, family: str, bad: float, dtype: torch.dtype, operation: Callable[..., Any]
) -> None:
    case = random_case(np.random.default_rng(1), family, 20, 4)
    scores = torch.zeros(3, 70, 4, dtype=dtype)
    scores[1, frame, int(case.arcs().pdfs[11])] = bad
    with pytest.raises(ValueError, match=rf"scores.*sequence 1\b.*frame {frame}\b"):
        operation(scores, case.graph())


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
def test_the_first_bad_frame_of_the_first_bad_sequence_is_named(operation: Callable[..., Any]) -> None:
    scores = torch.zeros(4, 30, 3)
    scores[3, 2, 0] = scores[2, 25, 1] = scores[2, 11, 2] = NAN
    with pytest.raises(ValueError, match=r"sequence 2\b.*frame 11\b"):
        operation(scores, GRAPH)
    with pytest.raises(ValueError, match=r"sequence 2\b.*frame 11\b"):
        operation(scores, GRAPH, memory_budget=1)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
def test_a_bad_frame_of_an_unbatched_call(operation: Callable[..., Any]) -> None:
    scores = torch.zeros(30, 3)
    scores[4, 1] = NAN
    with pytest.raises(ValueError, match=r"frame 4\b"):
        operation(scores, GRAPH)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("bad", [NAN, INF])
def test_what_no_state_reads_may_be_anything(bad: float, family: str, operation: Callable[..., Any]) -> None:
    graph = random_case(np.random.default_rng(2), family, 20, 4).graph()
    lengths = torch.tensor([50, 10, 0])
    clean, odd = torch.zeros(3, 50, 6), torch.zeros(3, 50, 6)
    odd[..., 4:] = bad
    odd[1, 10:] = bad
    odd[2] = bad
    results, expected = operation(odd, graph, lengths), operation(clean, graph, lengths)
    for result, other in zip(*((r,) if isinstance(r, torch.Tensor) else r for r in (results, expected)), strict=True):
        assert torch.equal(result[..., :50], other[..., :50])


# ---- graphs

WRONG_GRAPHS: dict[str, tuple[Callable[[], Graph], type[Exception], str]] = {
    "no pdfs": (lambda: Graph.linear([]), ValueError, r"pdfs must not be empty"),
    "pdfs of two axes": (lambda: Graph.linear([[0, 1]]), ValueError, r"pdfs.*got shape \(1, 2\)"),
    "a negative pdf": (lambda: Graph.linear([0, -1]), ValueError, r"pdfs.*got -1"),
    "pdfs that are not whole": (lambda: Graph.linear(torch.zeros(2)), TypeError, r"pdfs.*float32"),
    "a weight too short": (
        lambda: Graph.linear([0, 1, 2], self_loop=torch.zeros(2)),
        ValueError,
        r"self_loop.*\(3,\).*got shape \(2,\)",
    ),
    "an advance too long": (
        lambda: Graph.linear([0, 1, 2], advance=torch.zeros(4)),
        ValueError,
        r"advance.*\(3,\).*got shape \(4,\)",
    ),
    "a skip of two axes": (
        lambda: Graph.linear([0, 1, 2], skip=torch.zeros(3, 1)),
        ValueError,
        r"skip.*\(3,\).*got shape \(3, 1\)",
    ),
    "an initial too long": (
        lambda: Graph.linear([0, 1], initial=torch.zeros(3)),
        ValueError,
        r"initial.*\(2,\).*got shape \(3,\)",
    ),
    "a final too long": (
        lambda: Graph.linear([0, 1], final=torch.zeros(3)),
        ValueError,
        r"final.*\(2,\).*got shape \(3,\)",
    ),
    "a weight in words": (lambda: Graph.linear([0], self_loop="much"), TypeError, r"self_loop.*str"),
    "no weight for the next state": (lambda: Graph.linear([0, 1], advance=None), TypeError, r"advance.*NoneType"),
    "a weight that is no number": (lambda: Graph.linear([0], self_loop=NAN), ValueError, r"self_loop.*nan"),
    "an infinite weight": (
        lambda: Graph.linear([0, 0], advance=torch.tensor([0.0, INF])),
        ValueError,
        r"advance.*inf",
    ),
    "a label that is the blank": (lambda: Graph.ctc([1, 0, 2]), ValueError, r"labels.*blank.*0"),
    "a negative label": (lambda: Graph.ctc([1, -2]), ValueError, r"labels.*got -2"),
    "a negative blank": (lambda: Graph.ctc([1], blank=-1), ValueError, r"blank.*got -1"),
    "no states": (lambda: Graph.from_arcs(0, [], [], []), ValueError, r"num_states.*got 0"),
    "a source too high": (lambda: Graph.from_arcs(2, [2], [0], [0.0]), ValueError, r"src.*got 2"),
    "a negative source": (lambda: Graph.from_arcs(2, [-1], [0], [0.0]), ValueError, r"src.*got -1"),
    "a target too high": (lambda: Graph.from_arcs(2, [0], [5], [0.0]), ValueError, r"dst.*got 5"),
    "fewer targets": (
        lambda: Graph.from_arcs(2, [0, 1], [0], [0.0, 0.0]),
        ValueError,
        r"src and dst must have the same length, got 2 and 1",
    ),
    "fewer weights": (
        lambda: Graph.from_arcs(2, [0, 1], [0, 1], [0.0]),
        ValueError,
        r"weight.*\(2,\).*got shape \(1,\)",
    ),
    "a weight of an arc that is no number": (
        lambda: Graph.from_arcs(2, [0], [1], torch.tensor([NAN])),
        ValueError,
        r"weight.*nan",
    ),
    "too few pdfs": (
        lambda: Graph.from_arcs(2, [0], [1], [0.0], pdfs=[0]),
        ValueError,
        r"pdfs.*\(2,\).*got shape \(1,\)",
    ),
    "an initial too short": (
        lambda: Graph.from_arcs(2, [0], [1], [0.0], initial=[0.0]),
        ValueError,
        r"initial.*\(2,\).*got shape \(1,\)",
    ),
    "sources that are not whole": (
        lambda: Graph.from_arcs(2, torch.zeros(1), [1], [0.0]),
        TypeError,
        r"src.*float32",
    ),
}


@pytest.mark.parametrize("case", WRONG_GRAPHS)
def test_wrong_graphs(case: str) -> None:
    make, error, message = WRONG_GRAPHS[case]
    with pytest.raises(error, match=message):
        sh.viterbi(torch.zeros(1, 6), make())


def test_a_weight_too_large_for_the_scores_type() -> None:
    graph = Graph.linear([0, 0], self_loop=1e300)
    assert sh.viterbi(torch.zeros(3, 1, dtype=torch.float64), graph).score.item() == 1e300
    with pytest.raises(ValueError, match=r"inf"):
        sh.viterbi(torch.zeros(3, 1), graph)


def test_weights_that_became_no_numbers() -> None:
    weight = torch.zeros(2)
    graph = Graph.linear([0, 0], self_loop=weight)
    sh.viterbi(torch.zeros(3, 1), graph)
    weight[0] = NAN
    for operation in OPERATIONS:
        with pytest.raises(ValueError, match=r"nan"):
            operation(torch.zeros(3, 1), graph)


def test_minus_infinity_is_a_weight() -> None:
    graph = Graph.linear([0, 0], self_loop=NEVER, advance=torch.tensor([0.0, NEVER]))
    assert sh.viterbi(torch.zeros(2, 1), graph).score.item() == 0.0
