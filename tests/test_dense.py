"""Dense graphs: transitions that vary with time, ranges of numbers, unlike lengths, every family, and hmmlearn."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from cases import NEVER, dense_arcs, linear_arcs, random_scores
from test_threads import instruction_set
from torch import Tensor

import streamhmm as sh
from streamhmm import _C, reference

DTYPES = (torch.float32, torch.float64)
CLOSE = {torch.float32: 1e-4, torch.float64: 1e-9}
SIZES = (1, 3, 16, 17, 64, 65, 130)


def log_sum(values: np.ndarray, axis: int) -> np.ndarray:
    top = np.maximum(values.max(axis, keepdims=True), -1e300)
    with np.errstate(divide="ignore"):
        return np.log(np.exp(values - top).sum(axis)) + top.squeeze(axis)


class Varying:
    """The recursions for transitions (T, S, S), written out in numpy."""

    def __init__(self, scores: Tensor, steps: Tensor) -> None:
        self.scores, self.steps = np.asarray(scores.double()), np.asarray(steps.double())
        self.frames, self.size = self.scores.shape

    def best(self) -> tuple[list[int], float]:
        alpha, winners = self.scores[0], []
        for t in range(1, self.frames):
            arriving = alpha[:, None] + self.steps[t]
            winners.append(arriving.argmax(0))
            alpha = arriving.max(0) + self.scores[t]
        path = [int(alpha.argmax())]
        for row in reversed(winners):
            path.append(int(row[path[-1]]))
        return path[::-1], float(alpha.max())

    def sums(self) -> tuple[float, np.ndarray, np.ndarray]:
        """The log-likelihood, the posteriors (T, S) and the expected counts (T, S, S)."""
        alpha, beta = self.scores.copy(), np.zeros_like(self.scores)
        for t in range(1, self.frames):
            alpha[t] += log_sum(alpha[t - 1][:, None] + self.steps[t], 0)
        for t in range(self.frames - 1, 0, -1):
            beta[t - 1] = log_sum(self.steps[t] + self.scores[t] + beta[t], 1)
        total = float(log_sum(alpha[-1], 0))
        counts = np.zeros_like(self.steps)
        for t in range(1, self.frames):
            counts[t] = np.exp(alpha[t - 1][:, None] + self.steps[t] + self.scores[t] + beta[t] - total)
        return total, np.exp(alpha + beta - total), counts


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("size", SIZES)
def test_transitions_that_vary_with_time(size: int, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(size)
    scores, steps = random_scores(rng, 40, size), random_scores(rng, 40, size, size)
    steps[:, 0, 0] = NEVER
    expected = Varying(scores, steps)
    if size == 1:
        assert sh.viterbi(scores, sh.Graph.dense(steps)).score.item() == NEVER
        return
    weights = steps.to(dtype, copy=True).requires_grad_()
    graph = sh.Graph.dense(weights)
    for budget in (None, 1000):
        path = sh.viterbi(scores.to(dtype), graph, memory_budget=budget)
        assert (path.states.tolist(), path.score.item()) == expected.best()
        total, gamma, counts = expected.sums()
        found = sh.log_likelihood(scores.to(dtype), graph, memory_budget=budget)
        assert found.item() == pytest.approx(total, rel=1e-6)
        (slope,) = torch.autograd.grad(found, weights)
        np.testing.assert_allclose(slope, counts, atol=CLOSE[dtype])
        posteriors = sh.posteriors(scores.to(dtype), graph, memory_budget=budget)
        np.testing.assert_allclose(posteriors, gamma, atol=CLOSE[dtype])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_batch_may_have_transitions_of_its_own(dtype: torch.dtype) -> None:
    rng = np.random.default_rng(1)
    scores, steps = random_scores(rng, 3, 30, 6).to(dtype), random_scores(rng, 3, 30, 6, 6)
    graphs = [sh.Graph.dense(each) for each in steps]
    lengths = torch.tensor([30, 0, 17])
    path = sh.viterbi(scores, graphs, lengths)
    gamma = sh.posteriors(scores, graphs, lengths)
    for b, length in ((0, 30), (2, 17)):
        expected = Varying(scores[b, :length], steps[b, :length])
        assert (path.states[b, :length].tolist(), path.score[b].item()) == expected.best()
        np.testing.assert_allclose(gamma[b, :length], expected.sums()[1], atol=CLOSE[dtype])
    assert path.states[1].tolist() == [-1] * 30
    assert gamma[1].count_nonzero() == 0


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("size", [3, 64, 70])
def test_the_same_chain_in_every_family(size: int, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(size)
    loop, ahead = torch.from_numpy(rng.normal(size=(2, size)))
    pdfs = torch.from_numpy(rng.integers(0, 5, size))
    ends = {"initial": torch.from_numpy(rng.normal(size=size)), "final": torch.from_numpy(rng.normal(size=size))}
    matrix = torch.full((size, size), NEVER, dtype=torch.float64)
    matrix.diagonal().copy_(loop)
    matrix.diagonal(1).copy_(ahead[:-1])
    arcs = linear_arcs(pdfs, self_loop=loop, advance=ahead, **ends)
    anywhere = torch.arange(size).repeat(3)
    listed = sh.Graph.from_arcs(
        size,
        torch.cat([arcs.src, anywhere, anywhere]),
        torch.cat([arcs.dst, anywhere.roll(1), anywhere.roll(1)]),
        torch.cat([arcs.weight, torch.full((6 * size,), NEVER)]),
        pdfs=pdfs,
        **ends,
    )
    graphs = [
        sh.Graph.linear(pdfs, self_loop=loop, advance=ahead, **ends),
        sh.Graph.dense(matrix, pdfs=pdfs, **ends),
        listed,
    ]
    assert [graph.family for graph in graphs] == ["linear", "dense", "sparse"]
    scores = torch.from_numpy(rng.normal(size=(3, 300, 5))).to(dtype)
    lengths = torch.tensor([300, 299, 120])
    first, *others = [sh.viterbi(scores, graph, lengths) for graph in graphs]
    sums = [sh.posteriors(scores, graph, lengths) for graph in graphs]
    for path, gamma in zip(others, sums[1:], strict=True):
        assert torch.equal(path.states, first.states)
        assert torch.equal(path.score, first.score)
        torch.testing.assert_close(gamma, sums[0], rtol=0, atol=CLOSE[dtype])


@pytest.mark.parametrize("name", _C.available_isas())
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_tile_of_unlike_lengths(dtype: torch.dtype, name: str) -> None:
    rng = np.random.default_rng(2)
    for size in (2, 5, 20, 70):
        matrix = random_scores(rng, size, size)
        graph, arcs = sh.Graph.dense(matrix), dense_arcs(matrix)
        lengths = [33, 7, 64, 1, 0, 65, 32, 64, 40]
        scores = random_scores(rng, len(lengths), 65, size)
        with instruction_set(name):
            path = sh.viterbi(scores.to(dtype), graph, lengths)
            gamma = sh.posteriors(scores.to(dtype), graph, lengths)
        for b, length in enumerate(lengths):
            expected = reference.viterbi(scores[b, :length], arcs)
            assert path.states[b].tolist() == expected.states.tolist() + [-1] * (65 - length)
            assert path.score[b].item() == expected.score
            expected_gamma = reference.posteriors(scores[b, :length], arcs)
            np.testing.assert_allclose(gamma[b, :length], expected_gamma, atol=CLOSE[dtype])
            assert gamma[b, length:].count_nonzero() == 0


# ---- ranges


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("spread", [30.0, 200.0, 900.0, 1e5])
def test_scores_and_weights_far_apart(spread: float, dtype: torch.dtype) -> None:
    rng = np.random.default_rng(3)
    matrix, scores = spread * random_scores(rng, 9, 9), spread * random_scores(rng, 4, 50, 9)
    scores[2, 20, :8] = NEVER
    scores[3, 20] = NEVER
    graph, arcs = sh.Graph.dense(matrix), dense_arcs(matrix)
    given = scores.to(dtype, copy=True).requires_grad_()
    total = sh.log_likelihood(given, graph)
    total[:3].sum().backward()
    for b in range(4):
        assert total[b].item() == pytest.approx(reference.log_likelihood(scores[b], arcs), rel=1e-6)
        np.testing.assert_allclose(given.grad[b], reference.pdf_posteriors(scores[b], arcs) * (b < 3), atol=1e-4)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_state_that_all_but_vanishes_and_comes_back(dtype: torch.dtype) -> None:
    """Two chains that never meet: the second one loses 600 nats and gains 1,200."""
    matrix = torch.full((2, 2), NEVER)
    matrix.diagonal().fill_(0.0)
    scores = torch.zeros(120, 2)
    scores[:60, 1], scores[60:, 1] = -10.0, 20.0
    graph = sh.Graph.dense(matrix)
    assert sh.log_likelihood(scores.to(dtype), graph).item() == pytest.approx(600.0, abs=1e-6)
    gamma = sh.posteriors(scores.to(dtype), graph)
    np.testing.assert_allclose(gamma, torch.tensor([[0.0, 1.0]]).expand(120, 2), atol=1e-9)


def test_weights_of_one_step_out_of_reach_of_the_others() -> None:
    """From 0 to 1 costs 500 nats, and there is no other way to the end."""
    matrix = torch.tensor([[0.0, -500.0], [NEVER, 0.0]], requires_grad=True)
    graph = sh.Graph.dense(matrix, initial=torch.tensor([0.0, NEVER]), final=torch.tensor([NEVER, 0.0]))
    total = sh.log_likelihood(torch.zeros(11, 2), graph)
    assert total.item() == pytest.approx(-500.0 + math.log(10), abs=1e-6)
    total.backward()
    np.testing.assert_allclose(matrix.grad, [[4.5, 1.0], [0.0, 4.5]], atol=1e-5)


# ---- wrong graphs

WRONG = {
    "one axis": (lambda: sh.Graph.dense(torch.zeros(3)), ValueError, r"transitions must be \(S, S\) or .*\(3,\)"),
    "not square": (lambda: sh.Graph.dense(torch.zeros(2, 3)), ValueError, r"transitions .*shape \(2, 3\)"),
    "no states": (lambda: sh.Graph.dense(torch.zeros(0, 0)), ValueError, r"transitions .*shape \(0, 0\)"),
    "no frames": (lambda: sh.Graph.dense(torch.zeros(0, 2, 2)), ValueError, r"transitions .*shape \(0, 2, 2\)"),
    "words": (lambda: sh.Graph.dense("much"), TypeError, r"transitions must be a tensor or rows of numbers, got str"),
    "no number": (lambda: sh.Graph.dense(torch.full((2, 2), float("nan"))), ValueError, r"transitions .*got nan"),
    "short ends": (lambda: sh.Graph.dense(torch.zeros(2, 2), initial=[0.0]), ValueError, r"initial .*shape \(1,\)"),
    "few pdfs": (lambda: sh.Graph.dense(torch.zeros(2, 2), pdfs=[0]), ValueError, r"pdfs must be \(2,\)"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_graphs(case: str) -> None:
    make, error, message = WRONG[case]
    with pytest.raises(error, match=message):
        make()


def test_too_few_slices() -> None:
    graph = sh.Graph.dense(torch.zeros(4, 2, 2))
    assert sh.viterbi(torch.zeros(4, 2), graph).states.tolist() == [0] * 4
    with pytest.raises(ValueError, match=r"graph has transitions for 4 frames, but scores have 5 frames"):
        sh.viterbi(torch.zeros(5, 2), graph)


# ---- hmmlearn


@pytest.mark.parametrize("size", [2, 5, 30, 70])
def test_it_agrees_with_hmmlearn(size: int) -> None:
    hmm = pytest.importorskip("hmmlearn.hmm", reason="needs hmmlearn 0.3")
    rng = np.random.default_rng(size)
    model = hmm.GaussianHMM(size, "diag", init_params="", params="")
    model.n_features = 3
    model.startprob_, model.transmat_ = rng.dirichlet(np.ones(size)), rng.dirichlet(np.ones(size), size)
    model.means_, model.covars_ = rng.normal(size=(size, 3)), rng.uniform(0.5, 2.0, (size, 3))
    observed = rng.normal(size=(200, 3))
    density = torch.distributions.Normal(
        torch.from_numpy(model.means_), torch.from_numpy(model.covars_.diagonal(0, 1, 2).copy()).sqrt()
    )
    scores = density.log_prob(torch.from_numpy(observed)[:, None]).sum(-1)
    graph = sh.Graph.dense(torch.from_numpy(model.transmat_).log(), torch.from_numpy(model.startprob_).log())
    score, states = model.decode(observed)
    path = sh.viterbi(scores, graph)
    assert path.states.tolist() == states.tolist()
    assert path.score.item() == pytest.approx(score, rel=1e-9)
    assert sh.log_likelihood(scores, graph).item() == pytest.approx(model.score(observed), rel=1e-9)
    np.testing.assert_allclose(sh.posteriors(scores, graph), model.predict_proba(observed), atol=1e-9)
