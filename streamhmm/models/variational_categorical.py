"""Symbols whose probabilities have a Dirichlet distribution, and the variational model of that name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamhmm.models.categorical import Categorical, largest_symbol
from streamhmm.models.chain import normalised
from streamhmm.models.dirichlet import check_concentrations, divergence, expected_log
from streamhmm.models.expected import PosteriorEmission
from streamhmm.models.missing import zeroed
from streamhmm.models.parameters import as_numpy
from streamhmm.models.sums import Sums
from streamhmm.models.variational import Variational


class DirichletCategorical(Categorical, PosteriorEmission):
    """One of V symbols. Logits are logarithms of concentrations: their softmax is the mean of the posterior."""

    @property
    def posterior(self) -> Tensor:
        """(S, V) concentrations."""
        return self.logits.detach().exp()

    @torch.no_grad()
    def set_posterior(self, concentrations: Tensor) -> None:
        """Take (S, V) concentrations. Raises ValueError unless they are above 0."""
        possible = torch.ones_like(self.logits, dtype=torch.bool)
        self.logits.copy_(check_concentrations(concentrations, possible, "emissionprob_posterior_").log())

    def expected_scores(self, frames: Tensor) -> Tensor:
        """(N, S) E[log p] of (N, 1) symbols; 0 of what is missing."""
        symbols, seen = zeroed(frames)
        return torch.where(seen > 0, expected_log(self.posterior).mT[symbols[:, 0].long()], 0.0)

    def statistics(self, frames: Tensor, weights: Tensor) -> Sums:
        """Of each state "obs" (S, V): how often it gave each symbol, in the frames that are there."""
        seen = ~frames[:, 0].isnan()
        return super().statistics(frames[seen], weights[seen])


@dataclass(eq=False, repr=False, kw_only=True)
class VariationalCategoricalHMM(Variational):
    """An HMM whose states emit symbols, with distributions over its parameters.

    As ``hmmlearn.vhmm.VariationalCategoricalHMM``; see :class:`Variational`.

    Args:
        emissionprob_prior: concentrations of the Dirichlet priors of the rows of ``emissionprob_``; by default 1 / V.
        n_features: V symbols, 0 … V − 1; by default as many as the data have.

    Letters of ``params``: "s", "t", "e" emissions.

    Attributes:
        emissionprob_posterior_: (S, V) concentrations of the Dirichlet posteriors.
        emissionprob_: (S, V) their means.
    """

    emissionprob_prior: Any = None
    params: str = "ste"
    init_params: str = "ste"

    @property
    def emissionprob_posterior_(self) -> NDArray[np.floating[Any]]:
        """(S, V)."""
        return as_numpy(self._categorical.posterior)

    @emissionprob_posterior_.setter
    def emissionprob_posterior_(self, value: Any) -> None:
        concentrations = self._tensor(value)
        self.become(concentrations.shape[-1])
        self._categorical.set_posterior(concentrations)

    @property
    def emissionprob_(self) -> NDArray[np.floating[Any]]:
        """(S, V)."""
        return as_numpy(self._categorical.logits.softmax(-1))

    @property
    def _categorical(self) -> DirichletCategorical:
        emission = self.require_emission()
        assert isinstance(emission, DirichletCategorical)
        return emission

    def _make_emission(self, n_features: int) -> DirichletCategorical:
        return DirichletCategorical(self.n_components, n_features, self.dtype)

    def _features_of(self, frames: Tensor) -> int:
        return max(largest_symbol(frames) + 1, 1)

    def _initialise(
        self, frames: Tensor, letters: set[str], generator: torch.Generator, times: Tensor | None = None
    ) -> None:
        """Random shares of the frames: states that begin alike stay alike."""
        if "e" in letters:
            shape = self._categorical.logits.shape
            shares = normalised(torch.rand(shape, dtype=torch.float64, generator=generator))
            counts = shares.to(self._categorical.logits.device) * (len(frames) / self.n_components)
            self._categorical.set_posterior(self._emission_prior() + counts)

    def _maximise(self, sums: Sums) -> None:
        if "e" in self.params:
            self._categorical.set_posterior(self._emission_prior() + sums["obs"])

    def _emission_prior(self) -> Tensor:
        shape = self._categorical.logits.shape
        return self._prior("emissionprob_prior", *shape).expand(shape)

    def _emission_divergence(self) -> Tensor:
        return divergence(self._categorical.posterior, self._emission_prior())

    def _default_prior(self, name: str) -> float:
        return 1 / self._categorical.n_symbols
