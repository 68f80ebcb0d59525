"""Rows of bench/engine.py: graphs with all transitions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from engine_case import ADD_MAX, MULTIPLY_ADD, NO_BARS, Case, limit, peer, recorded
from engine_peers import (
    DenseProblem,
    autograd_loop,
    hmmlearn_posteriors,
    hmmlearn_viterbi,
    librosa_viterbi,
    posteriors_of,
)

import streamhmm as sh


@dataclass(frozen=True)
class Bars:
    """What must be reached against hmmlearn by number of threads, of the limit, and pytorch_hmm's recorded time."""

    hmmlearn: Mapping[int, float]
    share: float | None = None
    pytorch_hmm_s: float | None = None


PYTORCH_HMM_BAR = {2: 80.0}
VITERBI = {
    (32, 1000, 64): Bars({2: 40}, 0.85, 0.137),
    (8, 1000, 256): Bars({2: 60}),
    (32, 1000, 5): Bars({2: 6}, None, 0.0306),
    (1, 1000, 5): Bars({1: 1, 2: 1}),
}
POSTERIORS = {
    (32, 1000, 64): Bars({2: 60}, 0.6, 0.371),
    (8, 1000, 256): Bars({2: 60}, 0.6),
    (32, 1000, 5): Bars(NO_BARS, None, 0.052),
    (1, 1000, 5): Bars(NO_BARS),
}
GRADIENT = (32, 1000, 64)
GRADIENT_BAR = {2: 150.0}


def rows() -> dict[str, Callable[[], Case]]:
    """Each row by its name; a row's numbers are made when it is called for."""
    result: dict[str, Callable[[], Case]] = {}
    for size, bars in VITERBI.items():
        result[f"Viterbi, dense, {_name(size)}"] = lambda size=size, bars=bars: viterbi(DenseProblem(*size), bars)
    for size, bars in POSTERIORS.items():
        result[f"posteriors, dense, {_name(size)}"] = lambda size=size, bars=bars: posteriors(DenseProblem(*size), bars)
    result[f"log_likelihood + backward, dense, {_name(GRADIENT)}"] = lambda: gradient(DenseProblem(*GRADIENT))
    return result


def viterbi(problem: DenseProblem, bars: Bars) -> Case:
    graph = dense_graph(problem)
    theirs = hmmlearn_viterbi(problem)
    yardsticks = [
        limit(ADD_MAX, cells(problem), bars.share),
        peer("hmmlearn", theirs, bars.hmmlearn, theirs),
        peer("librosa", librosa_viterbi(problem)),
        *_pytorch_hmm(bars),
    ]
    return Case(lambda: sh.viterbi(problem.scores, graph), yardsticks, lambda: sh.viterbi(problem.scores, graph).score)


def posteriors(problem: DenseProblem, bars: Bars) -> Case:
    graph = dense_graph(problem)
    theirs = hmmlearn_posteriors(problem)
    yardsticks = [
        limit(MULTIPLY_ADD, 2 * cells(problem), bars.share),
        peer("hmmlearn, scaled", theirs, bars.hmmlearn, lambda: posteriors_of(theirs())),
        *_pytorch_hmm(bars),
    ]

    def ours() -> torch.Tensor:
        return sh.posteriors(problem.scores, graph)

    return Case(ours, yardsticks, ours)


def gradient(problem: DenseProblem) -> Case:
    """Gradients to scores and transitions: forward, backward, and the sum over frames of each arc's posterior."""
    scores, transitions = (t.clone().requires_grad_() for t in (problem.scores, problem.transitions))
    graph = sh.Graph.dense(transitions, initial=problem.initial)
    loop = autograd_loop(problem)

    def ours() -> tuple[torch.Tensor, ...]:
        return torch.autograd.grad(sh.log_likelihood(scores, graph).sum(), (scores, transitions))

    yardsticks = [
        limit(MULTIPLY_ADD, 3 * cells(problem)),
        peer("autograd over logsumexp", loop, GRADIENT_BAR, lambda: loop()[1]),
    ]
    return Case(ours, yardsticks, lambda: ours()[1])


def dense_graph(problem: DenseProblem) -> sh.Graph:
    return sh.Graph.dense(problem.transitions, initial=problem.initial)


def cells(problem: DenseProblem) -> float:
    """Arcs followed in one pass; the first frame follows none."""
    return problem.batch * (problem.frames - 1) * problem.states**2


def _pytorch_hmm(bars: Bars) -> list:
    seconds = bars.pytorch_hmm_s
    return [] if seconds is None else [recorded("pytorch_hmm", seconds, PYTORCH_HMM_BAR)]


def _name(size: tuple[int, int, int]) -> str:
    return "×".join(map(str, size))
