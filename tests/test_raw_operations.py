"""``torch.ops.streamhmm`` called by itself: tensors that the core can't read are refused, whatever is in them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import streamhmm as sh
import streamhmm.library  # registers the operations
import streamhmm.library_semi_markov
from streamhmm.packing import pack_structure

GRAPHS = [sh.Graph.linear([0, 1, 2], skip=0.0), sh.Graph.linear([2, 1])]
SCORES = torch.zeros(2, 5, 3)
STRUCTURE = pack_structure(GRAPHS)
WEIGHTS = torch.cat([graph.packed_weights(torch.float32) for graph in GRAPHS])
LENGTHS = torch.tensor([5, 4])
GOOD = {"scores": SCORES, "lengths": LENGTHS, "structure": STRUCTURE, "weights": WEIGHTS, "memory_budget": 1000}
FIRST_OFFSET, FIRST_WEIGHTS, SECOND_WEIGHTS = 5, 6, 12  # places in STRUCTURE: csrc/graph.h


def replaced(tensor: Tensor, place: int, value: float) -> Tensor:
    other = tensor.clone()
    other[place] = value
    return other


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "half scores": ({"scores": SCORES.half()}, r"scores must be .*float32 or float64.*got torch.float16 of shape"),
    "scores of one axis": ({"scores": SCORES[0, 0]}, r"scores must be \(B, T, V\) or \(T, V\).*of shape \(3,\)"),
    "scores of four axes": ({"scores": SCORES[None]}, r"scores must be .*of shape \(1, 2, 5, 3\)"),
    "scores with gaps": (
        {"scores": torch.zeros(2, 5, 6)[..., ::2]},
        r"with the last axis contiguous, got torch.float32 .*strides \(30, 6, 2\)",
    ),
    "weights of another type": (
        {"weights": WEIGHTS.double()},
        r"weights must be contiguous and torch.float32, got torch.float64 of shape",
    ),
    "weights with gaps": ({"weights": WEIGHTS.repeat(2)[::2]}, r"weights must be contiguous.*strides \(2,\)"),
    "weights that are no numbers": (
        {"weights": replaced(WEIGHTS, 2, float("nan"))},
        r"graph weights must be finite or -inf, got NaN or \+inf",
    ),
    "too few weights": ({"weights": WEIGHTS[:-1]}, r"malformed graph structure: weights"),
    "a long structure": (
        {"structure": STRUCTURE.long()},
        r"structure must be contiguous and torch.int32, got",
    ),
    "a structure with gaps": ({"structure": STRUCTURE.repeat(2)[::2]}, r"structure must be contiguous.*strides \(2,\)"),
    "no structure": ({"structure": STRUCTURE[:0]}, r"malformed graph structure: header"),
    "graphs that share weights": (
        {"structure": replaced(STRUCTURE, SECOND_WEIGHTS, int(STRUCTURE[SECOND_WEIGHTS]) - 1)},
        r"malformed graph structure: weights",
    ),
    "a body outside": ({"structure": replaced(STRUCTURE, FIRST_OFFSET, 1000)}, r"malformed graph structure: body"),
    "weights outside": ({"structure": replaced(STRUCTURE, FIRST_WEIGHTS, -1)}, r"malformed graph structure: sizes"),
    "short lengths": (
        {"lengths": LENGTHS.int()},
        r"lengths must be \(2,\), contiguous and torch.int64, got",
    ),
    "too few lengths": ({"lengths": LENGTHS[:1]}, r"lengths must be \(2,\).*of shape \(1,\)"),
    "lengths with gaps": ({"lengths": LENGTHS.repeat(2)[::2]}, r"lengths must be .*strides \(2,\)"),
    "a length too large": ({"lengths": torch.tensor([5, 6])}, r"lengths must be in 0…5, got 6"),
    "a negative length": ({"lengths": torch.tensor([-1, 5])}, r"lengths must be in 0…5, got -1"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_operands(case: str) -> None:
    changed, message = WRONG[case]
    operands = list((GOOD | changed).values())
    slope = torch.ones(2, dtype=torch.float64)
    for operation, arguments in (
        (torch.ops.streamhmm.viterbi, [*operands, float("inf")]),
        (torch.ops.streamhmm.log_likelihood, operands),
        (torch.ops.streamhmm.posteriors, [*operands, 3]),
        (torch.ops.streamhmm.posteriors, [*operands, 0]),
    ):
        with pytest.raises(ValueError, match=message):
            operation(*arguments)
    with pytest.raises((ValueError, IndexError)):
        torch.ops.streamhmm.gradients(slope, *operands, True)


def test_posteriors_narrower_than_a_graph() -> None:
    with pytest.raises(ValueError, match=r"states must be at least 3, got 2"):
        torch.ops.streamhmm.posteriors(*GOOD.values(), 2)


DURATIONS = torch.zeros(3, 4, dtype=torch.float64)


def semi_markov(durations: Tensor, states: int) -> Tensor:
    graph = GRAPHS[0]
    operands = (LENGTHS, graph.structure, graph.packed_weights(torch.float32), 1000)
    result: Tensor = torch.ops.streamhmm.semi_markov_posteriors(SCORES, durations, *operands, states)
    return result


def test_semi_markov_posteriors_narrower_than_a_graph() -> None:
    with pytest.raises(ValueError, match=r"states must be at least 3, got 2"):
        semi_markov(DURATIONS, 2)


def test_no_durations() -> None:
    with pytest.raises(ValueError, match=r"durations must be \(S, D\) with D at least 1"):
        semi_markov(DURATIONS[:, :0].contiguous(), 3)


@pytest.mark.parametrize("durations", [DURATIONS.float(), DURATIONS.T, DURATIONS[None]], ids=("float", "T", "3 axes"))
def test_durations_that_the_core_cannot_read(durations: Tensor) -> None:
    with pytest.raises(ValueError, match=r"an operand must be contiguous and torch.float64 of shape"):
        semi_markov(durations, 3)


def test_good_operands() -> None:
    states, _ = torch.ops.streamhmm.viterbi(*GOOD.values(), float("inf"))
    assert torch.equal(states, sh.viterbi(SCORES, GRAPHS, LENGTHS).states)
    wide = torch.ops.streamhmm.posteriors(*GOOD.values(), 7)
    assert torch.equal(wide[..., :3], sh.posteriors(SCORES, GRAPHS, LENGTHS))
    assert not wide[..., 3:].any()
