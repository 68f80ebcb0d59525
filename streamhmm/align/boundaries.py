"""Where between its frames a boundary lies, and how surely."""

from __future__ import annotations

import torch
from torch import Tensor

from streamhmm.align.runs import Runs

REACH_FRAMES = 20
"""Other places for a boundary are considered if they are less far from that of the best path."""


def crossings(runs: Runs, scores: Tensor) -> Tensor:
    """(R − 1,) frames at which the (T, V) score of the next phone overtakes that of the one before.

    Between the centres of the two frames on either side of a change, by linear interpolation; at the frames' edge
    where the scores do not cross there. Nothing tells two equal phones apart ("at ten"): they get half of the time
    each.
    """
    changes, before, after = runs.bounds[1:-1], runs.pdfs[:-1], runs.pdfs[1:]
    lead_before = (scores[changes - 1, after] - scores[changes - 1, before]).double()
    lead_after = (scores[changes, after] - scores[changes, before]).double()
    slope = lead_after - lead_before
    crossing = changes - 0.5 - lead_before / slope
    crosses = (lead_before < 0) & (lead_after > 0) & slope.isfinite()  # forbidden frames have none
    places = torch.where(crosses, crossing, changes.double())
    equal = (before == after) & runs.spoken[:-1] & runs.spoken[1:]
    return torch.where(equal, (runs.bounds[:-2] + runs.bounds[2:]) / 2, places)


def spreads(runs: Runs, scores: Tensor, scale: float) -> Tensor:
    """(R − 1,) standard deviations, in frames, of the boundaries' posterior distributions.

    P(boundary at τ) ∝ exp(scale · (Σ_{t<τ} s_t(before) + Σ_{t≥τ} s_t(after))), for the τ within ``REACH_FRAMES`` that
    leave a frame to either phone, the other boundaries staying where they are. ``scale`` below 1 makes up for frames
    that are not independent (Wessel et al. 2001).
    """
    changes, before, after = runs.bounds[1:-1], runs.pdfs[:-1], runs.pdfs[1:]
    offsets = torch.arange(-REACH_FRAMES, REACH_FRAMES)
    frames = changes[:, None] + offsets
    within = (frames >= runs.bounds[:-2, None]) & (frames < runs.bounds[2:, None])
    frames = frames.clamp(0, len(scores) - 1)
    gains = (scores[frames, before[:, None]] - scores[frames, after[:, None]]).double()
    gains = torch.where(within, gains, 0.0).nan_to_num(nan=0.0, posinf=1e3, neginf=-1e3)
    totals = torch.nn.functional.pad(gains.cumsum(1), (1, 0))  # of a boundary after the frames so far
    possible = torch.nn.functional.pad(within[:, :-1] & within[:, 1:], (1, 1))
    possible[:, REACH_FRAMES] = True
    weights = (scale * totals).masked_fill(~possible, float("-inf")).softmax(1)
    places = torch.arange(-REACH_FRAMES, REACH_FRAMES + 1, dtype=torch.float64)
    mean = weights @ places
    return (weights @ places.square() - mean.square()).clamp(min=0).sqrt()
