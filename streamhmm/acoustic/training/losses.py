"""What training makes small: cross-entropy where labels are certain, or the full sum over the boundaries in doubt."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from streamhmm.acoustic.training.targets import MASKED, FrameTargets
from streamhmm.graph import Graph
from streamhmm.ops import log_likelihood


def cross_entropy(log_posteriors: Tensor, targets: FrameTargets) -> Tensor:
    """Mean of −log p(label) over the frames whose label is certain; log_posteriors are (B, F, V)."""
    labels = targets.certain().flatten()
    return nn.functional.nll_loss(log_posteriors.flatten(0, 1), labels, ignore_index=MASKED)


def full_sum(log_posteriors: Tensor, targets: FrameTargets) -> Tensor:
    """Minus the mean over frames of log Σ over paths of Π p(phone), by the engine's ``log_likelihood``.

    A path goes through the phones of a row in order and keeps to the frames that each may have. So labels anchor it:
    where they are certain this is cross-entropy, and a boundary moves within its doubt only (full-sum training:
    Zeyer et al. 2017). Keep the doubt small: the network sees little of what comes, so boundaries drift late.

    Args:
        log_posteriors: (B, F, V), with their gradients.
        targets: (B, F). An unknown phone may be anything, and teaches nothing.
    """
    scores, graphs = [], []
    for row, first, last in zip(log_posteriors, targets.first, targets.last, strict=True):
        lowest, highest = int(first[0]), int(last[-1])
        scores.append(_phone_scores(row, targets.labels[lowest : highest + 1], first - lowest, last - lowest))
        graphs.append(_chain(highest - lowest + 1))
    widest = max(score.shape[1] for score in scores)
    padded = torch.stack([nn.functional.pad(score, (0, widest - score.shape[1])) for score in scores])
    sums = log_likelihood(padded, graphs)
    possible = sums.isfinite()  # a row cut where its phones no longer fit has no path
    return -(sums[possible].sum() / (possible.sum().clamp(min=1) * log_posteriors.shape[1])).float()


def _phone_scores(scores: Tensor, labels: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """(F, U) scores of the phones, 0 for unknown ones, −inf outside the frames that a phone may have."""
    phones = torch.arange(len(labels))
    known = scores[:, labels.clamp(min=0)].masked_fill(labels == MASKED, 0.0)
    outside = (phones < first[:, None]) | (phones > last[:, None])
    return known.masked_fill(outside, -math.inf)


def _chain(states: int) -> Graph:
    """States in order, none left out; the anchors decide where a path starts and ends."""
    anywhere = torch.zeros(states)
    return Graph.linear(torch.arange(states), initial=anywhere, final=anywhere)
