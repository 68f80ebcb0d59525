"""What the variational E step computes with: every log-probability is its mean under the posterior."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from streamhmm.models.dirichlet_chain import DirichletChain, ExpectedChain
from streamhmm.models.emission import Emission
from streamhmm.models.hmm import HMM
from streamhmm.models.sums import Sums


class PosteriorEmission(Emission):
    """Emissions with a distribution over their parameters; the rest computes with its mean."""

    @abstractmethod
    def expected_scores(self, frames: Tensor) -> Tensor:
        """(N, S) E[log-density] of (N, D) frames under the distribution of the parameters."""


class ExpectedHMM(HMM):
    """A chain of weights exp(E[log p]) and emissions of scores E[log p], of posteriors that it shares.

    Weights add up to less than 1, so the sum over all paths is no likelihood, but log Z of the best distribution over
    paths, which the lower bound is made of (Beal 2003, 3.4.1).
    """

    def __init__(self, chain: DirichletChain, emission: PosteriorEmission) -> None:
        super().__init__()
        self.chain, self.emission = ExpectedChain(chain), _ExpectedEmission(emission)


class _ExpectedEmission(Emission):
    def __init__(self, posterior: PosteriorEmission) -> None:
        super().__init__()
        self.posterior = posterior
        self.letters, self.marginal = posterior.letters, posterior.marginal
        self.n_states, self.n_features = posterior.n_states, posterior.n_features

    def scores(self, frames: Tensor) -> Tensor:
        return self.posterior.expected_scores(frames)

    def statistics(self, frames: Tensor, weights: Tensor) -> Sums:
        return self.posterior.statistics(frames, weights)

    def draw(self, states: Tensor, generator: torch.Generator | None) -> Tensor:
        return self.posterior.draw(states, generator)

    def free_parameters(self) -> int:
        return self.posterior.free_parameters()
