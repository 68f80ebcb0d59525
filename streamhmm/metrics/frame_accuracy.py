"""How much of the time two alignments of one recording say the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamhmm.metrics.phone_classes import is_silence, phone_key
from streamhmm.segment import Segment

_EPSILON_S = 1e-9


class FrameAccuracy(NamedTuple):
    """Frames of a recording and how many have the same label on both sides; ``percent`` is NaN without any frame."""

    frames: int
    correct: int
    percent: float


def frame_accuracy(
    reference: Sequence[Segment],
    hypothesis: Sequence[Segment],
    *,
    frame_shift_ms: float = 10.0,
    duration_s: float | None = None,
    with_silence: bool = True,
) -> FrameAccuracy:
    """The share of the frames that have the same label in two alignments.

    Frame i stands for the instant (i + ½) · frame shift; a segment has it from its start to before its end. Where
    there is no segment, or one of silence, the label is silence. ARPAbet is compared without stress.

    >>> from streamhmm.metrics import frame_accuracy
    >>> from streamhmm.segment import Segment
    >>> ours = [Segment("T", 0.0, 0.05), Segment("UW1", 0.05, 0.10)]
    >>> frame_accuracy(ours, [Segment("T", 0.0, 0.07), Segment("UW", 0.07, 0.10)]).percent
    80.0

    Args:
        reference, hypothesis: segments in order, without overlap.
        frame_shift_ms: from frame to frame.
        duration_s: length of the recording; by default to the last end of either side.
        with_silence: frames that are silent in the reference count too.

    Raises ValueError for a frame shift or duration that is not above 0 or not finite, and for segments that are out of
    order or have a time that is not finite.
    """
    for name, value in (("frame_shift_ms", frame_shift_ms), ("duration_s", duration_s)):
        if value is not None and not 0 < value < math.inf:
            raise ValueError(f"{name} must be above 0, got {value}")
    for name, side in (("reference", reference), ("hypothesis", hypothesis)):
        if not all(math.isfinite(segment.start) and math.isfinite(segment.end) for segment in side):
            raise ValueError(f"{name} must have segments with finite times")
    ends = [segment.end for segment in (*reference, *hypothesis)]
    length_s = max(ends, default=0.0) if duration_s is None else duration_s
    centres = (np.arange(math.floor(1000 * length_s / frame_shift_ms + 0.5 + _EPSILON_S)) + 0.5) * frame_shift_ms / 1000
    ours, theirs = _labels(reference, centres, "reference"), _labels(hypothesis, centres, "hypothesis")
    if not with_silence:
        spoken = ours != ""
        ours, theirs = ours[spoken], theirs[spoken]
    correct = int((ours == theirs).sum())
    return FrameAccuracy(len(ours), correct, 100 * correct / len(ours) if len(ours) else math.nan)


def _labels(segments: Sequence[Segment], times: NDArray[np.float64], name: str) -> NDArray[np.object_]:
    """The label at each time; "" is silence."""
    starts = np.array([segment.start for segment in segments])
    ends = np.array([segment.end for segment in segments])
    if (starts[1:] < ends[:-1] - _EPSILON_S).any():
        raise ValueError(f"{name} must have segments in order, without overlap")
    keys = ["" if is_silence(segment.label) else phone_key(segment.label) for segment in segments]
    labels = np.array([*keys, ""], dtype=object)
    index = np.searchsorted(starts, times + _EPSILON_S, side="right") - 1  # −1 reads the silence at the end
    past = (index >= 0) & (times + _EPSILON_S >= np.append(ends, 0.0)[index])
    return labels[np.where(past, -1, index)]
