"""Single precision must not drift: long problems against float64, frame by frame."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cases import ctc_arcs
from oracle import linear_best_path, rescore
from torch import Tensor

import streamhmm as sh
from streamhmm import reference


def ctc_problem(seed: int, frames: int, labels: int, columns: int = 32) -> tuple[Tensor, list[int]]:
    """Random log-probabilities and labels: far from any speech, and the worst case for the search."""
    rng = np.random.default_rng(seed)
    scores = torch.from_numpy(rng.normal(size=(frames, columns)).astype(np.float32)).log_softmax(1)
    return scores, rng.integers(1, columns, labels).tolist()


def assert_follows_float64(scores: Tensor, labels: list[int], expected: np.ndarray) -> None:
    """The float32 path is ``expected`` in every frame, and no more than 1e-9 nats a frame below its score."""
    arcs = ctc_arcs(labels)
    path = sh.viterbi(scores, sh.Graph.ctc(labels))
    best = rescore(scores, arcs, torch.from_numpy(expected))
    allowed = 1e-9 * len(scores)
    assert rescore(scores, arcs, path.states) == pytest.approx(best, abs=allowed, rel=0)
    assert path.score.item() == pytest.approx(best, abs=allowed, rel=0)
    assert (path.states.numpy() != expected).sum() == 0


@pytest.mark.parametrize("seed", range(3))
def test_the_path_of_random_scores(seed: int) -> None:
    scores, labels = ctc_problem(seed, 20_000, 1000)
    expected, _ = linear_best_path(scores.double().numpy(), ctc_arcs(labels))
    assert_follows_float64(scores, labels, expected)


@pytest.mark.parametrize("seed", range(3))
def test_the_path_with_a_beginning_far_below_the_best(seed: int) -> None:
    """For half the time the rest of the text fits far better, and the true path waits 80,000 nats below it."""
    rng = np.random.default_rng(seed)
    frames, half = 20_000, 10_000
    labels = np.concatenate([rng.integers(1, 9, 500), rng.integers(9, 32, 500)]).tolist()
    scores = rng.normal(scale=0.5, size=(frames, 32))
    scores[:half, :9] -= 8.0
    spoken = np.linspace(0, 999, frames - half).astype(int)
    scores[half:] -= 30.0
    scores[np.arange(half, frames), np.array(labels)[spoken]] += 30.0
    single = torch.from_numpy(scores.astype(np.float32))
    expected, _ = linear_best_path(single.double().numpy(), ctc_arcs(labels))
    assert expected[half - 1] <= 20
    assert_follows_float64(single, labels, expected)


def test_the_score_of_a_single_state_is_its_sum() -> None:
    scores = torch.from_numpy(np.random.default_rng(1).normal(size=(500_000, 1)).astype(np.float32)) - 7.7
    path = sh.viterbi(scores, sh.Graph.linear([0]))
    assert path.score.item() == pytest.approx(scores.double().sum().item(), abs=1e-9 * len(scores), rel=0)


@pytest.mark.parametrize("seed", range(3))
def test_the_path_of_a_graph_with_other_arcs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size, frames = 900, 4000
    src = [*range(size), *range(size - 1), *range(0, size - 12, 9)]
    dst = [*range(size), *range(1, size), *range(12, size, 9)]
    weight = torch.from_numpy(rng.normal(size=len(src)))
    pdfs = (torch.arange(size) % 7) * 5 + torch.from_numpy(rng.integers(0, 5, size))
    scores = torch.from_numpy(rng.normal(scale=3, size=(frames, 35)).astype(np.float32)) - 5
    ends = {"initial": [0.0] + [float("-inf")] * (size - 1), "final": [float("-inf")] * (size - 1) + [0.0]}
    graph = sh.Graph.from_arcs(size, src, dst, weight.float(), pdfs=pdfs, **ends)
    assert graph.family == "linear"
    single, double = sh.viterbi(scores, graph), sh.viterbi(scores.double(), graph)
    assert torch.equal(single.states, double.states)
    assert single.score.item() == pytest.approx(double.score.item(), abs=1e-9 * frames, rel=0)


# ---- posteriors


def test_posteriors_of_3000_frames() -> None:
    scores, labels = ctc_problem(0, 3000, 150)
    expected = reference.posteriors(scores, ctc_arcs(labels)).numpy()
    graph = sh.Graph.ctc(labels)
    np.testing.assert_allclose(sh.posteriors(scores, graph), expected, atol=1e-4)
    np.testing.assert_allclose(sh.posteriors(scores.double(), graph), expected, atol=1e-9)


@pytest.mark.parametrize(("frames", "labels"), [(60_000, 150), (360_000, 20)])
def test_posteriors_of_long_audio(frames: int, labels: int) -> None:
    scores, text = ctc_problem(1, frames, labels, columns=12)
    graph = sh.Graph.ctc(text)
    single, double = (sh.posteriors(each, graph, by="pdf") for each in (scores, scores.double()))
    assert (single.double() - double).abs().max().item() <= 1e-3
    assert (single.sum(1) - 1).abs().max().item() <= 1e-3
    totals = [sh.log_likelihood(each, graph).item() for each in (scores, scores.double())]
    assert totals[0] == pytest.approx(totals[1], rel=1e-6)
