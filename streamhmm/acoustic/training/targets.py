"""What each frame may be, from labelled units: surely one unit, or either of some where a boundary is doubtful."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

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
    """Seconds of doubt on each side of boundaries: of sonorant and vowel, of all phones, of silence.

    ``anchor``: how strongly labels hold boundaries in doubt; one that lies n frames from its label costs anchor · n²/2
    nats. With 0 doubtful frames are unknown and teach nothing.
    """

    sonorant_s: float = 0.0
    boundary_s: float = 0.0
    silence_s: float = 0.0
    anchor: float = 0.0


class FrameTargets(NamedTuple):
    """Phones in order and, for each frame, the range of those that it may belong to.

    Attributes:
        labels: (U,) label index of each phone, ``MASKED`` where unknown.
        first, last: (…, F) into ``labels``: the frame belongs to one of phones ``first`` … ``last``.
        nominal: (…, F) into ``labels``: the one that the labels say.
        anchor: (…, F) nats for each frame of distance, if it belongs to another.
    """

    labels: Tensor
    first: Tensor
    last: Tensor
    nominal: Tensor
    anchor: Tensor

    def certain(self) -> Tensor:
        """(…, F) labels of the frames that can be one phone only, ``MASKED`` elsewhere."""
        return torch.where(self.first == self.last, self.labels[self.first], MASKED)

    def frames(self, start: int, end: int) -> FrameTargets:
        """Frames ``start`` … ``end − 1`` of (F,) targets, and no more phones than they need."""
        first, last, nominal, anchor = (values[start:end] for values in self[1:])
        if len(first) == 0:
            return FrameTargets(self.labels[:0], first, last, nominal, anchor)
        lowest = int(first[0])
        labels = self.labels[lowest : int(last[-1]) + 1]
        return FrameTargets(labels, first - lowest, last - lowest, nominal - lowest, anchor)

    def in_rows(self, rows: int) -> FrameTargets:
        """(F,) targets as (rows, F / rows)."""
        return FrameTargets(self.labels, *(values.view(rows, -1) for values in self[1:]))


def concatenated(parts: Sequence[FrameTargets]) -> FrameTargets:
    """(F,) targets one after the other."""
    offsets = [0, *itertools.accumulate(len(part.labels) for part in parts)]
    moved = [
        (part.labels, part.first + offset, part.last + offset, part.nominal + offset, part.anchor)
        for part, offset in zip(parts, offsets, strict=False)
    ]
    return FrameTargets(*(torch.cat(values) for values in zip(*moved, strict=True)))


class _Span(NamedTuple):
    """A phone (None: unknown) and the frames that may belong to it."""

    phone: str | None
    start: int
    end: int


def frame_targets(units: Sequence[Unit], n_frames: int, masks: Masks, time_scale: float = 1.0) -> FrameTargets:
    """Targets of the frames, which belong to the unit that has their centre; times are multiplied first.

    Frames that no unit covers are silence. A phone shorter than half a frame may have none.
    """
    phones = list(_phones(_gapless(units, n_frames * FRAME_S / time_scale), masks, time_scale))
    spans = [
        _Span(phone, max(0, round(start / FRAME_S)), min(n_frames, round(end / FRAME_S)))
        for phone, start, end in phones
    ]
    spans = [span for span in spans if span.start < span.end]
    first, last = torch.zeros(2, n_frames, dtype=torch.int64)
    for index, span in enumerate(spans):
        last[span.start : span.end] = index
    for index, span in reversed(list(enumerate(spans))):
        first[span.start : span.end] = index
    labels = torch.tensor([LABELS.index(span.phone) if span.phone in LABELS else MASKED for span in spans])
    targets = FrameTargets(labels, first, last, _nominal(spans, n_frames), torch.full((n_frames,), masks.anchor))
    return targets if masks.anchor > 0 else _without_doubt(targets)


def _nominal(spans: Sequence[_Span], n_frames: int) -> Tensor:
    """(F,) the span of each frame if each boundary lies in the middle of its doubt."""
    changes = [(before.end + after.start) // 2 for before, after in itertools.pairwise(spans)]
    return torch.searchsorted(torch.tensor(changes), torch.arange(n_frames), right=True)


def _without_doubt(targets: FrameTargets) -> FrameTargets:
    """The targets with an unknown phone in place of each doubtful stretch."""
    phones = torch.where(targets.first == targets.last, targets.first, -1)
    runs, run_of_frame = torch.unique_consecutive(phones, return_inverse=True)
    labels = torch.where(runs < 0, MASKED, targets.labels[runs])
    return FrameTargets(labels, run_of_frame, run_of_frame, run_of_frame, targets.anchor)


def _gapless(units: Sequence[Unit], duration: float) -> Iterator[Unit]:
    """The units with silence wherever there is none, up to ``duration``; gaps below half a frame are closed."""
    time = 0.0
    for unit in units:
        if unit.start > time + FRAME_S / 2:
            yield Unit((SILENCE,), time, unit.start)
            yield unit
        else:
            yield Unit(unit.phones, time, max(time, unit.end))
        time = max(time, unit.end)
    if time < duration:
        yield Unit((SILENCE,), time, duration + FRAME_S)


def _phones(units: Iterator[Unit], masks: Masks, time_scale: float) -> Iterator[tuple[str, float, float]]:
    """Each phone with the earliest time at which it may start and the latest at which it may end."""
    known = list(units)
    doubts = [0.0, *(_doubt(a.phones[-1], b.phones[0], masks) for a, b in itertools.pairwise(known)), 0.0]
    for unit, before, after in zip(known, doubts, doubts[1:], strict=False):
        start, end = unit.start * time_scale, unit.end * time_scale
        head, tail = (start + share * (end - start) for share in (HEAD, TAIL))
        for index, phone in enumerate(unit.phones):
            is_first, is_last = index == 0, index == len(unit.phones) - 1
            yield phone, start - before if is_first else head, end + after if is_last else tail


def _doubt(before: str, after: str, masks: Masks) -> float:
    if SILENCE in (before, after):
        return masks.silence_s
    kinds = [(phone in VOWELS, phone in SONORANTS) for phone in (before, after)]
    sonorant = any(vowel for vowel, _ in kinds) and any(sonorant for _, sonorant in kinds)
    return max(masks.sonorant_s if sonorant else 0.0, masks.boundary_s)
