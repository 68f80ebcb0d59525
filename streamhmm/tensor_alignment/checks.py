"""What the aligners of tensors ask of their input."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence

import torch
from torch import Tensor

from streamhmm.packing import index_tensor

INTEGERS = (torch.int16, torch.int32, torch.int64, torch.int8, torch.uint8)


def check_times(frame_s: float | None, offset_s: float = 0.0) -> None:
    """Seconds from frame to frame, above 0 and finite, or None; and those at which the first frame begins."""
    if frame_s is not None and not 0 < frame_s < math.inf:
        raise ValueError(f"frame_s must be above 0 and finite, got {frame_s}")
    if not math.isfinite(offset_s):
        raise ValueError(f"offset_s must be finite, got {offset_s}")


def check_log_probs(log_probs: Tensor, blank: int) -> None:
    """Raises ValueError, TypeError for what is not (B, T, C) floating point, or for a blank that is not among the C."""
    if not isinstance(log_probs, Tensor):
        raise TypeError(f"log_probs must be a torch.Tensor, got {type(log_probs).__name__}")
    if log_probs.dim() != 3:
        raise ValueError(f"log_probs must be (B, T, C), got shape {tuple(log_probs.shape)}")
    if not log_probs.is_floating_point():
        raise TypeError(f"log_probs must be float16, bfloat16, float32 or float64, got {log_probs.dtype}")
    check_blank(blank)
    if not 0 <= blank < log_probs.shape[2]:
        raise ValueError(f"blank must be in 0…{log_probs.shape[2] - 1}, a column of log_probs, got {blank}")


def check_blank(blank: int) -> None:
    """Raises TypeError for what is no integer, 0.0 too: labels would take its type."""
    try:
        operator.index(blank)
    except TypeError:
        raise TypeError(f"blank must be an integer, got {type(blank).__name__}") from None


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


def label_tensor(labels: Sequence[int] | Tensor) -> Tensor:
    """(L,) int64 on the CPU, perhaps the caller's own."""
    if labels is None or isinstance(labels, str):
        raise TypeError(f"targets must be integers, the columns of the labels, got {type(labels).__name__}")
    return index_tensor(labels, "targets", allow_empty=True)


def check_labels(labels: Tensor, blank: int, sequence: int, columns: int | None = None) -> None:
    """(L,) labels on the CPU: columns of the C, if these are known, none of them the blank."""
    if bool((labels == blank).any()):
        raise ValueError(f"targets must not contain the blank ({blank}), sequence {sequence} has {labels.tolist()}")
    if columns is not None and labels.numel() and not 0 <= int(labels.min()) <= int(labels.max()) < columns:
        raise ValueError(f"targets must be in 0…{columns - 1}, columns of log_probs, got {labels.tolist()}")
