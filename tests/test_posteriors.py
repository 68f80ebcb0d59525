"""``posteriors`` by state and by pdf against the oracle."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cases import (
    FAMILIES,
    NEVER,
    Case,
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
def test_small_graphs_equal_the_list_of_all_paths(case: Case, scores: Tensor, dtype: torch.dtype) -> None:
    graph, single = case.graph(), scores.to(dtype)
    by_state, by_pdf = sh.posteriors(single, graph), sh.posteriors(single, graph, by="pdf")
    assert by_state.dtype == by_pdf.dtype == dtype
    assert by_state.shape == (len(scores), graph.num_states)
    assert by_pdf.shape == scores.shape
    if len(scores) > 0:
        listed = enumerate_paths(scores, case.arcs())
        np.testing.assert_allclose(by_state, listed.posteriors, atol=CLOSE[dtype])
        np.testing.assert_allclose(by_pdf, listed.pdf_posteriors, atol=CLOSE[dtype])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", [1, 2, 15, 17, 64, 65, 130, 260])
def test_any_size_equals_the_reference(size: int, family: str, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(size)
    case = random_case(rng, family, size, 5)
    graph, arcs = case.graph(), case.arcs()
    for frames in (1, 9, long_enough(family, 3 * size)):
        scores = random_scores(rng, frames, 5)
        by_state = sh.posteriors(scores.to(dtype), graph)
        np.testing.assert_allclose(by_state, reference.posteriors(scores, arcs), atol=CLOSE[dtype])
        np.testing.assert_allclose(by_state.sum(1), by_state.any(1), atol=CLOSE[dtype])
        by_pdf = sh.posteriors(scores.to(dtype), graph, by="pdf")
        np.testing.assert_allclose(by_pdf, reference.pdf_posteriors(scores, arcs), atol=CLOSE[dtype])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_neighbouring_scores_200_nats_apart(family: str, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(2)
    case = random_case(rng, family, 40, 6)
    scores = random_scores(rng, 150, 6) + 200 * random_scores(rng, 150, 6).sign()
    by_state = sh.posteriors(scores.to(dtype), case.graph())
    np.testing.assert_allclose(by_state, reference.posteriors(scores, case.arcs()), atol=1e-4)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("by", ["state", "pdf"])
def test_a_batch_with_one_graph_each(by: str, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(3)
    cases = unlike_cases(rng, 6)
    graphs = [case.graph() for case in cases]
    lengths = [80, 79, 80, 0, 41, 66]
    scores = random_scores(rng, len(cases), 80, 6)
    padded = scores.clone()
    for index, length in enumerate(lengths):
        padded[index, length:] = float("nan")
    result = sh.posteriors(padded.to(dtype), graphs, torch.tensor(lengths), by=by)
    width = 6 if by == "pdf" else max(graph.num_states for graph in graphs)
    assert result.shape == (len(cases), 80, width)
    of_one = reference.pdf_posteriors if by == "pdf" else reference.posteriors
    for index, (case, length) in enumerate(zip(cases, lengths, strict=True)):
        expected = of_one(scores[index, :length], case.arcs())
        np.testing.assert_allclose(result[index, :length, : expected.shape[1]], expected, atol=CLOSE[dtype])
        assert result[index, length:].count_nonzero() == 0
        assert result[index, :, expected.shape[1] :].count_nonzero() == 0


@pytest.mark.parametrize("by", ["state", "pdf"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_equals_its_sequences_one_by_one(family: str, by: str) -> None:
    rng = np.random.default_rng(4)
    graph = random_case(rng, family, 20, 6).graph()
    scores = torch.from_numpy(rng.normal(size=(5, 50, 6)))
    lengths = torch.tensor([50, 1, 49, 33, 20])
    together = sh.posteriors(scores, graph, lengths, by=by)
    for sequence, length, result in zip(scores, lengths, together, strict=True):
        assert torch.equal(result[:length], sh.posteriors(sequence[:length], graph, by=by))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_they_are_the_gradient_of_the_log_likelihood(family: str, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(5)
    graph = random_case(rng, family, 30, 6).graph()
    scores = torch.from_numpy(rng.normal(scale=2, size=(90, 6))).to(dtype).requires_grad_()
    sh.log_likelihood(scores, graph).backward()
    torch.testing.assert_close(sh.posteriors(scores, graph, by="pdf"), scores.grad, rtol=0, atol=CLOSE[dtype])


@pytest.mark.parametrize("by", ["state", "pdf"])
def test_no_path_means_zeros(by: str) -> None:
    scores = torch.zeros(3, 10, 2)
    scores[1, 4] = NEVER
    result = sh.posteriors(scores, sh.Graph.linear([0, 1, 0]), torch.tensor([10, 10, 2]), by=by)
    assert result[1:].count_nonzero() == 0
    torch.testing.assert_close(result[0].sum(1), torch.ones(10))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_half_precision_scores_give_single_precision_posteriors(family: str, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(6)
    case, scores = random_case(rng, family, 20, 6), random_scores(rng, 60, 6)
    result = sh.posteriors(scores.to(dtype), case.graph())
    assert result.dtype == torch.float32
    np.testing.assert_allclose(result, reference.posteriors(scores, case.arcs()), atol=1e-4)


def test_scores_need_not_be_contiguous() -> None:
    rng = np.random.default_rng(7)
    graph, scores = random_case(rng, "skip", 9, 4).graph(), random_scores(rng, 3, 30, 4)
    expected = sh.posteriors(scores, graph)
    assert torch.equal(sh.posteriors(scores.permute(2, 0, 1).contiguous().permute(1, 2, 0), graph), expected)
    assert torch.equal(sh.posteriors(scores.repeat_interleave(2, 2)[..., ::2], graph), expected)
    assert torch.equal(sh.posteriors(scores[:1].expand(3, -1, -1), graph)[2], expected[0])


@pytest.mark.parametrize("by", ["state", "pdf"])
def test_an_empty_batch_and_no_frames(by: str) -> None:
    graph = sh.Graph.linear([0, 1, 1])
    width = 3 if by == "state" else 2
    assert sh.posteriors(torch.zeros(0, 5, 2), graph, by=by).shape == (0, 5, width)
    assert sh.posteriors(torch.zeros(4, 0, 2), graph, by=by).shape == (4, 0, width)
    assert sh.posteriors(torch.zeros(0, 2), graph, by=by).shape == (0, width)


def test_no_gradients_flow_through_posteriors() -> None:
    weight = torch.zeros(2, requires_grad=True)
    graph = sh.Graph.linear([0, 1], self_loop=weight)
    assert not sh.posteriors(torch.zeros(4, 2, requires_grad=True), graph).requires_grad
