"""Rows of bench/engine.py: states with explicit durations.

Scores of segments are differences of sums in double, so the limit of their arithmetic is that of float64.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from engine_case import ADD_MAX, MULTIPLY_ADD, Case, at_most, limit, recorded
from engine_peers import DenseProblem

import streamhmm as sh

FORWARD, FORWARD_DURATIONS = DenseProblem(2, 100, 5), 50
FORWARD_BAR_S, FORWARD_PYTORCH_HMM_S = 100e-6, 54.8
VITERBI, VITERBI_DURATIONS = DenseProblem(1, 3000, 40), 200
VITERBI_SHARE = 1 / 4


def rows() -> dict[str, Callable[[], Case]]:
    """Each row by its name; a row's numbers are made when it is called for."""
    return {
        f"semi-Markov forward, {_name(FORWARD, FORWARD_DURATIONS)}": forward,
        f"semi-Markov Viterbi, {_name(VITERBI, VITERBI_DURATIONS)}": viterbi,
    }


def forward() -> Case:
    scores, graph, durations = FORWARD.scores, segment_graph(FORWARD), log_durations(FORWARD, FORWARD_DURATIONS)
    yardsticks = [
        limit(MULTIPLY_ADD, cells(FORWARD, FORWARD_DURATIONS), is_double=True),
        at_most(FORWARD_BAR_S, 2),
        recorded("pytorch_hmm", FORWARD_PYTORCH_HMM_S),
    ]
    return Case(lambda: sh.log_likelihood(scores, graph, durations=durations), yardsticks)


def viterbi() -> Case:
    scores, graph, durations = VITERBI.scores, segment_graph(VITERBI), log_durations(VITERBI, VITERBI_DURATIONS)
    work = cells(VITERBI, VITERBI_DURATIONS)
    yardsticks = [limit(ADD_MAX, work, VITERBI_SHARE, is_double=True), limit(ADD_MAX, work)]
    return Case(lambda: sh.viterbi(scores, graph, durations=durations), yardsticks)


def segment_graph(problem: DenseProblem) -> sh.Graph:
    """Transitions between segments: to any other state."""
    transitions = problem.transitions.clone().fill_diagonal_(float("-inf"))
    return sh.Graph.dense(transitions.log_softmax(-1), initial=problem.initial)


def log_durations(problem: DenseProblem, longest: int) -> torch.Tensor:
    """(S, D) random log-probabilities of 1 … D frames."""
    random = torch.Generator().manual_seed(longest)
    return torch.randn(problem.states, longest, generator=random).log_softmax(-1)


def cells(problem: DenseProblem, longest: int) -> float:
    """Durations tried and arcs followed: T·S·D + T·S² of each sequence."""
    return problem.batch * problem.frames * (problem.states * longest + problem.states**2)


def _name(problem: DenseProblem, longest: int) -> str:
    return f"{problem.batch}×{problem.frames}×{problem.states}, D = {longest}"
