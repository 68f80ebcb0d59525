"""Centres to begin with: k-means++ and Lloyd's iterations."""

from __future__ import annotations

import torch
from torch import Tensor

ROUNDS, ITERATIONS = 4, 100


def k_means(frames: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """(K, D) centres of (N, D) frames: the best of several runs (Lloyd 1982; Arthur & Vassilvitskii 2007).

    Where there are fewer frames than centres, some are drawn from the frames again.
    """
    runs = [_lloyd(frames, _spread(frames, count, generator)) for _ in range(ROUNDS)]
    return min(runs, key=lambda centres: float(_distances(frames, centres).min(1).values.sum()))


def _spread(frames: Tensor, count: int, generator: torch.Generator) -> Tensor:
    def draw(weights: Tensor) -> Tensor:
        return frames[torch.multinomial(weights.cpu(), 1, generator=generator).to(frames.device)]

    centres = draw(torch.ones(len(frames)))
    for _ in range(count - 1):
        nearest = _distances(frames, centres).min(1).values.clamp(min=0)
        centres = torch.cat((centres, draw(nearest if bool(nearest.sum() > 0) else torch.ones(len(frames)))))
    return centres


def _lloyd(frames: Tensor, centres: Tensor) -> Tensor:
    labels = None
    for _ in range(ITERATIONS):
        found = _distances(frames, centres).argmin(1)
        if labels is not None and torch.equal(found, labels):
            break
        labels = found
        sums = torch.zeros_like(centres).index_add_(0, labels, frames)
        members = torch.bincount(labels, minlength=len(centres))[:, None]
        centres = torch.where(members > 0, sums / members.clamp(min=1), centres)
    return centres


def _distances(frames: Tensor, centres: Tensor) -> Tensor:
    return frames.square().sum(1)[:, None] - 2 * frames @ centres.mT + centres.square().sum(1)
