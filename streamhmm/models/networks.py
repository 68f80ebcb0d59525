"""Small networks for :class:`~streamhmm.models.NeuralHMM`, where the user has none of their own."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from streamhmm.models.k_means import k_means


class FrameNetwork(nn.Module):
    """A perceptron with two hidden layers on the frames around each frame, and on a context.

    Args:
        n_features: D.
        n_outputs: numbers for each frame.
        first, last: the frames that it sees, counted from the present one: (0, 0) that one alone, (−2, −1) the two
            before. Frames outside a sequence are 0. With ``last`` = ``first`` − 1 it sees none.
        hidden: units of each hidden layer.
        n_context: C.

    Attributes:
        receptive_field: frames that it sees before and behind the present one.
    """

    outputs = "posteriors"
    settings: dict[str, Any]

    def __init__(
        self, n_features: int, n_outputs: int, first: int = 0, last: int = 0, hidden: int = 64, n_context: int = 0
    ) -> None:
        super().__init__()
        if last < first - 1:
            raise ValueError(f"last must be at least first - 1, got {first} … {last}")
        self.settings = {"n_features": n_features, "n_outputs": n_outputs, "first": first, "last": last}
        self.settings |= {"hidden": hidden, "n_context": n_context}
        self.offsets = range(first, last + 1)
        self.receptive_field = (max(0, -first), max(0, last)) if self.offsets else (0, 0)
        self.register_buffer("centre", torch.zeros(n_features))
        self.register_buffer("spread", torch.ones(n_features))
        width = n_features * len(self.offsets) + n_context
        layers = [nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()] if width else []
        self.hidden = nn.Sequential(*layers)
        self.output = nn.Linear(hidden if width else 1, n_outputs)

    centre: Tensor
    spread: Tensor

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """(B, T, outputs) from (B, T, D) and a context (B, C) or (B, T, C)."""
        seen = [_shifted(x, offset) for offset in self.offsets]
        if context is not None:
            seen.append((context if context.dim() == 3 else context[:, None].expand(-1, x.shape[1], -1)).to(x))
        if not seen:
            return self.output(x.new_zeros(*x.shape[:2], 1))  # type: ignore[no-any-return]
        first = nn.functional.linear(seen[0] if len(seen) == 1 else torch.cat(seen, -1), *self._first_layer())
        return self.output(self.hidden[1:](first))  # type: ignore[no-any-return]

    def _first_layer(self) -> tuple[Tensor, Tensor]:
        """Weight and bias for frames as they are: that features become usual ones is one pass over them less."""
        layer = self.hidden[0]
        assert isinstance(layer, nn.Linear)
        seen = len(self.offsets)
        width = layer.in_features - seen * len(self.centre)
        scale = torch.cat((self.spread.repeat(seen), self.spread.new_ones(width)))
        centre = torch.cat((self.centre.repeat(seen), self.centre.new_zeros(width)))
        weight = layer.weight / scale
        return weight, layer.bias - weight @ centre

    @torch.no_grad()
    def initialise(self, frames: Tensor, generator: torch.Generator) -> None:
        """Take the mean and the spread of (N, D) frames as what is usual."""
        self.centre.copy_(frames.mean(0))
        spread = frames.std(0, correction=0)
        self.spread.copy_(torch.where(spread > 0, spread, 1))


class GaussianNetwork(nn.Module):
    """Log-densities (B, T, S) of frames under Gaussians whose means and variances a network gives.

    It sees the ``past`` frames and the context, never the present frame, so that the densities are normalised: with
    ``past`` frames the model is an autoregressive one (as Mehta et al., "Neural HMMs are all you need", 2022).

    Args:
        n_features: D.
        n_states: S.
        past: frames before the present one that it sees.
        hidden, n_context: as those of :class:`FrameNetwork`.
    """

    outputs = "densities"
    settings: dict[str, Any]

    def __init__(self, n_features: int, n_states: int, past: int = 0, hidden: int = 64, n_context: int = 0) -> None:
        super().__init__()
        self.settings = {"n_features": n_features, "n_states": n_states, "past": past}
        self.settings |= {"hidden": hidden, "n_context": n_context}
        self.body = FrameNetwork(n_features, 2 * n_states * n_features, -past, -1, hidden, n_context)
        self.receptive_field = self.body.receptive_field
        self.n_states = n_states

    def parameters_of(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Means and logarithms of the variances, each (B, T, S, D)."""
        count, frames, features = x.shape
        values = self.body(x, context).reshape(count, frames, 2, self.n_states, features)
        mean, log_variance = values.unbind(2)
        return self.body.centre + self.body.spread * mean, 2 * self.body.spread.log() + log_variance

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        mean, log_variance = self.parameters_of(x, context)
        squares = (x[:, :, None] - mean).square() * (-log_variance).exp()
        return -0.5 * (squares + log_variance + math.log(2 * math.pi)).sum(-1)

    @torch.no_grad()
    def initialise(self, frames: Tensor, generator: torch.Generator) -> None:
        """Begin with the centres of k-means and one variance for all."""
        self.body.initialise(frames, generator)
        usual = (frames - self.body.centre) / self.body.spread
        centres = k_means(usual, self.n_states, generator)
        nearest = torch.cdist(usual, centres).square().min(1).values.mean() / frames.shape[1]
        bias = torch.stack((centres, torch.full_like(centres, math.log(max(float(nearest), 1e-3)))))
        self.body.output.bias.copy_(bias.flatten())


BUILT_IN: dict[str, type[FrameNetwork] | type[GaussianNetwork]] = {
    "FrameNetwork": FrameNetwork,
    "GaussianNetwork": GaussianNetwork,
}


def settings_of(network: nn.Module) -> dict[str, Any] | None:
    """Of a network of this file: its arguments, which make it again."""
    return network.settings if isinstance(network, (FrameNetwork, GaussianNetwork)) else None


def _shifted(x: Tensor, offset: int) -> Tensor:
    """(B, T, D): the frames ``offset`` later, zeros outside."""
    if offset == 0:
        return x
    missing = x.new_zeros(x.shape[0], min(abs(offset), x.shape[1]), x.shape[2])
    return torch.cat((missing, x[:, :offset]) if offset < 0 else (x[:, offset:], missing), 1)
