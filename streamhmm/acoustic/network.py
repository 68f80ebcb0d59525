"""The acoustic network: log-mel frames to log-posteriors of phones, with explicit caches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from streamhmm import __version__
from streamhmm.acoustic.features import HOP, LEAD, N_MELS, SAMPLE_RATE, SILENCE, WINDOW

PAST_FRAMES, FUTURE_FRAMES = 3, 3
"""Frames before and after a pair of frames that a step of the trunk sees at its input."""
STEP_VERSION = 1
"""Raise it with each change of what the trunk computes, or of how it is rewritten, recorded or converted: what other
programs were given is then made anew."""
Step = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""(B, 2K + 6, 80) frames and the states (B, S, width) to (B, 2K, V) log-posteriors and the states after."""


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes of the network. ``dilations`` has one entry per residual block, in steps of 20 ms.

    ``hidden`` is the size of each block's MLP: one for all, or one a block.
    """

    n_labels: int = 40
    width: int = 192
    hidden: int | tuple[int, ...] = 384
    kernel: int = 5
    dilations: tuple[int, ...] = (1, 2, 4, 1, 2, 4, 1)
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if isinstance(self.hidden, tuple) and len(self.hidden) != len(self.dilations):
            raise ValueError(f"hidden must have {len(self.dilations)} sizes, one a dilation, got {len(self.hidden)}")

    @classmethod
    def from_json(cls, sizes: Mapping[str, Any]) -> NetworkConfig:
        """From what ``dataclasses.asdict`` gave, after its way through JSON."""
        values: dict[str, Any] = {
            name: tuple(size) if isinstance(size, list) else size for name, size in dict(sizes).items()
        }
        return cls(**values)

    @property
    def hidden_sizes(self) -> tuple[int, ...]:
        """``hidden`` of each block."""
        return self.hidden if isinstance(self.hidden, tuple) else (self.hidden,) * len(self.dilations)

    @property
    def pasts(self) -> list[int]:
        """Steps that each block looks back."""
        return [(self.kernel - 1) * dilation for dilation in self.dilations]


FEW_STEPS = 64
"""Up to so many steps a convolution takes longer to set up than to compute by hand."""


class NetworkCache(NamedTuple):
    """What a later chunk needs: frames (B, F, 80) not used up, past of the blocks (B, S, width), frames still owed."""

    frames: Tensor
    states: Tensor
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

    def forward(self, features: Tensor, cache: NetworkCache | None = None) -> tuple[Tensor, NetworkCache]:
        """Log-posteriors of the frames whose look-ahead is complete, (B, T', n_labels), and the cache."""
        return advance(self.trunk, self.config, features, cache or self._initial_cache(len(features)))

    def finish(self, cache: NetworkCache | None) -> Tensor:
        """Log-posteriors of the frames still owed, (B, T', n_labels), silence taken for what would follow."""
        return finish(self.trunk, self.config, cache or self._initial_cache(1))

    def _initial_cache(self, batch: int) -> NetworkCache:
        return initial_cache(self.config, batch, self.trunk.output.weight)


def code_version() -> str:
    """The code that files made of a network depend on, for their names."""
    return f"{__version__}-{STEP_VERSION}"


def initial_cache(config: NetworkConfig, batch: int, like: Tensor) -> NetworkCache:
    """The cache before any frame: silence; on the device and in the precision of ``like``."""
    frames = like.new_full((batch, PAST_FRAMES, N_MELS), SILENCE)
    return NetworkCache(frames, like.new_zeros(batch, sum(config.pasts), config.width), 0)


def advance(step: Step, config: NetworkConfig, features: Tensor, cache: NetworkCache) -> tuple[Tensor, NetworkCache]:
    """Runs the pairs of frames that (B, T, 80) features complete through ``step``."""
    if features.dim() != 3 or features.shape[2] != N_MELS:
        raise ValueError(f"features must be (B, T, {N_MELS}), got shape {tuple(features.shape)}")
    frames = torch.cat((cache.frames, features), dim=1)
    steps = max(0, (frames.shape[1] - PAST_FRAMES - FUTURE_FRAMES) // 2)
    owed = cache.owed + features.shape[1] - 2 * steps
    if steps == 0:
        return features.new_zeros(len(features), 0, config.n_labels), NetworkCache(frames, cache.states, owed)
    posteriors, states = step(frames[:, : 2 * steps + PAST_FRAMES + FUTURE_FRAMES], cache.states)
    return posteriors, NetworkCache(frames[:, 2 * steps :].clone(), states, owed)


def finish(step: Step, config: NetworkConfig, cache: NetworkCache) -> Tensor:
    """The frames still owed, silence taken for what would follow."""
    padding = cache.frames.new_full((len(cache.frames), FUTURE_FRAMES + cache.owed % 2, N_MELS), SILENCE)
    posteriors, _ = advance(step, config, padding, cache)
    return posteriors[:, : cache.owed]


class Trunk(nn.Module):
    """The core step: (B, 2K + 6, 80) frames to (B, 2K, n_labels) log-posteriors, K from 1.

    ``states`` (B, S, width) holds, block by block, the (kernel − 1) · dilation last inputs. What exporters record are
    plain tensor operations without a branch on the size.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.input = nn.Linear((2 + PAST_FRAMES + FUTURE_FRAMES) * N_MELS, config.width)
        sizes = zip(config.dilations, config.hidden_sizes, strict=True)
        self.blocks = nn.ModuleList(Block(config, dilation, hidden) for dilation, hidden in sizes)
        self.norm = nn.LayerNorm(config.width)
        self.output = nn.Linear(config.width, 2 * config.n_labels)

    def forward(self, frames: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.input(windows(frames))
        after: list[Tensor] = []
        for block, state in zip(self.blocks, states.split(self.config.pasts, dim=1), strict=True):
            hidden, state_after = block(hidden, state)
            after.append(state_after)
        logits = self.output(self.norm(hidden))
        posteriors = logits.reshape(frames.shape[0], -1, self.config.n_labels).log_softmax(-1)
        return posteriors, torch.cat(after, dim=1)


def windows(frames: Tensor) -> Tensor:
    """(B, K, 640) from (B, 2K + 6, 80): what each pair of frames sees, its pasts first."""
    pairs = frames.reshape(frames.shape[0], -1, 2 * N_MELS)
    seen = (2 + PAST_FRAMES + FUTURE_FRAMES) // 2
    steps = pairs.shape[1] - seen + 1
    return torch.cat([pairs[:, first : first + steps] for first in range(seen)], dim=2)


class Block(nn.Module):
    """x + MLP(norm(causal depthwise convolution of x)), channels last, for x of (B, K, width)."""

    def __init__(self, config: NetworkConfig, dilation: int, hidden: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(
            config.width, config.width, (1, config.kernel), dilation=(1, dilation), groups=config.width
        )
        self.norm = nn.LayerNorm(config.width)
        self.expand = nn.Linear(config.width, hidden)
        self.project = nn.Linear(hidden, config.width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        context = torch.cat((state, x), dim=1)
        few = not (self.training or _is_recorded()) and x.shape[1] <= FEW_STEPS
        hidden = nn.functional.silu(self.expand(self.norm(self._mix_few(context) if few else self._mix(context))))
        update = self.dropout(self.project(self.dropout(hidden)))
        return x + update, context[:, x.shape[1] :]

    def _mix(self, context: Tensor) -> Tensor:
        # As an image of height 1 in channels-last order the convolution needs no copy and runs three times as fast.
        mixed: Tensor = self.depthwise(context.transpose(1, 2).unsqueeze(2)).squeeze(2).transpose(1, 2)
        return mixed

    def _mix_few(self, context: Tensor) -> Tensor:
        dilation, taps = self.depthwise.dilation[1], self.depthwise.kernel_size[1]
        batch, length, width = context.shape
        rows, step, unit = context.stride()
        shape = (batch, length - dilation * (taps - 1), taps, width)
        weight = self.depthwise.weight.reshape(width, taps).t()
        mixed: Tensor = (context.as_strided(shape, (rows, step, dilation * step, unit)) * weight).sum(2)
        return mixed.add_(self.depthwise.get_parameter("bias"))


def _is_recorded() -> bool:
    return bool(torch.jit.is_tracing()) or torch.compiler.is_compiling()  # type: ignore[attr-defined,no-untyped-call]
