"""What a student learns from a teacher."""

from __future__ import annotations

from torch import Tensor, nn


def divergence(teacher: Tensor, student: Tensor) -> Tensor:
    """Mean over frames of Σ p log(p / q), p and q the posteriors of (B, F, V) log-posteriors (Hinton et al. 2015)."""
    total = nn.functional.kl_div(student, teacher, reduction="sum", log_target=True)
    return total / (student.shape[0] * student.shape[1])
