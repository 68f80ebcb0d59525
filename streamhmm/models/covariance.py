"""Covariances of K Gaussians in D dimensions, of four kinds, as parameters that an optimiser may move freely."""

from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor, nn

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
        low, value = floored(value, floor, self.kind in ("spherical", "diag"))
        if low:
            text = f"variances of {low} states or mixtures were below {floor:g}: constant features, or too few frames"
            warnings.warn(text, RuntimeWarning, stacklevel=2)
        self.set(value)

    def log_density(self, frames: Tensor, means: Tensor) -> Tensor:
        """(N, K) from (N, D) and (K, D)."""
        origin = means.detach().mean(0)  # where squares lose the fewest digits
        frames, means = frames - origin, means - origin
        if self.kind == "spherical":
            return _diagonal(frames, means, self.raw[:, None].expand_as(means))
        if self.kind == "diag":
            return _diagonal(frames, means, self.raw)
        return self._by_factors(frames, means)

    def draw(self, means: Tensor, index: Tensor, generator: torch.Generator | None) -> Tensor:
        """(N, D): one vector of each of the Gaussians ``index`` (N,)."""
        noise = torch.randn(len(index), means.shape[1], dtype=means.dtype, generator=generator).to(means.device)
        if self.kind in ("spherical", "diag"):
            scale = (0.5 * self.raw).exp()[index]
            return means[index] + (scale[:, None] if self.kind == "spherical" else scale) * noise
        factors = self._factor()[index // self.members if self.kind == "tied" else index]
        return means[index] + (factors @ noise[:, :, None]).squeeze(2)

    def free_parameters(self) -> int:
        """How many numbers it takes."""
        if self.kind in ("spherical", "diag"):
            return self.raw.numel()
        matrices, size = self.raw.shape[:2]
        return matrices * size * (size + 1) // 2

    def _by_factors(self, frames: Tensor, means: Tensor) -> Tensor:
        parts: list[Tensor] = []
        together = self.members if self.kind == "tied" else 1
        for factor, centres in zip(self._factor(), means.split(together), strict=True):
            spread = 2 * factor.diagonal().log().sum()
            white = torch.linalg.solve_triangular(factor, torch.cat((frames, centres)).mT, upper=False).mT
            parts.append(_unit(white[: len(frames)], white[len(frames) :]) - 0.5 * spread)
        return torch.cat(parts, dim=1)

    def _factor(self) -> Tensor:
        return self.raw.tril(-1) + torch.diag_embed(self.raw.diagonal(dim1=-2, dim2=-1).exp())


def _diagonal(frames: Tensor, means: Tensor, log_variances: Tensor) -> Tensor:
    precision = (-log_variances).exp()
    constant = means.shape[1] * math.log(2 * math.pi) + (log_variances + means.square() * precision).sum(1)
    return torch.addmm(
        torch.addmm(-0.5 * constant, frames, (means * precision).mT), frames.square(), precision.mT, alpha=-0.5
    )


def _unit(frames: Tensor, means: Tensor) -> Tensor:
    squares = torch.stack([(frames - mean).square().sum(1) for mean in means], dim=1)
    return -0.5 * (squares + means.shape[1] * math.log(2 * math.pi))


def outer(a: Tensor, b: Tensor) -> Tensor:
    """(K, D, D) from (K, D) and (K, D)."""
    return a[:, :, None] * b[:, None, :]


def first_covariance(frames: Tensor, floor: float) -> Tensor:
    """(D, D) of all frames, ``floor`` added to the diagonal."""
    size = frames.shape[1]
    if len(frames) < 2:
        raise ValueError(f"X must have at least 2 rows to find a first covariance, got {len(frames)}")
    return torch.cov(frames.mT).reshape(size, size) + floor * torch.eye(size, dtype=frames.dtype, device=frames.device)


def shaped(matrix: Tensor, like: Covariance) -> Tensor:
    """One (D, D) covariance for every Gaussian, in the form that ``like`` takes."""
    variances = matrix.diagonal()
    values = {"spherical": variances.mean(), "diag": variances, "full": matrix, "tied": matrix}
    return values[like.kind].expand(like.raw.shape)


def floored(value: Tensor, floor: float, variances: bool) -> tuple[int, Tensor]:
    """How many of the covariances (along the first axis) were too small, and what they become; NaN is too small."""
    if variances:
        low = ~(value >= floor)
        return int(low.reshape(len(value), -1).any(1).sum()), torch.where(low, floor, value)
    known = torch.where(value.isfinite(), value, 0)
    values, axes = torch.linalg.eigh((known + known.mT) / 2)
    least = (16 * values.shape[1] * torch.finfo(value.dtype).eps * values[:, -1:]).clamp(min=floor)
    low = ~(values >= least).all(1)
    if not bool(low.any()):
        return 0, value
    raised = (axes * torch.maximum(values, least)[:, None, :]) @ axes.mT
    return int(low.sum()), torch.where(low[:, None, None], (raised + raised.mT) / 2, value)
