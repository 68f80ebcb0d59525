"""Gaussians whose means and precisions have normal–Wishart distributions.

Λ ~ Wishart(ν, Ψ⁻¹), μ | Λ ~ Normal(m, (β Λ)⁻¹), with E[Λ] = ν Ψ⁻¹ (Bishop, "Pattern recognition and machine
learning", 2006, 10.2). "tied": all states have the one Λ. "diag", "spherical": Λ may be any matrix, but of the
distributions over it only those with such a Ψ are sought (Gruhl & Sick, "Variational Bayesian inference for hidden
Markov models with multivariate Gaussian output distributions", 2016); the best one has the diagonal, or the mean of
the diagonal, of the Ψ that "full" would have, so that the bound stays one, and rises.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from streamhmm.models.covariance import floored
from streamhmm.models.expected import PosteriorEmission
from streamhmm.models.gaussian_emissions import Gaussian
from streamhmm.models.moments import outer
from streamhmm.models.parameters import assign
from streamhmm.models.sums import Sums


class NormalWishartPrior(NamedTuple):
    """(S, D) means m, (S,) strengths β, (G,) degrees of freedom ν and scales Ψ by kind; G = 1 for "tied", else S."""

    means: Tensor
    beta: Tensor
    dof: Tensor
    scale: Tensor


class NormalWishart(Gaussian, PosteriorEmission):
    """A Gaussian a state: ``means`` are the m, ``covariance`` has Ψ / ν, the inverse of the mean precision.

    Attributes:
        beta, dof: (S,) and (G,).
        origin: (D,) the mean of the data, about which sums are taken, so that squares lose the fewest digits.
    """

    def __init__(self, n_states: int, n_features: int, covariance_type: str, dtype: torch.dtype) -> None:
        super().__init__(n_states, n_features, covariance_type, dtype)
        groups = self.covariance.groups
        self.beta = nn.Parameter(torch.ones(n_states, dtype=dtype), requires_grad=False)
        self.dof = nn.Parameter(torch.full((groups,), float(n_features), dtype=dtype), requires_grad=False)
        self.origin = nn.Parameter(torch.zeros(n_features, dtype=dtype), requires_grad=False)

    @property
    def scale(self) -> Tensor:
        """Ψ: (S,), (S, D), (S, D, D) or (1, D, D), by kind."""
        value = self.covariance.value.detach()
        return value * _along(self.dof, value)

    @torch.no_grad()
    def set_beta(self, values: Tensor) -> None:
        """Take (S,) strengths. Raises ValueError unless they are above 0."""
        if not bool((values > 0).all()):
            raise ValueError(f"beta_posterior_ must be above 0, got {float(values.min())}")
        assign(self.beta, values, "beta_posterior_")

    @torch.no_grad()
    def set_wishart(self, dof: Tensor, scale: Tensor) -> None:
        """Take (G,) degrees of freedom and scales. Raises ValueError for such that make no Wishart distribution."""
        for values, name, like in (
            (dof, "dof_posterior_", self.dof),
            (scale, "scale_posterior_", self.covariance.raw),
        ):
            if values.shape != like.shape:
                raise ValueError(f"{name} must have shape {tuple(like.shape)}, got {tuple(values.shape)}")
        check_dof(dof, self.means.shape[1], "dof_posterior_")
        check_scale(scale, "scale_posterior_")
        self.covariance.set(scale / _along(dof, scale))
        assign(self.dof, dof, "dof_posterior_")

    def expected_scores(self, frames: Tensor) -> Tensor:
        """(N, S) E[log Normal(x; μ, Λ⁻¹)] + D/2 · log 2π: without that constant, as the literature and hmmlearn.

        The log-density at the means, but for log |Λ|, which has its mean, and D/β for what is not known of μ.
        """
        size = self.means.shape[1]
        log_precision = _digammas(self.dof, size) - size * (self.dof / 2).log()
        constant = log_precision + size * math.log(2 * math.pi) - size / self.beta
        return self.scores(frames) + 0.5 * constant

    def statistics(self, frames: Tensor, weights: Tensor) -> Sums:
        """Of each state "post" (S,), "obs" (S, D) and "squares", (S, D) or (S, D, D): moments about the origin."""
        moments = self._moments(self.origin.detach())
        moments.add(frames, weights)
        return Sums(post=moments.mass, obs=moments.total, squares=moments.squares)

    def about_zero(self, sums: Sums) -> Sums:
        return _moved(sums, self.origin)

    def about_means(self, sums: Sums) -> Sums:
        return _moved(sums, -self.origin)

    @torch.no_grad()
    def maximise(self, sums: Sums, prior: NormalWishartPrior, means: bool, covariances: bool) -> None:
        """The best q(μ | Λ), then the best q(Λ); with either alone the other one stays as it is."""
        mass, total = sums["post"], sums["obs"]
        if means:
            beta = prior.beta + mass
            away = prior.beta[:, None] * (prior.means - self.origin) + total
            assign(self.means, self.origin + away / beta[:, None], "means_posterior_")
            self.set_beta(beta)
        if covariances:
            gained = mass.sum()[None] if self.covariance.kind == "tied" else mass
            scale = prior.scale + self._spread(sums, prior)
            if scale.dim() == 3:
                _, scale = floored(
                    scale, 0.0, False, torch.finfo(self.means.dtype).eps
                )  # rounding may take what the prior adds
            self.set_wishart(prior.dof + gained, scale)

    def _spread(self, sums: Sums, prior: NormalWishartPrior) -> Tensor:
        """Σ_n w_n (x_n − m)(x_n − m)ᵀ + β₀ (m − m₀)(m − m₀)ᵀ, or what is left of it by kind."""
        mass, total, squares = sums["post"], sums["obs"], sums["squares"]
        means = self.means.detach() - self.origin
        away = self.means.detach() - prior.means
        if squares.dim() == 2:
            inside = (squares - 2 * means * total + means.square() * mass[:, None]).clamp(min=0)
            spread = inside + prior.beta[:, None] * away.square()
            return spread.mean(1) if self.covariance.kind == "spherical" else spread
        cross = outer(total, means)
        spread = squares - cross - cross.mT + outer(mass[:, None] * means, means)
        spread = spread + outer(prior.beta[:, None] * away, away)
        return spread.sum(0, keepdim=True) if self.covariance.kind == "tied" else spread

    @torch.no_grad()
    def divergence(self, prior: NormalWishartPrior) -> Tensor:
        """() Kullback and Leibler's from the posterior to the prior, float64, nats.

        Of the means, given the precisions, its mean over these: ½ (D log β/β₀ + D (β₀/β − 1) + β₀ δᵀ E[Λ] δ).
        """
        size = self.means.shape[1]
        factors = torch.linalg.cholesky(self._matrices(self.covariance.value.double()))
        away = (self.means.double() - prior.means)[:, :, None]
        white = torch.linalg.solve_triangular(factors.expand(len(away), -1, -1), away, upper=False)
        ratio = prior.beta / self.beta.double()
        of_means = size * (ratio - 1 - ratio.log()) + prior.beta * white.square().sum((1, 2))
        found: Tensor = 0.5 * of_means.sum() + self._wishart_divergence(prior).sum()
        return found

    def _wishart_divergence(self, prior: NormalWishartPrior) -> Tensor:
        """(G,): (ν − ν₀)/2 E[log |Λ|] − D ν/2 + ν/2 tr(Ψ₀ Ψ⁻¹) + log Z(ν₀, Ψ₀) − log Z(ν, Ψ)."""
        size, dof = self.means.shape[1], self.dof.double()
        scale = torch.linalg.cholesky(self._matrices(self.scale.double()))
        before = torch.linalg.cholesky(self._matrices(prior.scale))
        trace = torch.linalg.solve_triangular(scale, before, upper=False).square().sum((1, 2))
        log_precision = _digammas(dof, size) - _log_det_half(scale)
        constants = _log_normaliser(prior.dof, before) - _log_normaliser(dof, scale)
        found: Tensor = 0.5 * ((dof - prior.dof) * log_precision - size * dof + dof * trace) + constants
        return found

    def _matrices(self, values: Tensor) -> Tensor:
        """(G, D, D) of scales or covariances of any kind."""
        if values.dim() == 3:
            return values
        return torch.diag_embed(values if values.dim() == 2 else values[:, None].expand(-1, self.means.shape[1]))


def check_dof(dof: Tensor, n_features: int, name: str) -> None:
    """Raises ValueError for degrees of freedom with which a Wishart distribution in D dimensions has no density."""
    if not bool(((dof > n_features - 1) & dof.isfinite()).all()):
        raise ValueError(f"{name} must be above {n_features - 1}, n_features - 1, got {float(dof.min())}")


def check_scale(scale: Tensor, name: str) -> None:
    """Raises ValueError for variances that are not above 0, or (G, D, D) matrices that are not positive definite."""
    positive = scale > 0 if scale.dim() < 3 else torch.linalg.cholesky_ex(scale).info == 0
    if not bool(positive.all() and scale.isfinite().all()):
        raise ValueError(f"{name} must be above 0, or positive definite matrices")


def _moved(sums: Sums, by: Tensor) -> Sums:
    """What the sums were, had ``by`` (D,) been added to every frame."""
    mass, total, squares = sums["post"], sums["obs"], sums["squares"]
    by = by.expand_as(total)
    moved = total + mass[:, None] * by
    if squares.dim() == 2:
        return Sums(post=mass, obs=moved, squares=squares + (total + moved) * by)
    return Sums(post=mass, obs=moved, squares=squares + outer(total, by) + outer(by, moved))


def _along(dof: Tensor, values: Tensor) -> Tensor:
    return dof.reshape(-1, *(1,) * (values.dim() - 1))


def _digammas(dof: Tensor, size: int) -> Tensor:
    """(G,) Σ_i ψ((ν − i) / 2), i = 0 … D − 1."""
    return ((dof[:, None] - torch.arange(size, device=dof.device)) / 2).digamma().sum(1)


def _log_det_half(factors: Tensor) -> Tensor:
    """(G,) log |Ψ / 2| from Cholesky factors."""
    return 2 * factors.diagonal(dim1=1, dim2=2).log().sum(1) - factors.shape[1] * math.log(2)


def _log_normaliser(dof: Tensor, factors: Tensor) -> Tensor:
    """(G,) what a Wishart density is divided by, but for π's power: −ν/2 log |Ψ/2| + Σ_i log Γ((ν − i) / 2)."""
    size = factors.shape[1]
    gammas = ((dof[:, None] - torch.arange(size, device=dof.device)) / 2).lgamma().sum(1)
    return gammas - dof / 2 * _log_det_half(factors)
