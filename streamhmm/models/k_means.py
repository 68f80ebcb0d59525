"""Centres to begin with: k-means++ and Lloyd's iterations."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from streamhmm.models.missing import zeroed

ROUNDS, ITERATIONS = 4, 100


def k_means(frames: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """(K, D) centres of (N, D) frames: the best of several runs (Lloyd 1982; Arthur & Vassilvitskii 2007).

    Where there are fewer different frames than centres, some are drawn again. Distances and centres are of what is
    observed where some is NaN (k-POD: Chi, Chi & Baraniuk 2016).
    """
    origin = frames.nanmean(0)  # where squares lose the fewest digits
    points = _Points(frames - origin)
    runs = [_lloyd(points, _spread(points, count, generator)) for _ in range(ROUNDS)]
    return origin + min(runs, key=lambda centres: float(points.distances(centres).min(1).values.sum()))


def first_means(frames: Tensor, count: int, generator: torch.Generator, times: Tensor | None = None) -> Tensor:
    """(K, D) centres for the means of K states, in the order of the mean of their frames' ``times`` (N,).

    Raises:
        ValueError: there are fewer frames than states.
    """
    rows = int((~frames.isnan()).any(1).sum())
    if rows < count:
        raise ValueError(f"X must have at least as many rows as n_components, {count}, got {rows}")
    centres = k_means(frames, count, generator)
    if times is None:
        return centres
    labels = nearest_centre(frames, centres)
    total = times.new_zeros(count).index_add_(0, labels, times)
    return centres[(total / torch.bincount(labels, minlength=count)).argsort()]  # NaN, of no frames, is last


def nearest_centre(frames: Tensor, centres: Tensor) -> Tensor:
    """(N,) which of (K, D) centres is nearest, seen from what is observed."""
    origin = centres.mean(0)
    return _Points(frames - origin).distances(centres - origin).argmin(1)


class _Points:
    """Frames about their mean, 0 where they are missing, with the sums of what is observed."""

    def __init__(self, frames: Tensor) -> None:
        self.values = frames
        self.seen: Tensor | None = None
        if bool(frames.isnan().any()):
            self.values, self.seen = zeroed(frames)
        self._squares = self.values.square().sum(1)[:, None]

    def distances(self, centres: Tensor) -> Tensor:
        """(N, K) squares, summed over what is observed."""
        squares = centres.square()
        norms = squares.sum(1) if self.seen is None else self.seen @ squares.mT
        return (self._squares - 2 * self.values @ centres.mT + norms).clamp(min=0)

    def members(self, labels: Tensor, count: int) -> Tensor:
        """(K, 1) frames of each label, or (K, D) observations."""
        if self.seen is None:
            return torch.bincount(labels, minlength=count)[:, None]
        return self.seen.new_zeros(count, self.seen.shape[1]).index_add_(0, labels, self.seen)


def _spread(points: _Points, count: int, generator: torch.Generator) -> Tensor:
    """Greedy k-means++: of some frames drawn by their squared distance, the one that leaves the least of it."""
    values = points.values
    centres = values[_drawn(torch.ones_like(values[:, 0]), 1, generator)]
    nearest = points.distances(centres)
    for _ in range(count - 1):
        weights = nearest[:, 0] if bool(nearest.sum() > 0) else torch.ones_like(nearest[:, 0])
        candidates = values[_drawn(weights, 2 + int(math.log(count)), generator)]
        left = torch.minimum(nearest, points.distances(candidates))
        best = left.sum(0).argmin()
        centres = torch.cat((centres, candidates[best][None]))
        nearest = left[:, best][:, None]
    return centres


def _drawn(weights: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """(count,) rows, by their weights; torch.multinomial takes 2²⁴ rows at most."""
    chances = weights.cumsum(0)
    numbers = torch.rand(count, generator=generator, dtype=torch.float64).to(weights) * chances[-1]
    return torch.searchsorted(chances, numbers, right=True).clamp(max=len(weights) - 1)


def _lloyd(points: _Points, centres: Tensor) -> Tensor:
    labels = None
    for _ in range(ITERATIONS):
        found = points.distances(centres).argmin(1)
        if labels is not None and torch.equal(found, labels):
            break
        labels = found
        sums = torch.zeros_like(centres).index_add_(0, labels, points.values)
        members = points.members(labels, len(centres))
        centres = torch.where(members > 0, sums / members.clamp(min=1), centres)
    return centres
