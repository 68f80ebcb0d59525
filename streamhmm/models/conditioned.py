"""Sequences, and what else a network is told of them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from streamhmm.models.sequences import Sequences, as_sequences

AT_ONCE = 64  # sequences that go through a network


class Conditioned(Sequences):
    """Sequences with a context: (B, C), (B, T, C) with zeros behind the ends, or None."""

    context: Tensor | None = None

    @staticmethod
    def of(sequences: Sequences, context: Any, shape: tuple[int, ...]) -> Conditioned:
        """Checks and keeps a context: (B, C), one a sequence, or one a frame, of the frames' ``shape`` (N,) or (B, T).

        Raises:
            ValueError: for other shapes.
        """
        result = Conditioned(*sequences)
        if context is None:
            return result
        like, count = sequences.frames, len(sequences.lengths)
        values = torch.as_tensor(context).to(like)
        if values.dim() == 2 and len(values) == count:
            result.context = values
        elif values.shape[:-1] == shape:
            lengths = sequences.lengths
            result.context = sequences.pad(as_sequences(values, lengths, like.dtype, like.device).frames)
        else:
            frames = ", ".join(map(str, shape))
            raise ValueError(f"context must be ({count}, C) or ({frames}, C), got shape {tuple(values.shape)}")
        return result

    def chosen(self, which: list[int]) -> Conditioned:
        """Some of the sequences."""
        states = None if self.states is None else self._rows(self.states, which)
        result = Conditioned(self._rows(self.frames, which), self.lengths[which], self.padded, states)
        if self.context is not None:
            context = self.context[which]
            result.context = context if context.dim() == 2 else context[:, : result.longest]
        return result

    def told(self) -> tuple[Tensor, ...]:
        """What a network is given: the frames (B, T, D), zeros behind the ends, and the context if there is one."""
        frames = self.pad(self.frames)
        return (frames,) if self.context is None else (frames, self.context)

    def _rows(self, values: Tensor, which: list[int]) -> Tensor:
        parts = values.split(self.lengths.tolist())
        return torch.cat([parts[index] for index in which])


def told_of(sequences: Sequences) -> tuple[Tensor, ...]:
    """As :meth:`Conditioned.told`, of sequences that may have no context."""
    return sequences.told() if isinstance(sequences, Conditioned) else (sequences.pad(sequences.frames),)


def batches(sequences: Sequences) -> list[Sequences]:
    """Parts of at most ``AT_ONCE`` sequences."""
    count = len(sequences.lengths)
    if count <= AT_ONCE or not isinstance(sequences, Conditioned):
        return [sequences]
    return [sequences.chosen([*range(first, min(first + AT_ONCE, count))]) for first in range(0, count, AT_ONCE)]


def together(parts: list[Tensor], longest: int, fill: float) -> Tensor:
    """(B, T, …) of all sequences from those of their parts, each as long as its own longest."""
    behind = [(0, 0) * (part.dim() - 2) + (0, longest - part.shape[1]) for part in parts]
    return torch.cat([nn.functional.pad(*each, value=fill) for each in zip(parts, behind, strict=True)])
