"""The acoustic network: log-mel frames to log-posteriors of phones, with explicit caches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from streamhmm.acoustic.features import HOP, LEAD, N_MELS, SAMPLE_RATE, SILENCE, WINDOW

PAST_FRAMES, FUTURE_FRAMES = 3, 3
"""Frames before and after a pair of frames that a step of the trunk sees at its input."""
FEW_STEPS = 64
"""Up to so many steps a convolution takes longer to set up than to compute by hand."""


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes of the network. ``dilations`` has one entry per residual block, in steps of 20 ms."""

    n_labels: int = 40
    width: int = 192
    hidden: int = 384
    kernel: int = 5
    dilations: tuple[int, ...] = (1, 2, 4, 1, 2, 4, 1)
    dropout: float = 0.0


class NetworkCache(NamedTuple):
    """What a later chunk needs: frames (B, F, 80) not used up yet, the blocks' past steps, frames still owed."""

    frames: Tensor
    states: tuple[Tensor, ...]
    owed: int


class AcousticNetwork(nn.Module):
    """Log-posteriors (B, T, n_labels) every 10 ms from log-mel frames (B, T, 80).

    A trunk of causal residual blocks runs every 20 ms on pairs of frames, and gives two label frames a step. All
    look-ahead is in its input, which sees ``FUTURE_FRAMES`` frames past the pair.
    """

    lookahead_s = ((1 + FUTURE_FRAMES) * HOP + WINDOW - LEAD - HOP) / SAMPLE_RATE
    """Audio needed after the end of a label frame, at most (the first of a pair), the feature window included."""

    def __init__(self, config: NetworkConfig | None = None) -> None:
        super().__init__()
        self.config = config or NetworkConfig()
        self.trunk = Trunk(self.config)

    def initial_cache(self, batch: int = 1) -> NetworkCache:
        """The cache before any frame: silence."""
        weight = self.trunk.input.weight
        frames = weight.new_full((batch, PAST_FRAMES, N_MELS), SILENCE)
        return NetworkCache(frames, self.trunk.initial_states(batch), 0)

    def forward(self, features: Tensor, cache: NetworkCache | None = None) -> tuple[Tensor, NetworkCache]:
        """Log-posteriors of the frames whose look-ahead is complete, (B, T', n_labels), and the cache."""
        if features.dim() != 3 or features.shape[2] != N_MELS:
            raise ValueError(f"features must be (B, T, {N_MELS}), got shape {tuple(features.shape)}")
        cache = self.initial_cache(len(features)) if cache is None else cache
        frames = torch.cat((cache.frames, features), dim=1)
        steps = max(0, (frames.shape[1] - PAST_FRAMES - FUTURE_FRAMES) // 2)
        owed = cache.owed + features.shape[1] - 2 * steps
        if steps == 0:
            return features.new_zeros(len(features), 0, self.config.n_labels), NetworkCache(frames, cache.states, owed)
        used = frames[:, : 2 * steps + PAST_FRAMES + FUTURE_FRAMES]
        posteriors, states = self.trunk(used, cache.states)
        return posteriors, NetworkCache(frames[:, 2 * steps :].clone(), states, owed)

    def finish(self, cache: NetworkCache) -> Tensor:
        """Log-posteriors of the frames still owed, (B, T', n_labels), silence taken for what would follow."""
        batch = len(cache.frames)
        padding = cache.frames.new_full((batch, FUTURE_FRAMES + cache.owed % 2, N_MELS), SILENCE)
        posteriors, _ = self.forward(padding, cache)
        return posteriors[:, : cache.owed]


class Trunk(nn.Module):
    """The core step, of fixed shapes: (B, 2K + 6, 80) frames to (B, 2K, n_labels) log-posteriors.

    ``states`` holds, for each block, the (B, (kernel − 1) · dilation, width) inputs of its last steps.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.input = nn.Conv1d(N_MELS, config.width, 2 + PAST_FRAMES + FUTURE_FRAMES, stride=2)
        self.blocks = nn.ModuleList(Block(config, dilation) for dilation in config.dilations)
        self.norm = nn.LayerNorm(config.width)
        self.output = nn.Linear(config.width, 2 * config.n_labels)

    def initial_states(self, batch: int) -> tuple[Tensor, ...]:
        """Zeros: no past."""
        config, weight = self.config, self.output.weight
        return tuple(weight.new_zeros(batch, (config.kernel - 1) * d, config.width) for d in config.dilations)

    def forward(self, frames: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        hidden = self.input(frames.transpose(1, 2)).transpose(1, 2)
        after: list[Tensor] = []
        for block, state in zip(self.blocks, states, strict=True):
            hidden, state_after = block(hidden, state)
            after.append(state_after)
        logits = self.output(self.norm(hidden))
        return logits.reshape(len(frames), -1, self.config.n_labels).log_softmax(-1), tuple(after)


class Block(nn.Module):
    """x + MLP(norm(causal depthwise convolution of x)), channels last, for x of (B, K, width)."""

    def __init__(self, config: NetworkConfig, dilation: int) -> None:
        super().__init__()
        self.past = (config.kernel - 1) * dilation
        self.depthwise = nn.Conv2d(
            config.width, config.width, (1, config.kernel), dilation=(1, dilation), groups=config.width
        )
        self.norm = nn.LayerNorm(config.width)
        self.expand = nn.Linear(config.width, config.hidden)
        self.project = nn.Linear(config.hidden, config.width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        context = torch.cat((state, x), dim=1)
        mixed = self._mix_few(context) if x.shape[1] <= FEW_STEPS and not self.training else self._mix(context)
        hidden = nn.functional.silu(self.expand(self.norm(mixed)))
        update = self.project(self.dropout(hidden) if self.training else hidden)
        return x + (self.dropout(update) if self.training else update), context[:, context.shape[1] - self.past :]

    def _mix(self, context: Tensor) -> Tensor:
        # As an image of height 1 in channels-last order the convolution needs no copy and runs three times as fast.
        mixed: Tensor = self.depthwise(context.transpose(1, 2).unsqueeze(2)).squeeze(2).transpose(1, 2)
        return mixed

    def _mix_few(self, context: Tensor) -> Tensor:
        dilation, taps = self.depthwise.dilation[1], self.depthwise.kernel_size[1]
        batch, length, width = context.shape
        rows, step, unit = context.stride()
        windows = context.as_strided((batch, length - self.past, taps, width), (rows, step, dilation * step, unit))
        weight = self.depthwise.weight.reshape(width, taps).t()
        mixed: Tensor = (windows * weight).sum(2).add_(self.depthwise.get_parameter("bias"))
        return mixed
