"""Dirichlet distributions over probabilities, by their concentrations; what is impossible has 0 and plays no part."""

from __future__ import annotations

import torch
from torch import Tensor


def expected_log(concentrations: Tensor) -> Tensor:
    """(…, K) E[log p] = ψ(α) − ψ(Σ α); −inf where α is 0. Their exponentials add up to less than 1."""
    possible = concentrations > 0
    total = concentrations.sum(-1, keepdim=True)
    logs = torch.where(possible, concentrations, 1).digamma() - torch.where(total > 0, total, 1).digamma()
    return logs.masked_fill(~possible, -torch.inf)


def divergence(posterior: Tensor, prior: Tensor) -> Tensor:
    """() Kullback and Leibler's, from (…, K) posteriors to priors of the same shape, summed, float64, nats.

    Σ log Γ(Σα) − log Γ(Σπ) + Σ_k (log Γ(π_k) − log Γ(α_k) + (α_k − π_k) (ψ(α_k) − ψ(Σα))) (Beal 2003, A.1).
    """
    possible = posterior > 0
    after, before = posterior.double().masked_fill(~possible, 0.0), prior.double().masked_fill(~possible, 0.0)
    each = torch.where(possible, before, 1).lgamma() - torch.where(possible, after, 1).lgamma()
    each = each + (after - before) * expected_log(after).masked_fill(~possible, 0.0)
    rows = possible.any(-1)
    totals = torch.where(rows, after.sum(-1), 1).lgamma() - torch.where(rows, before.sum(-1), 1).lgamma()
    return totals.sum() + each.sum()


def check_concentrations(values: Tensor, possible: Tensor, name: str) -> Tensor:
    """The values. Raises ValueError unless they are of the shape of ``possible``, > 0 where it is true, else 0."""
    if values.shape != possible.shape:
        raise ValueError(f"{name} must have shape {tuple(possible.shape)}, got {tuple(values.shape)}")
    possible = possible.to(values.device)
    if not bool(((values > 0) & values.isfinite())[possible].all()):
        raise ValueError(f"{name} must be above 0 and finite, got {float(values[possible].min())}")
    if bool((values[~possible] != 0).any()):
        raise ValueError(f"{name} must be 0 where the topology allows nothing")
    return values
