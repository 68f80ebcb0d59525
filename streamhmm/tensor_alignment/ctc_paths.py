"""The best paths of label sequences through the CTC topology, and how many frames these take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from streamhmm.errors import AlignmentError
from streamhmm.graph import Graph
from streamhmm.ops import viterbi

BLANK = -1
"""In place of a token's index: no token is heard."""


class TooFewFrames(AlignmentError, RuntimeError):
    """A sequence has fewer frames than its targets take; a ``RuntimeError`` too, which is what torchaudio raises."""


class CtcPaths(NamedTuple):
    """Best paths: ``tokens`` (B, T) int64, the index of the target that is heard in a frame or ``BLANK``; ``score``
    (B,) float64, −inf where no path fits."""

    tokens: Tensor
    score: Tensor


def best_paths(log_probs: Tensor, graphs: Sequence[Graph], lengths: Tensor | None) -> CtcPaths:
    """Of (B, T, C) log-probabilities, a CTC graph each."""
    path = viterbi(log_probs.detach(), list(graphs), lengths)
    is_token = (path.states >= 0) & (path.states % 2 == 1)
    return CtcPaths(torch.where(is_token, path.states // 2, BLANK), path.score)


def frames_needed(labels: Tensor) -> int:
    """So many frames (L,) labels take: one each, and a blank between equal ones."""
    return len(labels) + int((labels[1:] == labels[:-1]).sum())


def too_few(labels: Tensor, frames: int, sequence: str) -> TooFewFrames:
    """The error of a sequence, named at its beginning, that is too short."""
    needed = frames_needed(labels)
    return TooFewFrames(
        f"{sequence}targets length is too long for CTC: {len(labels)} targets, {needed - len(labels)} of them like the "
        f"one before, need {needed} frames, got {frames}; give more audio, or targets that belong to it"
    )
