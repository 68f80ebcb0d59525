"""``log_likelihood`` and its gradients against the oracle and against finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from cases import (
    FAMILIES,
    NEVER,
    Case,
    linear_arcs,
    long_enough,
    random_case,
    random_scores,
    small_cases,
    small_scores,
    unlike_cases,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import enumerate_paths
from torch import Tensor

import streamhmm as sh
from streamhmm import reference

DTYPES = (torch.float32, torch.float64)
CLOSE = {torch.float32: 1e-4, torch.float64: 1e-9}


@settings(derandomize=True, deadline=None, max_examples=300)
@given(small_cases(), small_scores(), st.sampled_from(DTYPES))
def test_small_graphs_equal_the_sum_over_all_paths(case: Case, scores: Tensor, dtype: torch.dtype) -> None:
    scores = scores.to(dtype, copy=True).requires_grad_()
    total = sh.log_likelihood(scores, case.graph())
    assert total.dtype == torch.float64
    assert total.shape == ()
    total.backward()
    if len(scores) == 0:
        assert total.item() == NEVER
        return
    listed = enumerate_paths(scores.detach(), case.arcs())
    assert total.item() == pytest.approx(listed.log_likelihood, rel=1e-6, abs=CLOSE[dtype])
    np.testing.assert_allclose(scores.grad, listed.pdf_posteriors, atol=CLOSE[dtype])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", [1, 2, 15, 17, 64, 65, 130, 260])
def test_any_size_equals_the_reference(size: int, family: str, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(size)
    case = random_case(rng, family, size, 5)
    graph, arcs = case.graph(), case.arcs()
    for frames in (1, 8, long_enough(family, 2 * size + 1)):
        scores = random_scores(rng, frames, 5)
        single = scores.to(dtype, copy=True).requires_grad_()
        total = sh.log_likelihood(single, graph)
        assert total.item() == pytest.approx(reference.log_likelihood(scores, arcs), rel=1e-6, abs=CLOSE[dtype])
        total.backward()
        assert single.grad.dtype == dtype
        np.testing.assert_allclose(single.grad, reference.pdf_posteriors(scores, arcs), atol=CLOSE[dtype])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_neighbouring_scores_200_nats_apart(family: str, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(2)
    case = random_case(rng, family, 40, 6)
    scores = random_scores(rng, 150, 6) + 200 * random_scores(rng, 150, 6).sign()
    given = scores.to(dtype, copy=True).requires_grad_()
    total = sh.log_likelihood(given, case.graph())
    assert total.item() == pytest.approx(reference.log_likelihood(scores, case.arcs()), rel=1e-7)
    total.backward()
    np.testing.assert_allclose(given.grad, reference.pdf_posteriors(scores, case.arcs()), atol=1e-4)


# ---- batches


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_batch_with_one_graph_each(dtype: torch.dtype) -> None:
    rng = np.random.default_rng(3)
    cases = unlike_cases(rng, 6)
    lengths = [80, 79, 80, 0, 41, 66]
    scores = random_scores(rng, len(cases), 80, 6).to(dtype).requires_grad_()
    total = sh.log_likelihood(scores, [case.graph() for case in cases], torch.tensor(lengths))
    share = torch.tensor([1.0, -2.0, 0.5, 3.0, 0.0, -0.25], dtype=torch.float64)
    torch.dot(share[share != 0], total[share != 0]).backward()
    for index, (case, length) in enumerate(zip(cases, lengths, strict=True)):
        sequence = scores[index, :length].detach()
        assert total[index].item() == pytest.approx(reference.log_likelihood(sequence, case.arcs()), rel=1e-6)
        expected = share[index] * reference.pdf_posteriors(sequence, case.arcs())
        np.testing.assert_allclose(scores.grad[index, :length], expected, atol=CLOSE[dtype])
        assert scores.grad[index, length:].count_nonzero() == 0


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_equals_its_sequences_one_by_one(family: str) -> None:
    rng = np.random.default_rng(4)
    graph = random_case(rng, family, 20, 6).graph()
    scores = torch.from_numpy(rng.normal(size=(6, 50, 6)))
    lengths = torch.tensor([50, 0, 1, 49, 33, 20])
    together = sh.log_likelihood(scores, graph, lengths)
    alone = [sh.log_likelihood(each[:length], graph) for each, length in zip(scores, lengths, strict=True)]
    assert together.tolist() == [each.item() for each in alone]


def test_no_path_has_no_gradient() -> None:
    rng = np.random.default_rng(5)
    weight = torch.zeros(6, dtype=torch.float64, requires_grad=True)
    graph = sh.Graph.linear([0, 1, 2, 0, 1, 2], self_loop=weight)
    scores = random_scores(rng, 4, 20, 3)
    scores[1, 7] = NEVER
    scores.requires_grad_()
    total = sh.log_likelihood(scores, graph, torch.tensor([20, 20, 5, 0]))
    assert total.isneginf().tolist() == [False, True, True, True]
    total.sum().backward()
    assert scores.grad[1:].count_nonzero() == 0
    torch.testing.assert_close(scores.grad[0].sum(1), torch.ones(20, dtype=torch.float64))
    single = weight.grad.clone()
    weight.grad = None
    sh.log_likelihood(scores[0], graph).backward()
    torch.testing.assert_close(weight.grad, single)


@pytest.mark.parametrize("one_each", [False, True])
def test_no_path_has_no_gradient_whatever_comes_from_above(one_each: bool) -> None:
    weight = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    graph = sh.Graph.linear([0, 1], self_loop=weight)
    scores = torch.zeros(3, 4, 2, dtype=torch.float64)
    scores[1, 2] = NEVER
    scores.requires_grad_()
    total = sh.log_likelihood(scores, [graph] * 3 if one_each else graph)
    total.square().sum().backward()  # d/dx x² at −inf is −inf
    assert scores.grad[1].count_nonzero() == 0
    expected = 2 * total[0].item() * 2 * torch.ones(2, dtype=torch.float64)
    torch.testing.assert_close(weight.grad, expected)


def test_an_empty_batch_has_an_empty_gradient() -> None:
    scores = torch.zeros(0, 4, 2, requires_grad=True)
    sh.log_likelihood(scores, sh.Graph.linear([0, 1])).sum().backward()
    assert scores.grad.shape == (0, 4, 2)


def test_forbidden_cells_have_no_gradient() -> None:
    scores = torch.zeros(3, 2, dtype=torch.float64)
    scores[1, 0] = NEVER
    scores.requires_grad_()
    sh.log_likelihood(scores, sh.Graph.linear([0, 1])).backward()
    assert scores.grad.tolist() == [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_scores(dtype: torch.dtype) -> None:
    rng = np.random.default_rng(6)
    case = random_case(rng, "ctc", 20, 6)
    scores = random_scores(rng, 70, 6)
    half = scores.to(dtype).requires_grad_()
    total = sh.log_likelihood(half, case.graph())
    assert total.item() == pytest.approx(reference.log_likelihood(scores, case.arcs()), abs=1e-4)
    total.backward()
    assert half.grad.dtype == dtype
    expected = reference.pdf_posteriors(scores, case.arcs())
    torch.testing.assert_close(half.grad.double(), expected, rtol=0, atol=float(torch.finfo(dtype).eps))


@pytest.mark.parametrize("shape", ["transposed", "strided", "expanded"])
def test_gradients_reach_views(shape: str) -> None:
    rng = np.random.default_rng(7)
    graph, scores = random_case(rng, "skip", 9, 4).graph(), random_scores(rng, 2, 30, 4)
    views: dict[str, tuple[Tensor, Callable[[Tensor], Tensor]]] = {
        "transposed": (scores.transpose(0, 2).contiguous(), lambda leaf: leaf.transpose(0, 2)),
        "strided": (scores.repeat_interleave(2, 1), lambda leaf: leaf[:, ::2]),
        "expanded": (scores[:1].clone(), lambda leaf: leaf.expand(2, -1, -1)),
    }
    leaf, view = views[shape]
    leaf.requires_grad_()
    sh.log_likelihood(view(leaf), graph).sum().backward()
    plain = view(leaf).detach().clone().requires_grad_()
    sh.log_likelihood(plain, graph).sum().backward()
    (expected,) = torch.autograd.grad(view(leaf), leaf, plain.grad)
    assert torch.equal(leaf.grad, expected)


# ---- gradients of the weights


def test_gradients_of_linear_weights_are_expected_counts() -> None:
    rng = np.random.default_rng(8)
    pdfs, scores = rng.integers(0, 4, 12).tolist(), random_scores(rng, 30, 4)
    weights = {name: torch.from_numpy(rng.normal(size=12)) for name in ("self_loop", "advance", "skip")}
    weights |= {name: torch.from_numpy(rng.normal(size=12)) for name in ("initial", "final")}
    arcs = linear_arcs(pdfs, **weights)
    counts, by_state = reference.arc_counts(scores, arcs), reference.posteriors(scores, arcs)
    leaves = {name: weight.requires_grad_() for name, weight in weights.items()}
    sh.log_likelihood(scores, sh.Graph.linear(pdfs, **leaves)).backward()
    for step, name in enumerate(("self_loop", "advance", "skip")):
        expected = torch.zeros(12, dtype=torch.float64)
        taken = arcs.dst - arcs.src == step
        expected[arcs.src[taken]] = counts[taken]
        torch.testing.assert_close(leaves[name].grad, expected)
    torch.testing.assert_close(leaves["initial"].grad, by_state[0])
    torch.testing.assert_close(leaves["final"].grad, by_state[-1])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("family", ["extra", "sparse"])
def test_gradients_of_arc_weights_are_expected_counts(family: str, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(9)
    case, scores = random_case(rng, family, 25, 4), random_scores(rng, 30, 4)
    expected = reference.arc_counts(scores, case.arcs())
    weight = case.arguments["weight"].to(dtype).requires_grad_()
    graph = Case("from_arcs", case.arguments | {"weight": weight}).graph()
    sh.log_likelihood(scores.to(dtype), graph).backward()
    assert weight.grad.dtype == dtype
    torch.testing.assert_close(weight.grad.double(), expected, rtol=1e-4, atol=CLOSE[dtype])


def leaves_of(rng: np.random.Generator, *shapes: tuple[int, ...]) -> list[Tensor]:
    return [torch.from_numpy(rng.normal(size=shape)).requires_grad_() for shape in shapes]


def test_gradcheck_linear() -> None:
    def total(scores: Tensor, loop: Tensor, advance: Tensor, skip: Tensor, initial: Tensor, final: Tensor) -> Tensor:
        graph = sh.Graph.linear(
            [0, 1, 1, 2, 0], self_loop=loop, advance=advance, skip=skip, initial=initial, final=final
        )
        return sh.log_likelihood(scores, graph)

    assert torch.autograd.gradcheck(total, leaves_of(np.random.default_rng(10), (6, 3), *[(5,)] * 5))


def test_gradcheck_ctc() -> None:
    def total(scores: Tensor) -> Tensor:
        return sh.log_likelihood(scores, sh.Graph.ctc([1, 2, 2]), torch.tensor([7, 5]))

    assert torch.autograd.gradcheck(total, leaves_of(np.random.default_rng(11), (2, 7, 3)))


@pytest.mark.parametrize("family", ["extra", "sparse"])
def test_gradcheck_arcs(family: str) -> None:
    rng = np.random.default_rng(12)
    arcs = random_case(rng, family, 6, 3).arcs()

    def total(scores: Tensor, weight: Tensor, initial: Tensor, final: Tensor) -> Tensor:
        ends: dict[str, Any] = {"pdfs": arcs.pdfs, "initial": initial, "final": final}
        return sh.log_likelihood(scores, sh.Graph.from_arcs(6, arcs.src, arcs.dst, weight, **ends))

    assert torch.autograd.gradcheck(total, leaves_of(rng, (2, 7, 3), (len(arcs.src),), (6,), (6,)))


def test_gradcheck_a_scalar_weight_and_weights_used_twice() -> None:
    def total(scores: Tensor, scalar: Tensor, shared: Tensor) -> Tensor:
        chain = sh.Graph.linear([0, 1, 2], self_loop=scalar, advance=shared, skip=shared, initial=shared)
        loop = sh.Graph.from_arcs(3, [0, 1, 2], [1, 2, 0], shared)
        return sh.log_likelihood(scores, [chain, loop, chain], torch.tensor([5, 4, 3]))

    assert torch.autograd.gradcheck(total, leaves_of(np.random.default_rng(13), (3, 5, 3), (), (3,)))


def test_a_graph_follows_its_weights() -> None:
    weight = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    graph, scores = sh.Graph.linear([0, 0], self_loop=weight), torch.zeros(3, 1, dtype=torch.float64)
    assert sh.log_likelihood(scores, graph).item() == pytest.approx(np.log(2))
    with torch.no_grad():
        weight += 1.0
    assert sh.log_likelihood(scores, graph).item() == pytest.approx(np.log(2) + 1)
    for _ in range(2):
        sh.log_likelihood(scores, graph).backward()
    torch.testing.assert_close(weight.grad, torch.ones(2, dtype=torch.float64))


def test_a_graph_used_for_inference_can_be_trained_with() -> None:
    graph, scores = sh.Graph.linear([0, 1]), torch.zeros(3, 2)
    with torch.inference_mode():
        sh.viterbi(scores, graph)
        expected = sh.posteriors(scores, graph, by="pdf")
    leaf = scores.clone().requires_grad_()
    sh.log_likelihood(leaf, graph).backward()
    torch.testing.assert_close(leaf.grad, expected.clone())


def test_second_derivatives_are_refused() -> None:
    scores = torch.zeros(3, 2, dtype=torch.float64, requires_grad=True)
    total = sh.log_likelihood(scores, sh.Graph.linear([0, 1]))
    (slope,) = torch.autograd.grad(total, scores, create_graph=True)
    with pytest.raises((RuntimeError, NotImplementedError)):
        slope.square().sum().backward()


def test_without_leaves_nothing_is_recorded() -> None:
    scores = torch.zeros(3, 2)
    assert not sh.log_likelihood(scores, sh.Graph.linear([0, 1])).requires_grad
    with torch.no_grad():
        assert not sh.log_likelihood(scores.requires_grad_(), sh.Graph.linear([0, 1])).requires_grad
