"""The model whose states emit Gaussian vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamhmm.models.covariance import check_kind
from streamhmm.models.estimator import Estimator
from streamhmm.models.gaussian_emissions import Gaussian
from streamhmm.models.k_means import first_means
from streamhmm.models.moments import about, outer
from streamhmm.models.parameters import as_numpy, assign
from streamhmm.models.sums import Sums


@dataclass(eq=False, repr=False, kw_only=True)
class GaussianHMM(Estimator):
    """An HMM whose states emit Gaussian vectors, as ``hmmlearn.hmm.GaussianHMM``.

    Args:
        covariance_type: "spherical", "diag", "full", or "tied" (one matrix for all states).
        min_covar: added to the diagonal of the first covariance.
        covars_floor: the least variance, along every axis, that EM leaves a Gaussian.
        means_prior, means_weight: mean and strength of the normal prior of the means.
        covars_prior, covars_weight: of the prior of the covariances: inverse Wishart, or inverse gamma for "spherical"
            and "diag".

    For the rest see :class:`streamhmm.models.estimator.Estimator`.
    Letters of ``params``: "s", "t", "m" means, "c" covariances.

    Attributes:
        means_: (S, D).
        covars_: (S,), (S, D), (S, D, D) or (D, D), by ``covariance_type``.
    """

    covariance_type: str = "diag"
    min_covar: float = 1e-3
    covars_floor: float = 1e-9
    means_prior: Any = 0.0
    means_weight: Any = 0.0
    covars_prior: Any = 1e-2
    covars_weight: Any = 1.0
    params: str = "stmc"
    init_params: str = "stmc"

    def __post_init__(self) -> None:
        check_kind(self.covariance_type)
        super().__post_init__()

    @property
    def means_(self) -> NDArray[np.floating[Any]]:
        """(S, D)."""
        return as_numpy(self._gaussian.means)

    @means_.setter
    def means_(self, value: Any) -> None:
        means = self._tensor(value)
        self.become(means.shape[-1])
        assign(self._gaussian.means, means, "means_")

    @property
    def covars_(self) -> NDArray[np.floating[Any]]:
        """By ``covariance_type``."""
        value = self._gaussian.covariance.value
        return as_numpy(value[0] if self.covariance_type == "tied" else value)

    @covars_.setter
    def covars_(self, value: Any) -> None:
        covariance = self._tensor(value)
        if self.covariance_type != "spherical":
            self.become(covariance.shape[-1])
        self._gaussian.covariance.set(covariance[None] if self.covariance_type == "tied" else covariance)

    @property
    def _gaussian(self) -> Gaussian:
        emission = self.require_emission()
        assert isinstance(emission, Gaussian)
        return emission

    def _make_emission(self, n_features: int) -> Gaussian:
        return Gaussian(self.n_components, n_features, self.covariance_type, self.dtype)

    def _initialise(
        self, frames: Tensor, letters: set[str], generator: torch.Generator, times: Tensor | None = None
    ) -> None:
        if "m" in letters:
            self.means_ = first_means(frames, self.n_components, generator, times)
        if "c" in letters:
            self._gaussian.covariance.initialise(frames, self.min_covar, self.covars_floor)

    def _maximise(self, sums: Sums) -> None:
        """Huang, Acero & Hon, Spoken Language Processing, 2001, p. 443; as hmmlearn has it."""
        shape = self._gaussian.means.shape
        strength, centre = self._prior("means_weight", *shape), self._prior("means_prior", *shape)
        mass, total, before = sums["post"][:, None], sums["obs"], self._gaussian.means.detach().clone()
        if "m" in self.params:
            means = (strength * centre + total) / (strength + mass)
            assign(self._gaussian.means, torch.where(strength + mass > 0, means, before), "means_")
        if "c" in self.params:
            means = self._gaussian.means.detach()
            squares = about(means - before, sums["post"], total - mass * before, sums["squares"])
            value = self._kept(self._covariance(sums["post"], squares, strength, means - centre), sums["post"])
            self._gaussian.covariance.set_floored(value, self.covars_floor)

    def _covariance(self, mass: Tensor, squares: Tensor, strength: Tensor, away: Tensor) -> Tensor:
        """From sums of squares about the means, which are ``away`` (S, D) from their prior's."""
        shape = away.shape if self.covariance_type in ("spherical", "diag") else self._gaussian.covariance.raw.shape
        prior, weight = self._prior("covars_prior", *shape), self._prior("covars_weight", *shape)
        if self.covariance_type in ("spherical", "diag"):
            spread = strength * away**2 + squares
            value = (prior + spread) / ((weight - 1).clamp(min=0) + mass[:, None]).clamp(min=1e-5)
            return value.mean(1) if self.covariance_type == "spherical" else value
        spread = strength * outer(away, away) + squares
        observed = (weight - away.shape[1]).clamp(min=0)
        if self.covariance_type == "tied":
            return ((prior + spread.sum(0)) / (observed + mass.sum()))[None]
        return (prior + spread) / (observed + mass[:, None, None])

    def _kept(self, value: Tensor, mass: Tensor) -> Tensor:
        """The new covariances; of states that nothing reached, the old ones."""
        before = self._gaussian.covariance.value.detach()
        reached = (mass.sum(0, keepdim=True) if self.covariance_type == "tied" else mass) > 0
        reached = reached.reshape(-1, *(1,) * (value.dim() - 1))
        return torch.where(reached, value, before)
