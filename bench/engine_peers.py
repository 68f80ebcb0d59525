"""The peers of bench/engine.py that run in its process, on the same numbers as ours, and the problem they share.

hmmlearn's and librosa's compiled routines are called directly, without the checks and conversions around them. They
compute in double and have no threads; theirs are wall times of one thread in every run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import hmmlearn._hmmc as hmmlearn
import numpy as np
import torch
from librosa.sequence import _viterbi as librosa_viterbi_routine

Call = Callable[[], Any]


@dataclass(frozen=True)
class DenseProblem:
    """A random model with all transitions, and scores for each of its states."""

    batch: int
    frames: int
    states: int

    @cached_property
    def scores(self) -> torch.Tensor:
        """(B, T, S) float32."""
        random = torch.Generator().manual_seed(self.states)
        return torch.randn(self.batch, self.frames, self.states, generator=random).log_softmax(-1)

    @cached_property
    def transitions(self) -> torch.Tensor:
        """(S, S) log-probabilities, float32."""
        random = torch.Generator().manual_seed(self.states + 1)
        return torch.randn(self.states, self.states, generator=random).log_softmax(-1)

    @cached_property
    def initial(self) -> torch.Tensor:
        """(S,) log-probabilities, float32."""
        return torch.full((self.states,), 1.0 / self.states).log()

    @cached_property
    def doubles(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Initial and transition probabilities and the scores, as hmmlearn takes them."""
        return (
            self.initial.double().exp().numpy(),
            self.transitions.double().exp().numpy(),
            self.scores.double().numpy(),
        )


def hmmlearn_viterbi(problem: DenseProblem) -> Call:
    """The best paths' scores; ``_hmmc.viterbi`` takes the logarithms of the model itself."""
    initial, transitions, scores = problem.doubles
    return lambda: [hmmlearn.viterbi(initial, transitions, sequence)[0] for sequence in scores]


def librosa_viterbi(problem: DenseProblem) -> Call:
    """The routine that numba compiles, on logarithms."""
    initial, transitions, scores = problem.doubles
    initial, transitions = np.log(initial), np.log(transitions)
    return lambda: [librosa_viterbi_routine(sequence, transitions, initial) for sequence in scores]


def hmmlearn_posteriors(problem: DenseProblem) -> Call:
    """hmmlearn's scaled forward and backward lattices, the product of which would be the posteriors (not counted)."""
    initial, transitions, scores = problem.doubles
    likelihoods = np.exp(scores)

    def call() -> list[tuple[np.ndarray, np.ndarray]]:
        lattices = []
        for sequence in likelihoods:
            _, forward, scaling = hmmlearn.forward_scaling(initial, transitions, sequence)
            lattices.append((forward, hmmlearn.backward_scaling(initial, transitions, sequence, scaling)))
        return lattices

    return call


def posteriors_of(lattices: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """(B, T, S) posteriors from hmmlearn's scaled lattices."""
    products = np.stack([forward * backward for forward, backward in lattices])
    return products / products.sum(-1, keepdims=True)


def autograd_loop(problem: DenseProblem) -> Call:
    """The forward algorithm as a loop of logsumexp, and torch's gradients to scores and transitions."""
    scores, transitions = (t.clone().requires_grad_() for t in (problem.scores, problem.transitions))

    def call() -> tuple[torch.Tensor, torch.Tensor]:
        alpha = problem.initial + scores[:, 0]
        for t in range(1, problem.frames):
            alpha = torch.logsumexp(alpha[:, :, None] + transitions, 1) + scores[:, t]
        return torch.autograd.grad(torch.logsumexp(alpha, -1).sum(), (scores, transitions))

    return call


@dataclass(frozen=True)
class CtcBatch:
    """Random scores and label sequences for the CTC loss."""

    batch: int
    frames: int
    labels: int
    classes: int

    @cached_property
    def scores(self) -> torch.Tensor:
        """(B, T, V) log-probabilities, float32."""
        random = torch.Generator().manual_seed(2)
        return torch.randn(self.batch, self.frames, self.classes, generator=random).log_softmax(-1)

    @cached_property
    def sequences(self) -> torch.Tensor:
        """(B, L) labels; 0 is the blank."""
        random = torch.Generator().manual_seed(3)
        return torch.randint(1, self.classes, (self.batch, self.labels), generator=random)


def ctc_loss(problem: CtcBatch) -> tuple[Call, Call]:
    """``torch.nn.functional.ctc_loss`` with its gradient, and the losses alone, (B,)."""
    leaf = problem.scores.transpose(0, 1).contiguous().requires_grad_()
    frames = torch.full((problem.batch,), problem.frames)
    labels = torch.full((problem.batch,), problem.labels)

    def losses() -> torch.Tensor:
        return torch.nn.functional.ctc_loss(leaf, problem.sequences, frames, labels, reduction="none")

    return lambda: torch.autograd.grad(losses().sum(), leaf), lambda: losses().detach()
