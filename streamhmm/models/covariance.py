"""Covariances of K Gaussians in D dimensions, of four kinds, as parameters that an optimiser may move freely."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from streamhmm.models import diagonal
from streamhmm.models.moments import in_blocks

KINDS = ("spherical", "diag", "full", "tied")
"""A variance each; a variance for each feature each; a matrix each; one matrix for all of a group."""


class Covariance(nn.Module):
    """Logarithms of variances, or Cholesky factors with the logarithm of their diagonal.

    Args:
        kind: one of ``KINDS``.
        groups: G groups of ``members`` M Gaussians, K = G · M in all; those of a group share a "tied" covariance.
        n_features: D.
    """

    def __init__(self, kind: str, groups: int, members: int, n_features: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.kind, self.groups, self.members = kind, groups, members
        count = groups * members
        matrix = (n_features, n_features)
        shape = {
            "spherical": (count,),
            "diag": (count, n_features),
            "full": (count, *matrix),
            "tied": (groups, *matrix),
        }[kind]
        self.raw = nn.Parameter(torch.zeros(shape, dtype=dtype))

    @property
    def value(self) -> Tensor:
        """(K,) variances, (K, D) variances, (K, D, D) or (G, D, D) matrices, by ``kind``."""
        if self.kind in ("spherical", "diag"):
            return self.raw.exp()
        factor = self._factor()
        return factor @ factor.mT

    @torch.no_grad()
    def set(self, value: Tensor) -> None:
        """Take such values.

        Raises:
            ValueError: they have another shape, or are not positive (definite).
        """
        if value.shape != self.raw.shape:
            raise ValueError(f"covars_ must have shape {tuple(self.raw.shape)}, got {tuple(value.shape)}")
        if self.kind in ("spherical", "diag"):
            if not bool((value > 0).all()):
                raise ValueError(f"covars_ must be positive, got {float(value.min())}")
            self.raw.copy_(value.log())
            return
        factor, failed = torch.linalg.cholesky_ex(value.to(self.raw))
        if bool(failed.any()):
            raise ValueError(f"covars_ {int(failed.nonzero()[0, 0])} is not a positive definite matrix")
        self.raw.copy_(factor.tril(-1) + torch.diag_embed(factor.diagonal(dim1=-2, dim2=-1).log()))

    def set_floored(self, value: Tensor, floor: float) -> None:
        """The same, variances (along every axis) being ``floor`` at least, and what rounding leaves of the largest.

        Warns:
            RuntimeWarning: some were below.
        """
        low, value = floored(value, floor, self.kind in ("spherical", "diag"), torch.finfo(self.raw.dtype).eps)
        if low:
            text = f"variances of {low} states or mixtures were below {floor:g}: constant features, or too few frames"
            warnings.warn(text, RuntimeWarning, stacklevel=2)
        self.set(value)

    def initialise(self, frames: Tensor, min_covar: float, floor: float, about: Tensor | float = 0.0) -> None:
        """Take that of all (N, D) frames for every Gaussian, ``min_covar`` added along the diagonal.

        ``about``: (N, D) centres of the frames, where the covariance within clusters is wanted.

        Warns:
            RuntimeWarning: a feature is constant, and has a variance of its own here.
        """
        matrix = first_covariance(frames - about, min_covar)
        if self.kind != "spherical":
            _warn_of_constant(frames)
        self.set_floored(_shaped(matrix, self), floor)

    def densities(self, means: Tensor, log_weights: Tensor | None = None) -> Callable[[Tensor], Tensor]:
        """What gives (n, K) log-densities of (n, D) frames, with (K, D) means: the parameters' share is done here.

        With ``log_weights`` (G, M) added to them it gives (n, M, G), the order in which sums over M are fast.
        """
        origin = means.detach().mean(0)  # where squares lose the fewest digits
        centred = means - origin
        if self.kind in ("spherical", "diag"):
            variances = self.raw if self.kind == "diag" else self.raw[:, None].expand_as(centred)
            return self._diagonal(origin, centred, variances, log_weights)
        return self._by_factors(origin, centred, log_weights)

    def draw(self, means: Tensor, index: Tensor, generator: torch.Generator | None) -> Tensor:
        """(N, D): one vector of each of the Gaussians ``index`` (N,)."""
        noise = torch.randn(len(index), means.shape[1], dtype=means.dtype, generator=generator).to(means.device)
        if self.kind in ("spherical", "diag"):
            scale = (0.5 * self.raw).exp()[index]
            return means[index] + (scale[:, None] if self.kind == "spherical" else scale) * noise
        factors = self._factor()[index // self.members if self.kind == "tied" else index]
        return means[index] + (factors @ noise[:, :, None]).squeeze(2)

    def least_variances(self) -> Tensor:
        """(K,) the least of each Gaussian; of matrices no more than about that."""
        if self.kind in ("spherical", "diag"):
            return self.raw.detach().reshape(len(self.raw), -1).amin(1).exp()
        least = (2 * self.raw.detach().diagonal(dim1=-2, dim2=-1).amin(1)).exp()
        return least.repeat_interleave(self.members if self.kind == "tied" else 1)

    def free_parameters(self) -> int:
        """How many numbers it takes."""
        if self.kind in ("spherical", "diag"):
            return self.raw.numel()
        matrices, size = self.raw.shape[:2]
        return matrices * size * (size + 1) // 2

    def _diagonal(
        self, origin: Tensor, means: Tensor, log_variances: Tensor, log_weights: Tensor | None
    ) -> Callable[[Tensor], Tensor]:
        """Of frames less the ``origin``, about which the ``means`` are too."""
        precision = (-log_variances).exp()
        constant = -0.5 * (means.shape[1] * math.log(2 * math.pi) + log_variances.sum(1))
        if log_weights is not None:
            constant = self.by_member(constant) + log_weights.mT.flatten()
            means, precision = self.by_member(means), self.by_member(precision)
        quadratic = _one_by_one if loses_digits(means, precision) else _expanded
        densities_of = quadratic(origin, means, precision, constant)

        def densities(frames: Tensor) -> Tensor:
            found = densities_of(frames)
            return found if log_weights is None else found.reshape(-1, self.members, self.groups)

        return densities

    def _by_factors(self, origin: Tensor, means: Tensor, log_weights: Tensor | None) -> Callable[[Tensor], Tensor]:
        """Distances in the space where the covariance is 1."""
        factors = self._factor()
        together = self.members if self.kind == "tied" else 1
        constant = -0.5 * means.shape[1] * math.log(2 * math.pi) - factors.diagonal(dim1=1, dim2=2).log().sum(1)
        groups = list(zip(factors, means.split(together), constant, strict=True))

        def by_solving(frames: Tensor) -> Tensor:
            frames = frames - origin
            found: Tensor = torch.cat(
                [_through(factor, frames, centres) + offset for factor, centres, offset in groups], 1
            )
            if log_weights is None:
                return found
            joint: Tensor = found.reshape(-1, self.groups, self.members).mT + log_weights.mT
            return joint

        return lambda frames: in_blocks(by_solving, frames, self.groups * self.members)

    def by_member(self, values: Tensor) -> Tensor:
        """(K, …) with the first of every group first."""
        return values.reshape(self.groups, self.members, *values.shape[1:]).transpose(0, 1).flatten(0, 1)

    def _factor(self) -> Tensor:
        return self.raw.tril(-1) + torch.diag_embed(self.raw.diagonal(dim1=-2, dim2=-1).exp())


def check_kind(covariance_type: str) -> None:
    """Raises ValueError for none of ``KINDS``."""
    if covariance_type not in KINDS:
        raise ValueError(f"covariance_type must be one of {', '.join(KINDS)}, got {covariance_type!r}")


def loses_digits(means: Tensor, precision: Tensor) -> bool:
    """Whether x² − 2 x μ + μ² would lose half of the digits for x near one of (K, D) means: deviations so small."""
    sizes = (means.detach().square() * precision.detach()).sum(1)
    return bool((sizes > torch.finfo(sizes.dtype).eps ** -0.5).any())


def _expanded(origin: Tensor, means: Tensor, precision: Tensor, constant: Tensor) -> Callable[[Tensor], Tensor]:
    """constant − ½ Σ_d (x − μ)² p, x less the ``origin``, as x² and x times matrices."""
    constant = constant - 0.5 * (means.square() * precision).sum(1)
    linear, square = (means * precision).mT.contiguous(), (-0.5 * precision).mT.contiguous()

    def by_products(frames: Tensor) -> Tensor:
        frames = frames - origin
        return torch.addmm(torch.addmm(constant, frames, linear), frames.square(), square)

    def densities(frames: Tensor) -> Tensor:
        if diagonal.serves(frames, origin, constant, linear, square):
            return diagonal.densities(frames, origin, constant, linear, square)
        return in_blocks(by_products, frames, len(constant))

    return densities


def _one_by_one(origin: Tensor, means: Tensor, precision: Tensor, constant: Tensor) -> Callable[[Tensor], Tensor]:
    """The same, one Gaussian after another."""
    rows = list(zip(means, precision, strict=True))

    def by_differences(frames: Tensor) -> Tensor:
        frames = frames - origin
        return constant - 0.5 * torch.stack([(frames - mean).square() @ p for mean, p in rows], 1)

    return lambda frames: in_blocks(by_differences, frames, len(constant))


def _through(factor: Tensor, frames: Tensor, means: Tensor) -> Tensor:
    """(n, M) −½ (x − μ)ᵀ Σ⁻¹ (x − μ)."""
    white = torch.linalg.solve_triangular(factor, torch.cat((frames, means)).mT, upper=False).mT
    frames, means = white[: len(frames)], white[len(frames) :]
    return -0.5 * torch.stack([(frames - mean).square().sum(1) for mean in means], dim=1)


def first_covariance(frames: Tensor, floor: float) -> Tensor:
    """(D, D) of all frames, ``floor`` added to the diagonal.

    Where some features are missing, the variances are those of the others; the correlations, which only begin the
    search, are those with the mean in their place.
    """
    size, counts = frames.shape[1], (~frames.isnan()).sum(0)
    if bool((counts < 2).any()):
        feature = int(counts.argmin())
        text = f"got {int(counts[feature])}" + (f" of feature {feature}" if len(frames) > 1 else "")
        raise ValueError(f"X must have at least 2 rows to find a first covariance, {text}")
    away = (frames - frames.nanmean(0)).nan_to_num()
    scale = ((len(frames) - 1) / (counts.to(frames) - 1)).sqrt()
    matrix = (scale[:, None] * scale) * (away.mT @ away) / (len(frames) - 1)
    return matrix + floor * torch.eye(size, dtype=frames.dtype, device=frames.device)


def _warn_of_constant(frames: Tensor) -> None:
    constant = frames.nan_to_num(-torch.inf).amax(0) == frames.nan_to_num(torch.inf).amin(0)
    if bool(constant.any()):
        text = f"features {constant.nonzero()[:, 0].tolist()} of X are constant: floors and priors alone keep their"
        warnings.warn(f"{text} variances above 0; leave them out", RuntimeWarning, stacklevel=3)


def _shaped(matrix: Tensor, like: Covariance) -> Tensor:
    """One (D, D) covariance for every Gaussian, in the form that ``like`` takes."""
    variances = matrix.diagonal()
    values = {"spherical": variances.mean(), "diag": variances, "full": matrix, "tied": matrix}
    return values[like.kind].expand(like.raw.shape)


def floored(value: Tensor, floor: float, variances: bool, precision: float) -> tuple[int, Tensor]:
    """How many of the covariances (along the first axis) were too small, and what they become; NaN is too small.

    ``precision`` is that of the numbers they will be kept in, relatively.
    """
    if variances:
        low = ~(value >= floor)
        return int(low.reshape(len(value), -1).any(1).sum()), torch.where(low, floor, value)
    known = torch.where(value.isfinite(), value, 0)
    values, axes = torch.linalg.eigh((known + known.mT) / 2)
    least = (16 * values.shape[1] * precision * values[:, -1:]).clamp(min=floor)
    low = ~(values >= least).all(1)
    if not bool(low.any()):
        return 0, value
    raised = (axes * torch.maximum(values, least)[:, None, :]) @ axes.mT
    return int(low.sum()), torch.where(low[:, None, None], (raised + raised.mT) / 2, value)
