"""What training makes small: minus the log-likelihood of the labels, summed over where boundaries in doubt may lie."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from streamhmm.acoustic.training.targets import MASKED, FrameTargets
from streamhmm.graph import Graph
from streamhmm.ops import log_likelihood


def full_sum(log_posteriors: Tensor, targets: FrameTargets) -> Tensor:
    """Minus the mean over frames of log Σ over paths of Π p(phone) · anchor, by the engine's ``log_likelihood``.

    A path goes through the phones of a row in order and keeps to the frames that each may have. Where labels are
    certain this is cross-entropy; elsewhere it is full-sum training (Zeyer et al. 2017), with the labels as an anchor:
    the network sees little of what comes, so left alone boundaries drift late.

    Args:
        log_posteriors: (B, F, V), with their gradients.
        targets: (B, F). An unknown phone may be anything, and teaches nothing.
    """
    scores = [
        _phone_scores(row, FrameTargets(targets.labels, *fields))
        for row, *fields in zip(log_posteriors, *targets[1:], strict=True)
    ]
    widest = max(score.shape[1] for score in scores)
    padded = torch.stack([nn.functional.pad(score, (0, widest - score.shape[1])) for score in scores])
    sums = log_likelihood(padded, [_chain(score.shape[1]) for score in scores])
    possible = sums.isfinite()  # a row cut where its phones no longer fit has no path
    return -(sums[possible].sum() / (possible.sum().clamp(min=1) * log_posteriors.shape[1])).float()


def _phone_scores(scores: Tensor, row: FrameTargets) -> Tensor:
    """(F, U) scores of the row's phones, 0 for unknown ones, −inf outside the frames that a phone may have."""
    row = row.frames(0, len(scores))
    phones, frames = torch.arange(len(row.labels)), torch.arange(len(scores))[:, None]
    starts, ends = (torch.searchsorted(row.nominal, phones, right=right) for right in (False, True))
    distance = torch.maximum(starts - frames, frames + 1 - ends).clamp(min=0)
    penalty = row.anchor[:, None] * (distance - 0.5).clamp(min=0)
    known = scores[:, row.labels.clamp(min=0)].masked_fill(row.labels == MASKED, 0.0)
    outside = (phones < row.first[:, None]) | (phones > row.last[:, None])
    return (known - penalty).masked_fill(outside, -math.inf)


def _chain(states: int) -> Graph:
    """States in order, none left out; the targets decide where a path starts and ends."""
    anywhere = torch.zeros(states)
    return Graph.linear(torch.arange(states), initial=anywhere, final=anywhere)
