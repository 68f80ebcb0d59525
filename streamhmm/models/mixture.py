"""Mixtures of Gaussians as emissions, and the model of that name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from streamhmm.models import missing
from streamhmm.models.chain import check_probabilities, normalised
from streamhmm.models.covariance import KINDS, Covariance, outer
from streamhmm.models.emission import Emission
from streamhmm.models.estimator import Estimator
from streamhmm.models.k_means import first_means, k_means, nearest_centre
from streamhmm.models.moments import Moments, blocks, in_blocks
from streamhmm.models.parameters import as_numpy, assign
from streamhmm.models.sums import Sums


class GaussianMixture(Emission):
    """M Gaussians a state, K = S · M in all. A "tied" covariance is shared by those of one state."""

    letters = "wmc"

    def __init__(self, n_states: int, n_mix: int, n_features: int, covariance_type: str, dtype: torch.dtype) -> None:
        super().__init__()
        self.n_states, self.n_mix, self.n_features = n_states, n_mix, n_features
        self.weight_logits = nn.Parameter(torch.zeros(n_states, n_mix, dtype=dtype))
        self.means = nn.Parameter(torch.zeros(n_states * n_mix, n_features, dtype=dtype))
        self.covariance = Covariance(covariance_type, n_states, n_mix, n_features, dtype)

    def scores(self, frames: Tensor) -> Tensor:
        if self.has_missing(frames):
            return self._joint_of_seen(frames).logsumexp(2)
        joint = self._joint()
        return in_blocks(lambda part: joint(part).logsumexp(1), frames, self.n_cells)

    def evaluate(self, frames: Tensor) -> tuple[Tensor, Callable[[Tensor], Sums]]:
        if self.has_missing(frames):
            return super().evaluate(frames)
        joint = self._joint()
        scores, shares = frames.new_empty(len(frames), self.n_states), frames.new_empty(len(frames), *self._grid)
        for part, score, share in blocks(frames, scores, shares):
            _normalise(joint(part), score, share)
        return scores, lambda weights: self._moments(frames, weights, shares)

    def statistics(self, frames: Tensor, weights: Tensor) -> Sums:
        """Of each Gaussian "post" (K,), "obs" (K, D), "squares" about the mean: (K, D), or (K, D, D) for matrices."""
        if self.has_missing(frames):
            return self._statistics_of_seen(frames, weights)
        return self.evaluate(frames)[1](weights)

    def _moments(self, frames: Tensor, weights: Tensor, shares: Tensor) -> Sums:
        means = self.means.detach()
        origin = means.mean(0)
        means = means - origin
        moments = Moments(means.shape[0], means.shape[1], self.covariance.kind in ("full", "tied"), frames)
        for part, weight, share in blocks(frames, weights, shares):
            moments.add(part - origin, (share * weight[:, None]).flatten(1))
        mass, total, squares = (
            each.unflatten(0, self._grid).transpose(0, 1).flatten(0, 1)
            for each in (moments.mass, moments.total, moments.squares)
        )
        return Sums(post=mass, obs=total + mass[:, None] * origin, squares=_about(means, mass, total, squares))

    def about_zero(self, sums: Sums) -> Sums:
        shift = _about(self.means.detach(), sums["post"], sums["obs"], torch.zeros_like(sums["squares"]))
        return Sums({**sums, "squares": sums["squares"] - shift})

    def about_means(self, sums: Sums) -> Sums:
        squares = _about(self.means.detach(), sums["post"], sums["obs"], sums["squares"])
        return Sums({**sums, "squares": squares})

    def draw(self, states: Tensor, generator: torch.Generator | None) -> Tensor:
        chances = self.weight_logits.detach().softmax(-1).cpu()[states]
        index = states * self.n_mix + torch.multinomial(chances, 1, generator=generator)[:, 0]
        return self.covariance.draw(self.means.detach(), index, generator)

    def free_parameters(self) -> int:
        return self.n_states * (self.n_mix - 1) + self.means.numel() + self.covariance.free_parameters()

    @property
    def n_cells(self) -> int:
        return self.n_states * self.n_mix

    @property
    def _grid(self) -> tuple[int, int]:
        return self.n_mix, self.n_states

    def _joint(self) -> Callable[[Tensor], Tensor]:
        """What gives (n, M, S) log-densities with the weights in them."""
        return self.covariance.densities(self.means, self.weight_logits.log_softmax(-1))

    def _joint_of_seen(self, frames: Tensor) -> Tensor:
        """(N, S, M) log-densities of what frames with missing features show."""
        densities = missing.log_density(frames, self.means, self.covariance)
        return densities.reshape(-1, self.n_states, self.n_mix) + self.weight_logits.log_softmax(-1)

    def _statistics_of_seen(self, frames: Tensor, weights: Tensor) -> Sums:
        shares = (self._joint_of_seen(frames).softmax(2) * weights[:, :, None]).flatten(1)
        mass, first, squares = missing.deviations(frames, shares, self.means, self.covariance)
        return Sums(post=mass, obs=first + mass[:, None] * self.means.detach(), squares=squares)


def _normalise(joint: Tensor, scores: Tensor, shares: Tensor) -> None:
    """Log-sums over M of (n, M, S) into (n, S), and each one's share of its sum into (n, M, S)."""
    largest = joint.amax(1).clamp(min=torch.finfo(joint.dtype).min)
    torch.sub(joint, largest[:, None], out=shares).exp_()
    total = shares.sum(1)
    torch.add(total.log(), largest, out=scores)
    shares /= total.clamp_(min=1)[:, None]  # it is less only where nothing is possible


def _about(means: Tensor, mass: Tensor, total: Tensor, squares: Tensor) -> Tensor:
    """Squares about (K, D) means from those about 0."""
    if squares.dim() == 2:
        return squares - 2 * means * total + means**2 * mass[:, None]
    cross = outer(total, means)
    return squares - cross - cross.mT + outer(means, means) * mass[:, None, None]


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
        if self.covariance_type not in KINDS:
            raise ValueError(f"covariance_type must be one of {', '.join(KINDS)}, got {self.covariance_type!r}")
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

    def _initialise(self, frames: Tensor, letters: set[str], generator: torch.Generator) -> None:
        """Clusters of all frames are the states, clusters of theirs the mixtures; the covariance is that within them.

        One of all frames would be so wide that the mixtures of a state are all alike, and stay so for long.
        """
        if "w" in letters:
            self.weights_ = torch.full(self._grid, 1 / self.n_mix)
        if "m" in letters:
            centres = first_means(frames, self.n_components, generator)
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
