"""Rows of bench/gpu.py: all transitions between the states."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from gpu_case import Peer, Row, Work
from gpu_device import Device
from torch import Tensor

import streamhmm as sh

LOOP_BAR, ADD_MAX_SHARE, POSTERIORS_SHARE = 100.0, 1 / 2, 1 / 3
STATE_BYTES = 8  # of a path


@dataclass(frozen=True)
class Dense:
    """A random model with all transitions, and scores for each of its states."""

    batch: int
    frames: int
    states: int

    def scores(self, device: Device, dtype: torch.dtype = torch.float32) -> Tensor:
        """(B, T, S) log-probabilities."""
        random = torch.Generator(device.torch).manual_seed(self.states)
        shape = (self.batch, self.frames, self.states)
        return torch.randn(shape, generator=random, device=device.torch).log_softmax(-1).to(dtype)

    def transitions(self, device: Device) -> Tensor:
        """(S, S) log-probabilities."""
        random = torch.Generator().manual_seed(self.states + 1)
        return torch.randn(self.states, self.states, generator=random).log_softmax(-1).to(device.torch)

    @property
    def cells(self) -> float:
        """Arcs that a pass follows."""
        return self.batch * (self.frames - 1) * self.states**2

    @property
    def entries(self) -> float:
        """Scores."""
        return self.batch * self.frames * self.states

    def __str__(self) -> str:
        return f"{self.batch}×{self.frames}×{self.states}"


LOOPED = (Dense(512, 1000, 5), Dense(512, 1000, 40))
WIDE = Dense(512, 500, 1440)
SUMMED = Dense(512, 1000, 64)


def rows(device: Device) -> dict[str, Callable[[], Row]]:
    """Each row by its name; a row's numbers are made when it is called for."""
    result: dict[str, Callable[[], Row]] = {}
    for problem in LOOPED:
        result[f"dense Viterbi {problem}"] = partial(looped_viterbi, problem, device)
    result[f"dense Viterbi {WIDE}"] = partial(viterbi, WIDE, device, ADD_MAX_SHARE)
    result[f"dense Viterbi {LOOPED[-1]}, float16"] = partial(viterbi, LOOPED[-1], device, dtype=torch.float16)
    result[f"dense posteriors {SUMMED}"] = partial(posteriors, SUMMED, device)
    return result


def viterbi(
    problem: Dense, device: Device, least_share: float | None = None, dtype: torch.dtype = torch.float32
) -> Row:
    scores, graph = problem.scores(device, dtype), sh.Graph.dense(problem.transitions(device))
    work = viterbi_work(problem, scores.element_size())
    return Row(lambda: sh.viterbi(scores, graph), work, least_share)


def looped_viterbi(problem: Dense, device: Device) -> Row:
    scores, transitions = problem.scores(device), problem.transitions(device)
    graph = sh.Graph.dense(transitions)
    peer = Peer(
        "a loop in torch",
        lambda: torch_viterbi(scores, transitions),
        LOOP_BAR,
        lambda: torch_viterbi(scores, transitions)[1],
        1e-5,
    )
    work = viterbi_work(problem, scores.element_size())
    return Row(lambda: sh.viterbi(scores, graph), work, None, [peer], lambda: sh.viterbi(scores, graph).score)


def viterbi_work(problem: Dense, score_bytes: int) -> Work:
    """Scores read and states written; a cell an arc and frame; a step a frame."""
    states = problem.batch * problem.frames * STATE_BYTES
    return Work(bytes=problem.entries * score_bytes + states, add_max=problem.cells, steps=problem.frames - 1)


def torch_viterbi(scores: Tensor, transitions: Tensor) -> tuple[Tensor, Tensor]:
    """(B, T) states and (B,) scores by a loop over the frames, forth and back."""
    alpha, sources = scores[:, 0], []
    for t in range(1, scores.shape[1]):
        best, source = (alpha[:, :, None] + transitions).max(1)
        alpha = best + scores[:, t]
        sources.append(source)
    score, state = alpha.max(-1)
    states = [state]
    for source in reversed(sources):
        state = source.gather(1, state[:, None])[:, 0]
        states.append(state)
    return torch.stack(states[::-1], 1), score


def posteriors(problem: Dense, device: Device) -> Row:
    scores, graph = problem.scores(device), sh.Graph.dense(problem.transitions(device))
    return Row(lambda: sh.posteriors(scores, graph), posteriors_work(problem), POSTERIORS_SHARE)


def posteriors_work(problem: Dense) -> Work:
    """Two passes over the arcs; scores read, and as many probabilities written, in single precision."""
    return Work(bytes=2 * 4 * problem.entries, multiply_add=2 * problem.cells)
