"""The variational model of Gaussian vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import one_hot

from streamhmm.models.covariance import check_kind
from streamhmm.models.emission import Emission
from streamhmm.models.k_means import first_means, nearest_centre
from streamhmm.models.normal_wishart import NormalWishart, NormalWishartPrior, check_dof, check_scale
from streamhmm.models.parameters import as_numpy, assign
from streamhmm.models.sums import Sums
from streamhmm.models.variational import Variational

_FIRST_VARIANCE = 1e-3  # added to those of the first covariance, as hmmlearn does
_FLOOR = 1e-9


@dataclass(eq=False, repr=False, kw_only=True)
class VariationalGaussianHMM(Variational):
    """An HMM whose states emit Gaussian vectors, with distributions over its parameters.

    As ``hmmlearn.vhmm.VariationalGaussianHMM``; see :class:`Variational`. How many states there are, the bound tells::

        fitted = [VariationalGaussianHMM(n, scale_prior=1.0, random_state=0).fit(X) for n in range(1, 6)]
        best = max(fitted, key=lambda model: model.monitor_.history[-1])

    A state that the data do not need loses its frames, and ``beta_posterior_`` goes to ``beta_prior``; but where a
    state sits on a few frames far off it may keep these, as the search finds a local optimum. A ``scale_prior`` about
    as large as the variances expected leaves fewer of those.

    The bound lacks the constant −N·D/2 · log 2π, as hmmlearn's. "diag" and "spherical" are any matrices of which only
    such a scale is sought, not matrices that are diagonal.

    Args:
        covariance_type: "spherical", "diag", "full", or "tied" (one matrix for all states).
        means_prior: (S, D) means of the means; by default the mean of the data that :meth:`fit` is given.
        beta_prior: (S,) how many frames these count as; by default 1.
        dof_prior: (S,) degrees of freedom of the Wishart priors of the precisions, above D − 1; one number for "tied";
            by default D.
        scale_prior: their inverse scales, which squares add to, of the shape of ``covars_``; by default 0.001, and a
            number is that along the diagonal.

    Letters of ``params``: "s", "t", "m" means with beta, "c" degrees of freedom with scales. ``missing`` must be
    "error".

    Attributes:
        means_posterior_, beta_posterior_: (S, D) and (S,), of the normal distributions of the means.
        dof_posterior_, scale_posterior_: (S,), a number for "tied", and by ``covariance_type``.
        means_, covars_: (S, D) means of the means, and the scales over the degrees of freedom.
    """

    covariance_type: str = "full"
    means_prior: Any = None
    beta_prior: Any = None
    dof_prior: Any = None
    scale_prior: Any = None
    params: str = "stmc"
    init_params: str = "stmc"

    def __post_init__(self) -> None:
        check_kind(self.covariance_type)
        super().__post_init__()

    @property
    def means_posterior_(self) -> NDArray[np.floating[Any]]:
        """(S, D)."""
        return as_numpy(self._posterior.means)

    @means_posterior_.setter
    def means_posterior_(self, value: Any) -> None:
        means = self._tensor(value)
        self.become(means.shape[-1])
        assign(self._posterior.means, means, "means_posterior_")

    @property
    def beta_posterior_(self) -> NDArray[np.floating[Any]]:
        """(S,)."""
        return as_numpy(self._posterior.beta)

    @beta_posterior_.setter
    def beta_posterior_(self, value: Any) -> None:
        self._posterior.set_beta(self._tensor(value))

    @property
    def dof_posterior_(self) -> Any:
        """(S,), or a number for "tied"."""
        return self._shown(self._posterior.dof)

    @dof_posterior_.setter
    def dof_posterior_(self, value: Any) -> None:
        self._posterior.set_wishart(self._held(value), self._posterior.scale)

    @property
    def scale_posterior_(self) -> NDArray[np.floating[Any]]:
        """By ``covariance_type``."""
        return np.asarray(self._shown(self._posterior.scale))

    @scale_posterior_.setter
    def scale_posterior_(self, value: Any) -> None:
        self._posterior.set_wishart(self._posterior.dof.detach(), self._held(value))

    @property
    def means_(self) -> NDArray[np.floating[Any]]:
        """(S, D)."""
        return self.means_posterior_

    @property
    def covars_(self) -> NDArray[np.floating[Any]]:
        """By ``covariance_type``."""
        return np.asarray(self._shown(self._posterior.covariance.value))

    def require_emission(self) -> Emission:
        if self.missing != "error":
            raise ValueError(f"missing must be 'error' for VariationalGaussianHMM, got {self.missing!r}")
        return super().require_emission()

    @property
    def _posterior(self) -> NormalWishart:
        emission = self.require_emission()
        assert isinstance(emission, NormalWishart)
        return emission

    def _make_emission(self, n_features: int) -> NormalWishart:
        return NormalWishart(self.n_components, n_features, self.covariance_type, self.dtype)

    @torch.no_grad()
    def _initialise(
        self, frames: Tensor, letters: set[str], generator: torch.Generator, times: Tensor | None = None
    ) -> None:
        """Means at centres, as strong as the clusters are large; the covariance of all frames for every state."""
        posterior = self._posterior
        assign(posterior.origin, frames.mean(0), "origin")
        if "m" in letters:
            assign(posterior.means, first_means(frames, self.n_components, generator, times), "means_posterior_")
        prior, nearest = self._emission_prior(), nearest_centre(frames, posterior.means.detach())
        counts = one_hot(nearest, self.n_components).sum(0).to(prior.beta)
        if "m" in letters:
            posterior.set_beta(prior.beta + counts)
        if "c" in letters:
            posterior.covariance.initialise(frames, _FIRST_VARIANCE, _FLOOR)
            gained = counts.sum()[None] if self.covariance_type == "tied" else counts
            assign(posterior.dof, prior.dof + gained, "dof_posterior_")

    def _maximise(self, sums: Sums) -> None:
        self._posterior.maximise(sums, self._emission_prior(), "m" in self.params, "c" in self.params)

    def _emission_divergence(self) -> Tensor:
        return self._posterior.divergence(self._emission_prior())

    def _emission_prior(self) -> NormalWishartPrior:
        (states, size), groups = self._posterior.means.shape, len(self._posterior.dof)
        dof = self._prior("dof_prior", groups).expand(groups)
        check_dof(dof, size, "dof_prior")
        means = self._prior("means_prior", states, size).expand(states, size)
        return NormalWishartPrior(means, self._prior("beta_prior", states).expand(states), dof, self._scale_prior())

    def _scale_prior(self) -> Tensor:
        shape = self._posterior.covariance.raw.shape
        scale = self._prior("scale_prior", *shape)
        if scale.dim() == 0 and len(shape) == 3:
            scale = scale * torch.eye(shape[-1], dtype=scale.dtype, device=scale.device)
        scale = scale.expand(shape)
        check_scale(scale, "scale_prior")
        return scale

    def _default_prior(self, name: str) -> Any:
        if name == "means_prior":
            return self._posterior.origin.detach()
        return {"beta_prior": 1.0, "dof_prior": float(self._posterior.size), "scale_prior": 1e-3}[name]

    def _shown(self, values: Tensor) -> Any:
        return as_numpy(values)[0] if self.covariance_type == "tied" else as_numpy(values)

    def _held(self, value: Any) -> Tensor:
        values = self._tensor(value)
        return values[None] if self.covariance_type == "tied" else values
