"""Gaussians of which some features were not observed: densities of what was seen, moments of what was not.

A missing feature is NaN and is integrated out. The E step fills it with its moments given the features that the same
frame shows, so that EM stays exact (Dempster, Laird & Rubin 1977; Ghahramani & Jordan, NIPS 1994).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from streamhmm.models.covariance import Covariance, loses_digits

MODES = ("error", "marginal")
"""NaN is refused; NaN is a feature that was not observed."""
_ROWS = 4096  # frames of one pattern that are computed at once


class Deviations(NamedTuple):
    """Weighted sums about the means of K Gaussians.

    Attributes:
        mass: (K,) of the weights.
        first: (K, D) of the deviations.
        second: (K, D) of their squares, or (K, D, D) of their products for matrices.
    """

    mass: Tensor
    first: Tensor
    second: Tensor


def known_mode(name: str) -> str:
    """The name. Raises ValueError unless it is one of ``MODES``."""
    if name not in MODES:
        raise ValueError(f"missing must be one of {', '.join(MODES)}, got {name!r}")
    return name


def check_observed(frames: Tensor) -> None:
    """Raises ValueError where a feature is NaN in all frames: nothing can be learned of it."""
    never = frames.isnan().all(0)
    if bool(never.any()):
        found = never.nonzero()[:, 0].tolist()
        raise ValueError(f"X must show every feature somewhere, got NaN alone in features {found}")


def zeroed(frames: Tensor) -> tuple[Tensor, Tensor]:
    """Frames with 0 for NaN, and (N, D) numbers: 1 where there was an observation."""
    missing = frames.isnan()
    return frames.masked_fill(missing, 0.0), (~missing).to(frames)


def log_density(frames: Tensor, means: Tensor, covariance: Covariance) -> Tensor:
    """(N, K) log-densities of what (N, D) frames show; 0 where they show nothing."""
    if covariance.kind in ("spherical", "diag"):
        origin = means.detach().mean(0)
        values, seen = zeroed(frames - origin)
        means, spread = means - origin, _log_variances(covariance, means)
        precision = (-spread).exp()
        constant = seen @ (spread + math.log(2 * math.pi)).mT
        if loses_digits(means, precision):
            each = zip(means, precision, strict=True)
            return -0.5 * (torch.stack([(values - mean * seen).square() @ p for mean, p in each], 1) + constant)
        squares = values.square() @ precision.mT - 2 * values @ (means * precision).mT
        return -0.5 * (squares + seen @ (means.square() * precision).mT + constant)
    matrices, means = _grouped(covariance, means)
    rows, parts = [], []
    for seen, where in patterns(frames):
        rows.append(where)
        parts.append(_of_pattern(frames[where][:, seen], means[..., seen], matrices[..., seen, :][..., seen]))
    return torch.cat(parts)[torch.cat(rows).argsort()] if parts else frames.new_zeros(0, len(means) * means.shape[1])


def deviations(frames: Tensor, weights: Tensor, means: Tensor, covariance: Covariance) -> Deviations:
    """Expected sums of (N, D) frames with (N, K) weights: what is missing has its moments given what is seen."""
    mass, means = weights.sum(0), means.detach()
    if covariance.kind in ("spherical", "diag"):
        origin = means.mean(0)
        values, seen = zeroed(frames - origin)
        means, observed = means - origin, weights.mT @ seen
        variances = _log_variances(covariance, means).detach().exp()
        unseen = (mass[:, None] - observed).clamp(min=0) * variances
        if loses_digits(means, 1 / variances):
            away = [(values - mean * seen, shares) for mean, shares in zip(means, weights.mT, strict=True)]
            first, squares = (torch.stack([w @ x**power for x, w in away]) for power in (1, 2))
            return Deviations(mass, first, squares + unseen)
        total = weights.mT @ values
        squares = weights.mT @ values.square() - 2 * means * total + means.square() * observed
        return Deviations(mass, total - means * observed, squares + unseen)
    matrices, grid = _grouped(covariance, means)
    first, second = torch.zeros_like(means), means.new_zeros(*means.shape, means.shape[1])
    for seen, where in patterns(frames):
        shares = weights[where].mT
        filled, left = _filled(frames[where], seen, grid, matrices.detach())
        first += (shares[:, None] @ filled).squeeze(1)
        second += (filled * shares[:, :, None]).mT @ filled + shares.sum(1)[:, None, None] * left
    return Deviations(mass, first, (second + second.mT) / 2)


def patterns(frames: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Which features are seen (d,), and the rows (n,) that show just these."""
    kinds, kind = (~frames.isnan()).unique(dim=0, return_inverse=True)
    counts = torch.bincount(kind, minlength=len(kinds)).tolist()
    for seen, rows in zip(kinds, kind.argsort().split(counts), strict=True):
        for part in rows.split(_ROWS):
            yield seen.nonzero()[:, 0], part


def _of_pattern(frames: Tensor, means: Tensor, matrices: Tensor) -> Tensor:
    """(n, K) ordinary densities of (n, d) frames, which d = 0 leaves at 0."""
    if frames.shape[1] == 0:
        return frames.new_zeros(len(frames), means.shape[0] * means.shape[1])
    factors = torch.linalg.cholesky(matrices)
    white = torch.linalg.solve_triangular(factors, (frames - means[:, :, None]).mT, upper=False)
    spread = 2 * factors.diagonal(dim1=-2, dim2=-1).log().sum(-1) + frames.shape[1] * math.log(2 * math.pi)
    squares: Tensor = white.square().sum(2) + spread[:, :, None]
    return -0.5 * squares.flatten(0, 1).mT


def _filled(frames: Tensor, seen: Tensor, means: Tensor, matrices: Tensor) -> tuple[Tensor, Tensor]:
    """(K, n, D) deviations, and (K, D, D) covariances of what is missing.

    E[x_m | x_o] = μ_m + Σ_mo Σ_oo⁻¹ (x_o − μ_o), and their covariance is Σ_mm − Σ_mo Σ_oo⁻¹ Σ_om.
    """
    unseen = frames[0].isnan()
    away = frames[:, seen] - means[:, :, None, seen]
    filled, left = away.new_zeros(*away.shape[:3], frames.shape[1]), matrices
    if len(seen):
        across = matrices[..., seen, :]
        gain = torch.cholesky_solve(across, torch.linalg.cholesky(across[..., seen]))
        filled = away @ gain
        filled[..., seen] = away
        left = (matrices - across.mT @ gain) * (unseen[:, None] & unseen)
    return filled.flatten(0, 1), left.expand(*means.shape, -1).flatten(0, 1)


def _log_variances(covariance: Covariance, means: Tensor) -> Tensor:
    raw: Tensor = covariance.raw
    return raw[:, None].expand_as(means) if covariance.kind == "spherical" else raw


def _grouped(covariance: Covariance, means: Tensor) -> tuple[Tensor, Tensor]:
    """(G, 1, D, D) matrices and the (G, M, D) means of the Gaussians that share them."""
    matrices = covariance.value[:, None]
    return matrices, means.reshape(len(matrices), -1, means.shape[1])
