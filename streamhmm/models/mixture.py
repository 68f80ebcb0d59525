"""The model whose states emit mixtures of Gaussians."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamhmm.models.chain import check_probabilities, normalised
from streamhmm.models.covariance import check_kind
from streamhmm.models.estimator import Estimator
from streamhmm.models.gaussian_emissions import GaussianMixture
from streamhmm.models.k_means import first_means, k_means, nearest_centre
from streamhmm.models.moments import outer
from streamhmm.models.parameters import as_numpy, assign
from streamhmm.models.sums import Sums


@dataclass(eq=False, repr=False, kw_only=True)
class GMMHMM(Estimator):
    """An HMM whose states emit mixtures of M Gaussians, as ``hmmlearn.hmm.GMMHMM``.

    Args:
        n_mix: M.
        covariance_type: "spherical", "diag", "full", or "tied" (one matrix for those of a state).
        min_covar: added to the diagonal of the first covariance.
        covars_floor: the least variance, along every axis, that EM leaves a Gaussian.
        weights_prior: concentration of the Dirichlet prior of the mixture weights.
        means_prior, means_weight: mean and strength of the normal prior of the means.
        covars_prior, covars_weight: of the prior of the covariances: inverse Wishart, or inverse gamma for "spherical"
            and "diag"; None for hmmlearn's, which is flat (of "spherical" ones where M is D).

    For the rest see :class:`streamhmm.models.estimator.Estimator`.
    Letters of ``params``: "s", "t", "m" means, "c" covariances, "w" weights.

    Attributes:
        weights_: (S, M).
        means_: (S, M, D).
        covars_: (S, M), (S, M, D), (S, M, D, D) or (S, D, D), by ``covariance_type``.
    """

    n_mix: int = 1
    covariance_type: str = "diag"
    min_covar: float = 1e-3
    covars_floor: float = 1e-9
    weights_prior: Any = 1.0
    means_prior: Any = 0.0
    means_weight: Any = 0.0
    covars_prior: Any = None
    covars_weight: Any = None
    params: str = "stmcw"
    init_params: str = "stmcw"

    def __post_init__(self) -> None:
        check_kind(self.covariance_type)
        if not isinstance(self.n_mix, (int, np.integer)) or self.n_mix < 1:
            raise ValueError(f"n_mix must be a whole number of at least 1, got {self.n_mix!r}")
        super().__post_init__()

    @property
    def weights_(self) -> NDArray[np.floating[Any]]:
        """(S, M)."""
        return as_numpy(self._mixture.weight_logits.softmax(-1))

    @weights_.setter
    def weights_(self, value: Any) -> None:
        with torch.no_grad():
            self._mixture.weight_logits.copy_(check_probabilities(self._tensor(value), self._grid, "weights_").log())

    @property
    def means_(self) -> NDArray[np.floating[Any]]:
        """(S, M, D)."""
        return as_numpy(self._mixture.means.unflatten(0, self._grid))

    @means_.setter
    def means_(self, value: Any) -> None:
        means = self._tensor(value)
        self.become(means.shape[-1])
        assign(self._mixture.means, means.flatten(0, 1), "means_")

    @property
    def covars_(self) -> NDArray[np.floating[Any]]:
        """By ``covariance_type``."""
        value = self._mixture.covariance.value
        return as_numpy(value if self.covariance_type == "tied" else value.unflatten(0, self._grid))

    @covars_.setter
    def covars_(self, value: Any) -> None:
        covariance = self._tensor(value)
        if self.covariance_type != "spherical":
            self.become(covariance.shape[-1])
        self._mixture.covariance.set(covariance if self.covariance_type == "tied" else covariance.flatten(0, 1))

    @property
    def _grid(self) -> tuple[int, int]:
        return self.n_components, self.n_mix

    @property
    def _mixture(self) -> GaussianMixture:
        emission = self.require_emission()
        assert isinstance(emission, GaussianMixture)
        return emission

    def _make_emission(self, n_features: int) -> GaussianMixture:
        return GaussianMixture(*self._grid, n_features, self.covariance_type, self.dtype)

    def _initialise(
        self, frames: Tensor, letters: set[str], generator: torch.Generator, times: Tensor | None = None
    ) -> None:
        """Clusters of all frames are the states, clusters of theirs the mixtures; the covariance is that within them.

        One of all frames would be so wide that the mixtures of a state are all alike, and stay so for long.
        """
        if "w" in letters:
            self.weights_ = torch.full(self._grid, 1 / self.n_mix)
        if "m" in letters:
            centres = first_means(frames, self.n_components, generator, times)
            nearest = nearest_centre(frames, centres)
            parts = [frames[nearest == state] for state in range(self.n_components)]
            parts = [part if len(part) else frames for part in parts]
            found = torch.stack([k_means(part, self.n_mix, generator) for part in parts])
            self.means_ = torch.where(found.isnan(), centres[:, None], found)  # NaN: no frame of a part shows it
        if "c" in letters:
            means = self._mixture.means.detach()
            about = means[nearest_centre(frames, means)]
            self._mixture.covariance.initialise(frames, self.min_covar, self.covars_floor, about)

    def _maximise(self, sums: Sums) -> None:
        mass = sums["post"].unflatten(0, self._grid)
        if "w" in self.params:
            weights = (mass + self._prior("weights_prior", *self._grid) - 1).clamp(min=0)
            unseen = weights.sum(-1, keepdim=True) == 0
            self.weights_ = torch.where(unseen, self._mixture.weight_logits.softmax(-1), normalised(weights))
        strength = self._prior("means_weight", *self._grid).expand(self._grid)[:, :, None]
        centre = self._prior("means_prior", *self._grid, self._mixture.means.shape[1])
        if "m" in self.params:
            total = sums["obs"].unflatten(0, self._grid)
            below = mass[:, :, None] + strength
            before = self._mixture.means.unflatten(0, self._grid)
            self.means_ = torch.where(below == 0, before, (strength * centre + total) / below)
        if "c" in self.params:
            away = self._mixture.means.detach().unflatten(0, self._grid) - centre
            value = self._covariance(mass, sums["squares"].unflatten(0, self._grid), strength, away)
            reached = mass.sum(1) > 0 if self.covariance_type == "tied" else (mass > 0).flatten()
            value = value if self.covariance_type == "tied" else value.flatten(0, 1)
            before = self._mixture.covariance.value.detach()
            value = torch.where(reached.reshape(-1, *(1,) * (value.dim() - 1)), value, before)
            self._mixture.covariance.set_floored(value, self.covars_floor)

    def _covariance(self, mass: Tensor, squares: Tensor, strength: Tensor, away: Tensor) -> Tensor:
        if self.covariance_type in ("spherical", "diag"):
            return self._variances(mass, squares, strength, away)
        size = away.shape[-1]
        prior, weight = self._covariance_prior(size)
        away = away.flatten(0, 1)
        spread: Tensor = strength[..., None] * outer(away, away).unflatten(0, self._grid) + squares
        if self.covariance_type == "full":
            return (prior.mT + spread) / (mass + 1 + weight + size + 1)[:, :, None, None]
        below = mass.sum(1) + self.n_mix + weight + size + 1
        return (prior.mT + spread.sum(1)) / below[:, None, None]

    def _variances(self, mass: Tensor, squares: Tensor, strength: Tensor, away: Tensor) -> Tensor:
        size = away.shape[-1]
        prior, weight = self._covariance_prior(size)
        spread: Tensor = strength * away.square() + squares
        if self.covariance_type == "diag":
            return (spread + 2 * weight) / (mass[:, :, None] + 1 + 2 * (prior + 1))
        return (spread.sum(-1) + 2 * weight) / (size * (mass + 1) + 2 * (prior + 1))

    def _covariance_prior(self, size: int) -> tuple[Tensor, Tensor]:
        flat = {
            "full": (0.0, -(1.0 + size + 1.0)),
            "tied": (0.0, -(self.n_mix + size + 1.0)),
            "diag": (-1.5, 0.0),
            "spherical": (-(self.n_mix + 2.0) / 2.0, 0.0),
        }[self.covariance_type]
        shape = self.covars_.shape
        shapes = shape, shape[:-2] if self.covariance_type in ("full", "tied") else shape
        prior, weight = (
            self._tensor(default) if getattr(self, name) is None else self._prior(name, *shape)
            for default, name, shape in zip(flat, ("covars_prior", "covars_weight"), shapes, strict=True)
        )
        if prior.dim() == 0 and self.covariance_type in ("full", "tied"):
            prior = prior.expand(size, size)
        return prior, weight
