"""CUDA operations where they differ from the CPU's: bad numbers, half precision, lengths; and the host's execution."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from cases import FAMILIES, NEVER, random_case, random_scores, unlike_cases
from on_cuda import card, needs_device, needs_host, on_cuda, order

import streamhmm as sh
from streamhmm import errors, library_cuda
from streamhmm.packing import pack_structure

COLUMNS = 5


def operands(family: str, size: int = 20, frames: int = 40, batch: int = 3) -> tuple[torch.Tensor, sh.Graph]:
    rng = np.random.default_rng(size)
    return random_scores(rng, batch, frames, COLUMNS).float(), random_case(rng, family, size, COLUMNS).graph()


@needs_device
@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_sequence_with_a_bad_score_is_marked_and_the_others_are_as_ever(family: str, wrong: float) -> None:
    scores, graph = operands(family)
    path = sh.viterbi(scores, graph)
    likelihood, counts = sh.log_likelihood(scores, graph), sh.expected_counts(scores, graph)
    by_state, by_pdf = sh.posteriors(scores, graph), sh.posteriors(scores, graph, by="pdf")
    scores[1, 17, int(graph.pdfs[0])] = wrong
    with on_cuda():
        marked = sh.viterbi(scores, graph)
        assert (marked.states[1] == -1).all()
        assert marked.score.isnan().tolist() == [False, True, False]
        assert torch.equal(marked.states[::2], path.states[::2])
        assert sh.log_likelihood(scores, graph).isnan().tolist() == [False, True, False]
        for result, expected in (
            (sh.posteriors(scores, graph), by_state),
            (sh.posteriors(scores, graph, by="pdf"), by_pdf),
            (sh.expected_counts(scores, graph).arcs, counts.arcs),
            (sh.forward_backward(scores, graph).posteriors, by_pdf),
            (sh.forward_backward(scores, graph).counts.arcs, counts.arcs),
        ):
            assert result[1].isnan().all()
            torch.testing.assert_close(result[::2], expected[::2], atol=1e-5, rtol=1e-5)
        with pytest.raises(ValueError, match="got NaN or \\+inf in sequence 1"):
            sh.check(marked)
    assert torch.equal(sh.check(path).score, path.score)
    assert likelihood.isfinite().all() or family == "sparse"


@needs_device
def test_a_bad_score_that_nobody_reads_changes_nothing() -> None:
    scores, graph = operands("skip")
    wide = torch.cat([scores, torch.full_like(scores, float("nan"))], -1)
    scores[:, 30:] = float("nan")
    wide[:, 30:] = float("nan")
    lengths = torch.tensor([30, 12, 0])
    expected = sh.viterbi(scores[:, :30], graph, lengths)
    with on_cuda():
        path = sh.viterbi(wide, graph, lengths)
        assert path.score.tolist() == expected.score.tolist()
        assert torch.equal(path.states[:, :30], expected.states)
        assert (path.states[:, 30:] == -1).all()
        assert not sh.posteriors(wide, graph, lengths).isnan().any()


@needs_device
def test_bad_weights_spoil_the_sequences_that_use_them() -> None:
    scores, graph = operands("linear", batch=2)
    weights = graph.packed_weights(torch.float32).clone()
    weights[3] = float("nan")
    with on_cuda():
        states, score = torch.ops.streamhmm.viterbi(scores, None, graph.structure, weights, 1000, float("inf"))
    assert score.isnan().all()
    assert (states == -1).all()


@needs_device
@pytest.mark.parametrize("family", FAMILIES)
def test_lengths_out_of_range_are_brought_into_it(family: str) -> None:
    scores, graph = operands(family)
    expected = sh.viterbi(scores, graph, [0, 40, 7])
    with on_cuda():
        path = sh.viterbi(scores, graph, [-5, 1000, 7])
    assert torch.equal(path.states, expected.states)
    assert path.score.tolist() == expected.score.tolist()


@needs_device
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_half_precision_is_read_as_it_is(family: str, dtype: torch.dtype) -> None:
    scores, graph = operands(family)
    scores = (scores * torch.rand(scores.shape)).to(dtype)
    scores[0, 3, 1] = NEVER
    scores[1, 5, 2] = 2.0**-20  # subnormal in float16
    wide = scores.float()
    given = (None, graph.structure, graph.packed_weights(torch.float32), 10**6)
    operations = torch.ops.streamhmm
    expected = sh.viterbi(wide, graph)
    gradient = torch.autograd.functional.vjp(lambda x: sh.log_likelihood(x, graph), wide, torch.ones(3).double())[1]
    with on_cuda():
        states, score = operations.viterbi(scores, *given, float("inf"))
        posteriors = operations.posteriors(scores, *given, 0)
        by_pdf, _ = operations.gradients(torch.ones(3), scores, *given, False)
    assert torch.equal(states, expected.states)
    torch.testing.assert_close(score, expected.score, rtol=1e-12, atol=1e-12)
    assert posteriors.dtype == torch.float32
    torch.testing.assert_close(posteriors, sh.posteriors(wide, graph, by="pdf"), atol=1e-5, rtol=1e-5)
    assert by_pdf.dtype == dtype
    torch.testing.assert_close(by_pdf.float(), gradient, atol=4e-3, rtol=1e-2)


@needs_host
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["REVERSE", "RANDOM"])
def test_the_order_of_threads_changes_nothing(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    graphs = [case.graph() for case in unlike_cases(rng, COLUMNS)]
    scores = random_scores(rng, len(graphs), 70, COLUMNS).float()
    lengths = rng.integers(0, 71, len(graphs)).tolist()

    def results() -> list[Any]:
        weights = [graph.packed_weights(torch.float32) for graph in graphs]
        given = (scores, torch.tensor(lengths), pack_structure(graphs), torch.cat(weights), 10**7)
        counts = torch.ops.streamhmm.expected_counts(*given, 1)
        return [*sh.viterbi(scores, graphs, lengths), sh.posteriors(scores, graphs, lengths, by="pdf"), counts]

    with on_cuda():
        expected = results()
        with order(name, seed):
            found = results()
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@needs_host
@pytest.mark.parametrize("family", FAMILIES)
def test_a_card_with_little_shared_memory_finds_the_same(family: str) -> None:
    scores, graph = operands(family, size=1300 if family != "dense" else 300, frames=9, batch=2)
    expected, posteriors = sh.viterbi(scores, graph), sh.posteriors(scores, graph)
    with card(shared_bytes=5 << 10, multiprocessors=1), on_cuda():
        found = sh.viterbi(scores, graph)
        torch.testing.assert_close(sh.posteriors(scores, graph), posteriors, atol=1e-5, rtol=1e-5)
    assert torch.equal(found.states, expected.states)


def test_a_build_without_kernels_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library_cuda, "_C", object())
    with pytest.raises(errors.BackendUnavailable, match="has no CUDA kernels: install it where nvcc is found"):
        library_cuda.core()


@needs_device
@pytest.mark.parametrize("family", FAMILIES)
def test_scores_beyond_every_range(family: str) -> None:
    scores, graph = operands(family, size=9, frames=12)
    scores *= 1e9  # logarithms that large have six decimals in double
    expected, posteriors = sh.viterbi(scores, graph), sh.posteriors(scores, graph, by="pdf")
    likelihood, counts = sh.log_likelihood(scores, graph), sh.expected_counts(scores, graph, reduction="sum")
    with on_cuda():
        found = sh.viterbi(scores, graph)
        torch.testing.assert_close(sh.log_likelihood(scores, graph), likelihood, rtol=1e-12, atol=0)
        torch.testing.assert_close(sh.posteriors(scores, graph, by="pdf"), posteriors, atol=1e-4, rtol=1e-4)
        for one, other in zip(sh.expected_counts(scores, graph, reduction="sum"), counts, strict=True):
            torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)
    assert torch.equal(found.states, expected.states)
    assert found.score.tolist() == expected.score.tolist()


@needs_host
def test_rows_of_winners_too_long_for_shared_memory() -> None:
    scores, graph = operands("sparse", size=1300, frames=9, batch=2)
    expected = sh.viterbi(scores, graph)
    with card(shared_bytes=2 << 10), on_cuda():
        found = sh.viterbi(scores, graph)
    assert torch.equal(found.states, expected.states)


def test_operands_stand_where_they_are_read() -> None:
    graph = sh.Graph.linear([0, 1])
    scores, meta = torch.zeros(3, 2), torch.zeros(1, device="meta", dtype=torch.int32)
    with pytest.raises(ValueError, match="structure must be on the CPU, got meta"):
        library_cuda.device_batch(scores, None, meta, graph.packed_weights(torch.float32), 0)
    with pytest.raises(ValueError, match="operands must be on the scores' device, cpu, got one on meta"):
        library_cuda.check_beside(scores, None, meta)
