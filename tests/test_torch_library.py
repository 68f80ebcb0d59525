"""What ``torch.compile``, ``torch.export`` and ``torch.library.opcheck`` see of the operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from cases import random_case
from torch import Tensor

import streamhmm as sh
from streamhmm import library, library_sums
from streamhmm.arguments import prepare

LENGTHS = torch.tensor([12, 7, 0])


def operands(family: str, shape: str, dtype: torch.dtype) -> tuple[Any, ...]:
    """What an operation gets: one sequence, a batch that shares a graph, or one graph each; weights with gradients."""
    rng = np.random.default_rng(0)
    graphs = [random_case(rng, family, 6, 4).graph() for _ in range(3)]
    scores = torch.from_numpy(rng.normal(size=(3, 12, 4))).to(dtype)
    if shape == "alone":
        return prepare(scores[0], graphs[0], None, 1000).arguments
    return prepare(scores, graphs if shape == "one graph each" else graphs[0], LENGTHS, None).arguments


def calls(scores: Tensor, *rest: Any) -> dict[str, tuple[Any, tuple[Any, ...]]]:
    """Each operation with the arguments that follow the operands."""
    batch = scores.shape[:-2]
    shared = int(rest[1][0]) == 1
    states = 6 if shared else 0
    masks = torch.ones((12, 6), dtype=torch.bool), torch.full((*batch, 12), -1)
    uniforms = torch.full((*batch, 2, 12), 0.5, dtype=torch.float64)
    return {
        "viterbi": (library.VITERBI, (float("inf"),)),
        "constrained_viterbi": (library.CONSTRAINED_VITERBI, masks),
        "log_likelihood": (library.LOG_LIKELIHOOD, ()),
        "posteriors": (library.POSTERIORS, (states,)),
        "expected_counts": (library_sums.EXPECTED_COUNTS, (len(scores) if shared and batch else 1,)),
        "forward_backward": (library_sums.FORWARD_BACKWARD, (len(scores) if shared and batch else 1,)),
        "smooth": (library_sums.SMOOTH, (3, True, states)),
        "sample": (library_sums.SAMPLE, (uniforms,)),
    }


NAMES = (
    "viterbi",
    "constrained_viterbi",
    "log_likelihood",
    "posteriors",
    "expected_counts",
    "forward_backward",
    "smooth",
    "sample",
)


SETTINGS = [(family, "shared graph", torch.float32) for family in ("skip", "extra", "sparse", "dense")]
SETTINGS += [("dense", shape, torch.float64) for shape in ("alone", "one graph each")]


@pytest.mark.parametrize(("family", "shape", "dtype"), SETTINGS)
@pytest.mark.parametrize("name", NAMES)
def test_opcheck(name: str, family: str, shape: str, dtype: torch.dtype) -> None:
    given = operands(family, shape, dtype)
    operation, rest = calls(*given)[name]
    torch.library.opcheck(operation, (*given, *rest))


@pytest.mark.parametrize(("family", "shape", "dtype"), SETTINGS)
def test_opcheck_with_gradients(family: str, shape: str, dtype: torch.dtype) -> None:
    scores, lengths, structure, weights, budget = operands(family, shape, dtype)
    leaves = scores.clone().requires_grad_(), lengths, structure, weights.clone().requires_grad_(), budget
    torch.library.opcheck(library.LOG_LIKELIHOOD, leaves)
    grad = torch.ones(scores.shape[:-2], dtype=torch.float64)
    for wants_weights in (False, True):
        torch.library.opcheck(library.GRADIENTS, (grad, scores, lengths, structure, weights, budget, wants_weights))


# ---- modules


class Model(torch.nn.Module):
    """A small network, a graph, and an operation on both."""

    def __init__(self, graph: Any, operation: Callable[..., Any]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.network = torch.nn.Linear(4, 4)
        self.weight = torch.nn.Parameter(torch.randn(6))
        self.matrix = torch.nn.Parameter(torch.randn(4, 4))
        self.graph = graph
        self.operation = operation

    def forward(self, features: Tensor, lengths: Tensor) -> Any:
        graph = self.graph(self) if callable(self.graph) else self.graph
        return self.operation(self.network(features).log_softmax(-1), graph, lengths)


OPERATIONS: dict[str, Callable[..., Any]] = {
    "viterbi": lambda *given: tuple(sh.viterbi(*given)),
    "viterbi with constraints": lambda *given: tuple(sh.viterbi(*given, fixed=[0, *[-1] * 11])),
    "log_likelihood": sh.log_likelihood,
    "posteriors": sh.posteriors,
    "posteriors by pdf": lambda *given: sh.posteriors(*given, by="pdf"),
    "expected_counts": lambda *given: tuple(sh.expected_counts(*given)),
    "expected_counts summed": lambda *given: tuple(sh.expected_counts(*given, reduction="sum")),
    "forward_backward": lambda *given: sh.forward_backward(*given)[:2],
    "filter": sh.filter,
    "smooth": lambda *given: sh.smooth(*given, lag=3),
    "sample": lambda *given: sh.sample(*given, num_samples=2),
}
GRAPHS: dict[str, Callable[[], Any]] = {
    "held": lambda: sh.Graph.ctc([1, 2, 3]),
    "held, with a parameter": lambda: sh.Graph.from_arcs(
        4, [0, 1, 2, 3, 3, 3], [1, 2, 3, 0, 2, 1], torch.nn.Parameter(torch.zeros(6))
    ),
    "a list": lambda: [sh.Graph.ctc([1]), sh.Graph.linear([2, 3])],
    "a chain made in forward": lambda: lambda model: sh.Graph.linear([0, 1, 2, 3, 2, 1], self_loop=model.weight),
    "a matrix made in forward": lambda: lambda model: sh.Graph.dense(model.matrix.log_softmax(-1)),
}
MAIN = ("viterbi", "log_likelihood", "posteriors", "expected_counts")
PAIRS = [(graph, operation) for graph in GRAPHS for operation in (OPERATIONS if graph == "held" else MAIN)]
FEATURES, FRAMES = torch.randn(2, 12, 4, generator=torch.Generator().manual_seed(1)), torch.tensor([12, 7])


def compiled(model: Model, how: str) -> Callable[..., Any]:
    torch.compiler.reset()
    if how == "export":
        return torch.export.export(model, (FEATURES, FRAMES)).module()
    return torch.compile(model, fullgraph=True, backend=how)


@pytest.mark.filterwarnings("ignore")  # of torch itself
@pytest.mark.parametrize("how", ["aot_eager", "export"])
@pytest.mark.parametrize(("graph", "operation"), PAIRS)
def test_traced_modules_give_the_same(graph: str, operation: str, how: str) -> None:
    model = Model(GRAPHS[graph](), OPERATIONS[operation])
    traced = compiled(model, how)
    torch.manual_seed(3)
    results = traced(FEATURES, FRAMES)
    torch.manual_seed(3)
    expected = model(FEATURES, FRAMES)
    if isinstance(expected, Tensor):
        results, expected = (results,), (expected,)
    for result, one in zip(results, expected, strict=True):
        assert torch.equal(result, one)
    if operation == "log_likelihood":
        slopes = [torch.autograd.grad(each[0].sum(), model.network.weight)[0] for each in (results, expected)]
        assert torch.equal(*slopes)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("operation", sorted(set(OPERATIONS) - {"viterbi with constraints"}))
def test_exported_modules_take_other_sizes(operation: str) -> None:
    model = Model(sh.Graph.ctc([1, 2, 3]), OPERATIONS[operation])
    auto = torch.export.Dim.AUTO
    exported = torch.export.export(model, (FEATURES, FRAMES), dynamic_shapes=({0: auto, 1: auto}, {0: auto})).module()
    features, lengths = torch.randn(3, 9, 4), torch.tensor([9, 0, 8])
    torch.manual_seed(3)
    results = exported(features, lengths)
    torch.manual_seed(3)
    expected = model(features, lengths)
    pairs = [(results, expected)] if isinstance(expected, Tensor) else zip(results, expected, strict=True)
    assert all(torch.equal(result, one) for result, one in pairs)


@pytest.mark.filterwarnings("ignore")
def test_what_tracing_cannot_know_is_checked_when_it_runs() -> None:
    model = Model(sh.Graph.ctc([1, 2]), sh.log_likelihood)
    for how in ("eager", "export"):
        traced = compiled(model, how)
        with pytest.raises(ValueError, match=r"lengths must be in 0…12, got 13"):
            traced(FEATURES, torch.tensor([12, 13]))
        with pytest.raises(ValueError, match=r"scores must be finite or -inf .*sequence 0, frame 0"):
            traced(torch.full_like(FEATURES, float("nan")), FRAMES)
    wide = Model(lambda model: sh.Graph.linear([0, 1, 7]), sh.viterbi)
    with pytest.raises(ValueError, match=r"graph pdfs must be in 0…3, got 7"):
        compiled(wide, "eager")(FEATURES, FRAMES)


def test_raw_operations_refuse_what_the_core_cannot_read() -> None:
    given = operands("skip", "shared graph", torch.float32)
    mask, fixed, uniforms = torch.ones(12, 6, dtype=torch.bool), torch.full((12,), -1), torch.zeros(3, 2, 12).double()
    wrong: list[tuple[Any, tuple[Any, ...], str]] = [
        (library.CONSTRAINED_VITERBI, (mask[:5], None), r"operand must be .* got torch.bool of shape \(5, 6\)"),
        (library.CONSTRAINED_VITERBI, (mask[:, :5].contiguous(), None), r"allowed must have 6 states, got 5"),
        (library.CONSTRAINED_VITERBI, (mask.float(), None), r"operand must be .* got torch.float32"),
        (library.CONSTRAINED_VITERBI, (None, fixed.int()), r"operand must be .* got torch.int32"),
        (library.CONSTRAINED_VITERBI, (None, fixed.repeat(2)[::2]), r"operand must be .* strides \(2,\)"),
        (library_sums.SAMPLE, (uniforms.float(),), r"operand must be .* got torch.float32"),
        (library_sums.SAMPLE, (uniforms[0],), r"operand must be .* got torch.float64 of shape \(2, 12\)"),
        (library_sums.SMOOTH, (-1, True, 6), r"lag must be at least 0 frames, got -1"),
        (library_sums.SMOOTH, (1, True, 3), r"states_wide"),
        (library_sums.EXPECTED_COUNTS, (2,), r"rows must be 1, or 3 where the batch shares a graph, got 2"),
    ]
    for operation, rest, message in wrong:
        with pytest.raises(ValueError, match=message):
            operation(*given, *rest)
