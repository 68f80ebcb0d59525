"""How far a model's boundaries are from known ones, by forced alignment with the known phones."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from streamhmm.acoustic.labels import LABELS
from streamhmm.acoustic.training.manifest import UNKNOWN, Unit
from streamhmm.acoustic.training.targets import FRAME_S
from streamhmm.graph import Graph
from streamhmm.ops import viterbi

MIN_FRAMES = 3
LARGEST_S = 0.1
"""Errors count at most this much, so that one lost utterance does not decide."""


class BoundaryError(NamedTuple):
    """Mean of the clipped absolute error, seconds, and the share within 20 ms, of so many ``boundaries``."""

    mean_s: float
    within_20_ms: float
    boundaries: int


def forced_starts(scores: Tensor, phones: Sequence[str]) -> list[int] | None:
    """First frame of each phone on the best path through ``scores`` (T, V); None where the audio is too short."""
    if len(scores) < MIN_FRAMES * len(phones):
        return None
    pdfs = torch.tensor([LABELS.index(phone) for phone in phones]).repeat_interleave(MIN_FRAMES)
    loops = torch.full((len(pdfs),), float("-inf"))
    loops[MIN_FRAMES - 1 :: MIN_FRAMES] = 0.0
    states = viterbi(scores, Graph.linear(pdfs, self_loop=loops)).states
    return [int(first) for first in torch.searchsorted(states, torch.arange(len(phones)) * MIN_FRAMES)]


def boundary_errors(scores: Tensor, units: Sequence[Unit]) -> list[float]:
    """Absolute errors in seconds of the boundaries between units; beside an unknown one nothing is compared."""
    phones = [phone for unit in units for phone in unit.phones if phone != UNKNOWN]
    starts = forced_starts(scores, phones)
    errors = []
    position = 0
    for before, after in itertools.pairwise(units):
        position += sum(phone != UNKNOWN for phone in before.phones)
        if UNKNOWN not in before.phones and after.phones[0] != UNKNOWN:
            errors.append(LARGEST_S if starts is None else abs(starts[position] * FRAME_S - after.start))
    return errors


def summarise(errors: Sequence[float]) -> BoundaryError:
    """The figures of many boundaries, at least one."""
    values = torch.tensor(errors, dtype=torch.float64)
    within = float((values <= 0.02).double().mean())
    return BoundaryError(float(values.clamp(max=LARGEST_S).mean()), within, len(values))
