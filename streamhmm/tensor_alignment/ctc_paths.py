"""The best paths of label sequences through the CTC topology, and what both CTC aligners ask of their input."""

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
INTEGERS = (torch.int16, torch.int32, torch.int64, torch.int8, torch.uint8)


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


def check_log_probs(log_probs: Tensor, blank: int) -> None:
    """Raises ValueError, TypeError for what is not (B, T, C) floating point, or for a blank that is not among the C."""
    if not isinstance(log_probs, Tensor):
        raise TypeError(f"log_probs must be a torch.Tensor, got {type(log_probs).__name__}")
    if log_probs.dim() != 3:
        raise ValueError(f"log_probs must be (B, T, C), got shape {tuple(log_probs.shape)}")
    if not log_probs.is_floating_point():
        raise TypeError(f"log_probs must be float16, bfloat16, float32 or float64, got {log_probs.dtype}")
    if not 0 <= blank < log_probs.shape[2]:
        raise ValueError(f"blank must be in 0…{log_probs.shape[2] - 1}, a column of log_probs, got {blank}")


def check_lengths(lengths: Tensor | Sequence[int] | None, batch: int, most: int, name: str) -> list[int]:
    """How long each of ``batch`` sequences is, ``most`` by default."""
    if lengths is None:
        return [most] * batch
    tensor = torch.as_tensor(lengths)
    if tuple(tensor.shape) != (batch,):
        raise ValueError(f"{name} must be ({batch},), one a sequence, got shape {tuple(tensor.shape)}")
    if batch and tensor.dtype not in INTEGERS:
        raise TypeError(f"{name} must be integers, got {tensor.dtype}")
    values: list[int] = tensor.tolist()
    if batch and not 0 <= min(values) <= max(values) <= most:
        raise ValueError(f"{name} must be in 0…{most}, got {values}")
    return values


def check_labels(labels: Tensor, blank: int, columns: int, sequence: int) -> None:
    """(L,) labels on the CPU: columns of the C, none of them the blank."""
    if bool((labels == blank).any()):
        raise ValueError(f"targets must not contain the blank ({blank}), sequence {sequence} has {labels.tolist()}")
    if labels.numel() and not 0 <= int(labels.min()) <= int(labels.max()) < columns:
        raise ValueError(f"targets must be in 0…{columns - 1}, columns of log_probs, got {labels.tolist()}")


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
