"""Gaussians as emissions: one a state, or a mixture of them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from streamhmm.models import missing
from streamhmm.models.covariance import Covariance, loses_digits
from streamhmm.models.emission import Emission
from streamhmm.models.moments import Moments, about, blocks, in_blocks
from streamhmm.models.sums import Sums


class Gaussians(Emission):
    """K Gaussians. Of each, statistics are "post" (K,), "obs" (K, D), and "squares" about the mean: (K, D), or
    (K, D, D) for matrices. About 0 they would lose the digits that a mean far from there takes."""

    means: nn.Parameter
    covariance: Covariance

    def about_zero(self, sums: Sums) -> Sums:
        shift = about(self.means.detach(), sums["post"], sums["obs"], torch.zeros_like(sums["squares"]))
        return Sums({**sums, "squares": sums["squares"] - shift})

    def about_means(self, sums: Sums) -> Sums:
        squares = about(self.means.detach(), sums["post"], sums["obs"], sums["squares"])
        return Sums({**sums, "squares": squares})

    def _points(self) -> Tensor:
        """Where sums of squares keep their digits: (D,) the mean of the means, or (K, D) these where they are far from
        there."""
        means = self.means.detach()
        origin = means.mean(0)
        return means if loses_digits(means - origin, 1 / self.covariance.least_variances()[:, None]) else origin

    def _moments(self, points: Tensor) -> Moments:
        return Moments(len(self.means), self.covariance.kind in ("full", "tied"), points)

    def _sums(self, points: Tensor, mass: Tensor, total: Tensor, squares: Tensor) -> Sums:
        """Statistics from moments about the ``points``."""
        squares = about(self.means.detach() - points, mass, total, squares)
        return Sums(post=mass, obs=total + mass[:, None] * points, squares=squares)

    def _sums_of_seen(self, frames: Tensor, weights: Tensor) -> Sums:
        """Statistics of frames with missing features, (N, K) ``weights`` of them for each Gaussian."""
        mass, first, squares = missing.deviations(frames, weights, self.means, self.covariance)
        return Sums(post=mass, obs=first + mass[:, None] * self.means.detach(), squares=squares)


class Gaussian(Gaussians):
    """A Gaussian a state. A "tied" covariance is shared by all."""

    letters = "mc"

    def __init__(self, n_states: int, n_features: int, covariance_type: str, dtype: torch.dtype) -> None:
        super().__init__()
        self.n_states, self.n_features = n_states, n_features
        self.means = nn.Parameter(torch.zeros(n_states, n_features, dtype=dtype))
        groups = (1, n_states) if covariance_type == "tied" else (n_states, 1)
        self.covariance = Covariance(covariance_type, *groups, n_features, dtype)

    def scores(self, frames: Tensor) -> Tensor:
        if self.has_missing(frames):
            return missing.log_density(frames, self.means, self.covariance)
        return self.covariance.densities(self.means)(frames)

    def statistics(self, frames: Tensor, weights: Tensor) -> Sums:
        if self.has_missing(frames):
            return self._sums_of_seen(frames, weights)
        points = self._points()
        moments = self._moments(points)
        moments.add(frames, weights)
        return self._sums(points, moments.mass, moments.total, moments.squares)

    def draw(self, states: Tensor, generator: torch.Generator | None) -> Tensor:
        return self.covariance.draw(self.means.detach(), states, generator)

    def free_parameters(self) -> int:
        return self.means.numel() + self.covariance.free_parameters()


class GaussianMixture(Gaussians):
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
        return scores, lambda weights: self._shared(frames, weights, shares)

    def statistics(self, frames: Tensor, weights: Tensor) -> Sums:
        if self.has_missing(frames):
            shares = self._joint_of_seen(frames).softmax(2) * weights[:, :, None]
            return self._sums_of_seen(frames, shares.flatten(1))
        return self.evaluate(frames)[1](weights)

    def _shared(self, frames: Tensor, weights: Tensor, shares: Tensor) -> Sums:
        """Statistics of (N, S) ``weights``, of which the mixtures have (N, M, S) ``shares``."""
        points = self._points()
        moments = self._moments(points if points.dim() == 1 else self.covariance.by_member(points))
        for part, weight, share in blocks(frames, weights, shares):
            moments.add(part, (share * weight[:, None]).flatten(1))
        found = (moments.mass, moments.total, moments.squares)
        return self._sums(points, *(each.unflatten(0, self._grid).transpose(0, 1).flatten(0, 1) for each in found))

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


def _normalise(joint: Tensor, scores: Tensor, shares: Tensor) -> None:
    """Log-sums over M of (n, M, S) into (n, S), and each one's share of its sum into (n, M, S)."""
    largest = joint.amax(1).clamp(min=torch.finfo(joint.dtype).min)
    torch.sub(joint, largest[:, None], out=shares).exp_()
    total = shares.sum(1)
    torch.add(total.log(), largest, out=scores)
    shares /= total.clamp_(min=1)[:, None]  # it is less only where nothing is possible
