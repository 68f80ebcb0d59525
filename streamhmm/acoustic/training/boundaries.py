"""How far a model's boundaries are from known ones, by forced alignment with the known phones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from streamhmm.acoustic.labels import LABELS
from streamhmm.acoustic.training.manifest import UNKNOWN, Unit

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
    from streamhmm import Graph, viterbi

    if len(scores) < MIN_FRAMES * len(phones):
        return None
    pdfs = torch.tensor([LABELS.index(phone) for phone in phones]).repeat_interleave(MIN_FRAMES)
    loops = torch.full((len(pdfs),), float("-inf"))
    loops[MIN_FRAMES - 1 :: MIN_FRAMES] = 0.0
    states = viterbi(scores, Graph.linear(pdfs, self_loop=loops)).states
    return [int(first) for first in torch.searchsorted(states, torch.arange(len(phones)) * MIN_FRAMES)]


def boundary_errors(scores: Tensor, units: Sequence[Unit]) -> list[float]:
    """Absolute errors in seconds of the boundaries between units; beside an unknown one nothing is compared."""
    known = [unit for unit in units if unit.phones[0] != UNKNOWN]
    phones = [phone for unit in known for phone in unit.phones if phone != UNKNOWN]
    compared = [(len([p for u in known[:i] for p in u.phones if p != UNKNOWN]), i) for i in range(1, len(known))]
    starts = forced_starts(scores, phones)
    errors = []
    for position, index in compared:
        if abs(known[index - 1].end - known[index].start) > 1e-6 or UNKNOWN in known[index - 1].phones:
            continue
        errors.append(LARGEST_S if starts is None else abs(starts[position] * 0.01 - known[index].start))
    return errors


def summarise(errors: Sequence[float]) -> BoundaryError:
    """The figures of many boundaries."""
    values = torch.tensor(errors, dtype=torch.float64)
    within = float((values <= 0.02).double().mean())
    return BoundaryError(float(values.clamp(max=LARGEST_S).mean()), within, len(values))
