"""Gradients through ``log_likelihood`` to scores and to every weight, in every family."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cases import FAMILIES, random_case, random_scores, unrolled_arcs
from torch import Tensor

import streamhmm as sh
from streamhmm import reference

SIZE, COLUMNS = 5, 3


def leaves_of(rng: np.random.Generator, *shapes: tuple[int, ...]) -> list[Tensor]:
    return [torch.from_numpy(rng.normal(size=shape)).requires_grad_() for shape in shapes]


def graph_of(family: str, weight: Tensor, initial: Tensor, final: Tensor) -> sh.Graph:
    """A graph of a family with these as its weights; ``weight`` has one entry an arc."""
    pdfs, ends = [0, 1, 2, 1, 0], {"initial": initial, "final": final}
    if family in ("linear", "skip", "ctc"):
        skip = weight[:SIZE].flip(0) if family != "linear" else None
        return sh.Graph.linear(pdfs, self_loop=weight[:SIZE], advance=weight[-SIZE:], skip=skip, **ends)
    if family == "dense":
        return sh.Graph.dense(weight.reshape(SIZE, SIZE), pdfs=pdfs, **ends)
    arcs = random_case(np.random.default_rng(1), family, SIZE, COLUMNS).arcs()
    return sh.Graph.from_arcs(SIZE, arcs.src, arcs.dst, weight, pdfs=pdfs, **ends)


def arcs_of(family: str) -> int:
    if family in ("linear", "skip", "ctc", "dense"):
        return SIZE * SIZE
    return len(random_case(np.random.default_rng(1), family, SIZE, COLUMNS).arcs().src)


@pytest.mark.parametrize("family", FAMILIES)
def test_gradcheck_of_a_shared_graph(family: str) -> None:
    def total(scores: Tensor, *weights: Tensor) -> Tensor:
        return sh.log_likelihood(scores, graph_of(family, *weights), torch.tensor([6, 4]))

    leaves = leaves_of(np.random.default_rng(0), (2, 6, COLUMNS), (arcs_of(family),), (SIZE,), (SIZE,))
    assert torch.autograd.gradcheck(total, leaves)


@pytest.mark.parametrize("family", FAMILIES)
def test_gradcheck_of_graphs_that_share_weights(family: str) -> None:
    def total(scores: Tensor, *weights: Tensor) -> Tensor:
        graphs = [graph_of(family, weights[0] * factor, *weights[1:]) for factor in (1.0, -0.5, 2.0)]
        return sh.log_likelihood(scores, graphs, torch.tensor([5, 1, 4]))

    leaves = leaves_of(np.random.default_rng(2), (3, 5, COLUMNS), (arcs_of(family),), (SIZE,), (SIZE,))
    assert torch.autograd.gradcheck(total, leaves)


def test_gradcheck_of_transitions_that_change_with_time() -> None:
    def total(scores: Tensor, transitions: Tensor, initial: Tensor, final: Tensor) -> Tensor:
        shared = sh.log_likelihood(scores, sh.Graph.dense(transitions, initial, final))
        turned = sh.Graph.dense(transitions.mT, initial, final)
        return shared + sh.log_likelihood(scores, [turned, sh.Graph.dense(transitions[0], final, initial)])

    leaves = leaves_of(np.random.default_rng(3), (2, 4, 3), (5, 3, 3), (3,), (3,))
    assert torch.autograd.gradcheck(total, leaves)


def test_gradients_of_transitions_that_change_with_time_are_the_arcs_probabilities() -> None:
    rng = np.random.default_rng(4)
    transitions, scores = torch.from_numpy(rng.normal(size=(9, 3, 3))).requires_grad_(), random_scores(rng, 9, 3)
    sh.log_likelihood(scores, sh.Graph.dense(transitions)).backward()
    arcs = unrolled_arcs(transitions.detach(), torch.zeros(3).double(), torch.zeros(3).double())
    expected = reference.arc_counts(scores, arcs).reshape(8, 3, 3)
    torch.testing.assert_close(transitions.grad[1:], expected)
    assert transitions.grad[0].count_nonzero() == 0


@pytest.mark.parametrize("weights", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32], ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_precision(family: str, dtype: torch.dtype, weights: torch.dtype) -> None:
    rng = np.random.default_rng(5)
    scores = random_scores(rng, 2, 20, COLUMNS)
    values = [random_scores(rng, *shape) for shape in ((arcs_of(family),), (SIZE,), (SIZE,))]
    slopes = []
    for kind, kind_of_weights in ((dtype, weights), (torch.float64, torch.float64)):
        leaves = [scores.to(kind).requires_grad_(), *(each.to(kind_of_weights).requires_grad_() for each in values)]
        sh.log_likelihood(leaves[0], graph_of(family, *leaves[1:])).sum().backward()
        slopes.append([leaf.grad for leaf in leaves])
        assert [leaf.grad.dtype for leaf in leaves] == [kind, *[kind_of_weights] * 3]
    rough = max(torch.finfo(dtype).eps, torch.finfo(weights).eps, 1e-4)
    for slope, expected in zip(*slopes, strict=True):
        torch.testing.assert_close(slope.double(), expected, rtol=rough, atol=rough)
