"""Frame targets from labelled units, with doubtful stretches masked."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from streamhmm.acoustic.labels import LABELS, SILENCE, SONORANTS, VOWELS
from streamhmm.acoustic.training.manifest import Unit

MASKED = -100
FRAME_S = 0.01
HEAD, TAIL = 0.4, 0.7
"""A unit of several phones is surely its first phone until ``HEAD`` of its length and its last one from ``TAIL`` on."""


@dataclass(frozen=True)
class Masks:
    """Seconds masked on each side of boundaries: of sonorant and vowel, of all phones, of silence."""

    sonorant_s: float = 0.0
    boundary_s: float = 0.0
    silence_s: float = 0.0


def frame_targets(units: Sequence[Unit], n_frames: int, masks: Masks, time_scale: float = 1.0) -> Tensor:
    """(n_frames,) label indices at the frames' centres, ``MASKED`` where unknown; times are multiplied first.

    Frames after the last unit are silence.
    """
    targets = torch.full((n_frames,), LABELS.index(SILENCE))
    for unit in units:
        start, end = unit.start * time_scale, unit.end * time_scale
        if len(unit.phones) == 1:
            _fill(targets, start, end, unit.phones[0])
            continue
        _fill(targets, start, end, None)
        _fill(targets, start, start + HEAD * (end - start), unit.phones[0])
        _fill(targets, start + TAIL * (end - start), end, unit.phones[-1])
    for before, after in itertools.pairwise(units):
        width = _doubt(before.phones[-1], after.phones[0], masks)
        if width > 0:
            _fill(targets, after.start * time_scale - width, after.start * time_scale + width, None)
    return targets


def _doubt(before: str, after: str, masks: Masks) -> float:
    if SILENCE in (before, after):
        return masks.silence_s
    kinds = [(phone in VOWELS, phone in SONORANTS) for phone in (before, after)]
    sonorant = any(vowel for vowel, _ in kinds) and any(sonorant for _, sonorant in kinds)
    return max(masks.sonorant_s if sonorant else 0.0, masks.boundary_s)


def _fill(targets: Tensor, start: float, end: float, phone: str | None) -> None:
    """Set the frames whose centre lies in [start, end)."""
    first, last = (max(0, round(time / FRAME_S)) for time in (start, end))
    targets[first:last] = LABELS.index(phone) if phone in LABELS else MASKED
