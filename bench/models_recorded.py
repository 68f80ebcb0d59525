"""Rows of bench/models.py whose peer, pytorch_hmm, is on no package registry: its times were recorded elsewhere."""

from __future__ import annotations

import torch
from engine_case import Case, Stopwatch, Yardstick, recorded
from models_problem import Problem, with_parameters
from torch import Tensor, nn

from streamhmm import models
from streamhmm.models.inference import Inference

MIXTURE_S, NEURAL_S, SEMI_MARKOV_S = 1.168, 0.469, 54.8
BAR = {2: 50.0}
MIXTURES = 3
"""Its factory's default; what was recorded does not say."""
LONGEST = 20
"""Frames; the recording does not say either."""


def mixture_forward(problem: Problem) -> Case:
    """The log-likelihood of each sequence under mixtures of Gaussians."""
    model = with_parameters(models.GMMHMM(problem.states, n_mix=problem.mixtures, dtype=torch.float32), problem.mixture)
    return _log_prob(model, _frames(problem), MIXTURE_S)


def neural_forward(problem: Problem, transitions: str | None) -> Case:
    """Under networks of a layer of 64 and another, for scores and, if wanted, for transitions of each frame."""
    model = models.NeuralHMM(problem.states, n_features=problem.features, transitions=transitions).eval()
    frames = _frames(problem)
    networks = [model.built_network] + ([] if transitions is None else [model.built_transitions])

    def alone() -> None:
        with torch.no_grad():
            for network in networks:
                network(frames)

    return _log_prob(model, frames, NEURAL_S, Yardstick("its networks alone", Stopwatch.of(alone), is_limit=True))


def neural_scores(problem: Problem) -> Case:
    """What remains where scores and the logits of each frame's transitions are given."""
    states = problem.states
    given = torch.randn(problem.sequences, problem.frames, states + states**2, generator=torch.manual_seed(8))
    scores, transitions = Columns(slice(0, states), states), Columns(slice(states, None), states, states)
    model = models.NeuralHMM(states, network=scores, transitions=transitions, outputs="scores").eval()
    return _log_prob(model, given, NEURAL_S)


def semi_markov_forward(problem: Problem) -> Case:
    """Under Gaussians and durations of at most LONGEST frames."""
    emissions = models.GaussianHMM(problem.states, n_features=problem.features)
    model = models.HSMM(emissions, max_duration=LONGEST)
    model.means_ = problem.gaussians("diag")["means_"]
    return _log_prob(model, _frames(problem), SEMI_MARKOV_S)


class Columns(nn.Module):
    """Some of the features, in another shape, as what a network gives."""

    def __init__(self, columns: slice, *shape: int) -> None:
        super().__init__()
        self.columns, self.shape = columns, shape

    def forward(self, x: Tensor) -> Tensor:
        return x[..., self.columns].reshape(*x.shape[:2], *self.shape)


def _frames(problem: Problem) -> Tensor:
    """(B, T, D), in single precision."""
    frames = problem.vectors.reshape(problem.sequences, problem.frames, problem.features)
    return torch.tensor(frames, dtype=torch.float32)


def _log_prob(model: Inference, frames: Tensor, peer_s: float, *limits: Yardstick) -> Case:
    def ours() -> Tensor:
        with torch.no_grad():
            return model.log_prob(frames)

    return Case(ours, [recorded("pytorch_hmm", peer_s, BAR), *limits])
