"""Counts as emissions, and the model of that name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from streamhmm.models.emission import Emission, check_counts
from streamhmm.models.estimator import Estimator
from streamhmm.models.missing import zeroed
from streamhmm.models.parameters import as_numpy, assign
from streamhmm.models.sums import Sums


class Poisson(Emission):
    """D independent counts."""

    letters = "l"

    def __init__(self, n_states: int, n_features: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.n_states, self.n_features = n_states, n_features
        self.log_rates = nn.Parameter(torch.zeros(n_states, n_features, dtype=dtype))

    def scores(self, frames: Tensor) -> Tensor:
        """Σ_d x_d log λ_d − λ_d − log x_d!."""
        if self.has_missing(frames):
            counts, seen = zeroed(frames)
            constant = (counts + 1).lgamma().sum(1, keepdim=True)
            return counts @ self.log_rates.mT - seen @ self.log_rates.exp().mT - constant
        constant = (frames + 1).lgamma().sum(1, keepdim=True)
        return frames @ self.log_rates.mT - self.log_rates.exp().sum(1) - constant

    def statistics(self, frames: Tensor, weights: Tensor) -> Sums:
        """Of each state "post" (S,) and "obs" (S, D); what is missing counts as its rate."""
        if self.has_missing(frames):
            counts, seen = zeroed(frames)
            unseen = (weights.mT @ (1 - seen)) * self.log_rates.detach().exp()
            return Sums(post=weights.sum(0), obs=weights.mT @ counts + unseen)
        return Sums(post=weights.sum(0), obs=weights.mT @ frames)

    def draw(self, states: Tensor, generator: torch.Generator | None) -> Tensor:
        return torch.poisson(self.log_rates.detach().exp().cpu()[states], generator=generator).long()

    def free_parameters(self) -> int:
        return self.log_rates.numel()

    def check_frames(self, frames: Tensor) -> None:
        super().check_frames(frames)
        check_counts(frames)


@dataclass(eq=False, repr=False, kw_only=True)
class PoissonHMM(Estimator):
    """An HMM whose states emit counts, as ``hmmlearn.hmm.PoissonHMM``.

    Args:
        lambdas_prior, lambdas_weight: of the gamma prior of the rates.

    For the rest see :class:`streamhmm.models.estimator.Estimator`. Letters of ``params``: "s", "t", "l" rates.

    Attributes:
        lambdas_: (S, D) rates.
    """

    lambdas_prior: Any = 0.0
    lambdas_weight: Any = 0.0
    params: str = "stl"
    init_params: str = "stl"

    @property
    def lambdas_(self) -> NDArray[np.floating[Any]]:
        """(S, D)."""
        return as_numpy(self._poisson.log_rates.exp())

    @lambdas_.setter
    def lambdas_(self, value: Any) -> None:
        rates = self._tensor(value)
        self.become(rates.shape[-1])
        if not bool((rates >= 0).all()):
            raise ValueError(f"lambdas_ must be at least 0, got {float(rates.min())}")
        # 0 as the least number there is: its logarithm times a count of 0 has to be 0.
        assign(self._poisson.log_rates, rates.clamp(min=torch.finfo(self.dtype).tiny).log(), "lambdas_")

    @property
    def _poisson(self) -> Poisson:
        emission = self.require_emission()
        assert isinstance(emission, Poisson)
        return emission

    def _make_emission(self, n_features: int) -> Poisson:
        return Poisson(self.n_components, n_features, self.dtype)

    def _initialise(
        self, frames: Tensor, letters: set[str], generator: torch.Generator, times: Tensor | None = None
    ) -> None:
        """Rates drawn from the gamma distribution whose moments are those of the data."""
        if "l" in letters:
            seen = frames[~frames.isnan()]
            mean, variance = seen.mean(), seen.var(correction=0)
            size = (self.n_components, frames.shape[1])
            if not bool(variance > 0):
                self.lambdas_ = mean.expand(size)
                return
            shape = torch.full(size, float(mean**2 / variance), dtype=torch.float64)
            self.lambdas_ = torch._standard_gamma(shape, generator=generator) * float(variance / mean)

    def _maximise(self, sums: Sums) -> None:
        """Hyvönen & Tolonen, Bayesian Inference 2019, section 3.2; as hmmlearn has it."""
        if "l" in self.params:
            shape = sums["obs"].shape
            strength, centre = self._prior("lambdas_weight", *shape), self._prior("lambdas_prior", *shape)
            mass, total = sums["post"][:, None], sums["post"].sum()
            rates = (centre + total * sums["obs"] / mass) / (strength + total)
            self.lambdas_ = torch.where(mass > 0, rates, self._poisson.log_rates.exp())
