"""How the engine's time grows with T, S and B, beside hmmlearn where it can follow; drawn by engine_plots.py.

One thread, processor time. What the algorithm says: T·S² of a dense graph, T·S of a left-to-right one, times B.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from engine_case import Stopwatch
from engine_dense import dense_graph
from engine_peers import DenseProblem, hmmlearn_posteriors, hmmlearn_viterbi
from measure import median, slope

import streamhmm as sh

FRAMES = (100, 300, 1000, 3000, 10_000, 30_000, 100_000)
DENSE_STATES = (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
LINEAR_STATES = (50, 150, 500, 1500, 5000, 20_000)
SEQUENCES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
CLASSES = 40
ROUNDS = 3

Call = Callable[[], Any]


@dataclass(frozen=True)
class Panel:
    """One plot: what grows, over which sizes, the calls at each size, and the slope that the algorithm promises."""

    title: str
    axis: str
    sizes: Sequence[int]
    calls: Callable[[int], dict[str, Call]]
    expected: float


class Series(NamedTuple):
    """Seconds a call at each size, and their slope where the size dominates."""

    name: str
    seconds: list[float]
    slope: float


def panels() -> list[list[Panel]]:
    """The panels in two rows; the columns are T, S and B."""
    frames, states, sequences = "frames T", "states S", "sequences B"
    return [
        [
            Panel("dense, 64 states", frames, FRAMES, lambda frames: dense(1, frames, 64), 1),
            Panel("dense, 200 frames", states, DENSE_STATES, lambda states: dense(1, 200, states), 2),
            Panel("dense, 100 frames, 5 states", sequences, SEQUENCES, lambda batch: dense(batch, 100, 5), 1),
        ],
        [
            Panel("left to right, 1000 states", frames, FRAMES, lambda frames: linear(frames, 1000), 1),
            Panel("left to right, 1000 frames", states, LINEAR_STATES, lambda states: linear(1000, states), 1),
            Panel("dense, 100 frames, 64 states", sequences, SEQUENCES, lambda batch: dense(batch, 100, 64), 1),
        ],
    ]


def measure(panel: Panel) -> list[Series]:
    """All series of a panel."""
    torch.set_num_threads(1)
    times: dict[str, list[float]] = {}
    for size in panel.sizes:
        for name, call in panel.calls(size).items():
            watch = Stopwatch.of(call)
            times.setdefault(name, []).append(median([watch(1) for _ in range(ROUNDS)]))
    return [Series(name, seconds, slope(panel.sizes, seconds)) for name, seconds in times.items()]


def dense(batch: int, frames: int, states: int) -> dict[str, Call]:
    problem = DenseProblem(batch, frames, states)
    graph, scores = dense_graph(problem), problem.scores
    return {
        "viterbi": partial(sh.viterbi, scores, graph),
        "posteriors": partial(sh.posteriors, scores, graph),
        "hmmlearn: viterbi": hmmlearn_viterbi(problem),
        "hmmlearn: posteriors": hmmlearn_posteriors(problem),
    }


def linear(frames: int, states: int) -> dict[str, Call]:
    """Paths may start and end anywhere, so that every state counts in every frame."""
    random = torch.Generator().manual_seed(states)
    scores = torch.randn(frames, CLASSES, generator=random).log_softmax(-1)
    anywhere = torch.zeros(states)
    pdfs = torch.randint(0, CLASSES, (states,), generator=random)
    graph = sh.Graph.linear(pdfs, initial=anywhere, final=anywhere)
    return {
        "viterbi": partial(sh.viterbi, scores, graph),
        "posteriors by pdf": partial(sh.posteriors, scores, graph, by="pdf"),
    }
