"""Where text and audio do not belong together, as far as the evidence tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from streamhmm.align.calibration import Calibration
from streamhmm.segment import Segment

TOLERATED_NATS = 1.5
"""What a frame may speak against the text before it counts."""
MOST_NATS = 6.0
"""What a frame counts at most."""
MOST_NAMED = 8
LONG_BASE_S, LONG_PHONE_S = 1.2, 0.4
"""A word is implausibly long beyond the first and so much for each phone …"""
SHORT_PHONE_S, FEWEST_PHONES = 0.025, 3
"""… and implausibly short below so much for each phone, if it has so many."""
LONG_GAP_S = 10.0


def check_fit(
    words: Sequence[Segment],
    phone_words: Sequence[int],
    probability: float,
    contrast: Tensor,
    frame_s: float,
    calibration: Calibration,
) -> tuple[str, ...]:
    """Warnings of what in a text is not in its audio, or the other way round.

    Args:
        words: with their scores. ``phone_words``: for each phone the index of its word.
        probability: that the text as a whole is what is spoken. If it is not, nothing else is said.
        contrast: (T,) of frames that last ``frame_s``.
    """
    if probability < calibration.least_text:
        return (
            f"the text does not seem to be what is spoken (probability {probability:.0%}); "
            "check that audio and text belong together",
        )
    return (
        *check_words(words, calibration),
        *check_stretches(contrast, frame_s, calibration),
        *check_durations(words, phone_words),
    )


def check_words(words: Sequence[Segment], calibration: Calibration) -> tuple[str, ...]:
    """A warning that names the words that are not in the audio."""
    doubtful = [word for word in words if word.score is not None and word.score < calibration.least_word]
    if not doubtful:
        return ()
    return (f"not in the audio, or said otherwise: {_named(doubtful)}; check the text there",)


def check_stretches(contrast: Tensor, frame_s: float, calibration: Calibration) -> tuple[str, ...]:
    """A warning for each stretch of audio that the text does not explain; contrast is (T,)."""
    stretches = sorted(unexplained_stretches(speaks_against(contrast), calibration.stretch_nats))
    return tuple(
        f"speech that the text does not explain from {start * frame_s:.2f} to {end * frame_s:.2f} s; "
        "check the text there"
        for start, end in stretches[:MOST_NAMED]
    )


def speaks_against(contrast: Tensor) -> Tensor:
    """(T,) what each frame counts against the text: above 0 where it fits badly."""
    return (-contrast.double()).clamp(0.0, MOST_NATS) - TOLERATED_NATS


def unexplained_stretches(against: Tensor, least: float) -> Iterator[tuple[int, int]]:
    """Disjoint stretches (first frame, end) over which (T,) ``against`` sums to more than ``least``, in any order."""
    pending = [(0, len(against))]
    while pending:
        start, end = pending.pop()
        stretch = largest_stretch(against[start:end])
        if stretch is None or stretch[2] <= least:
            continue
        first, last = start + stretch[0], start + stretch[1]
        yield first, last
        pending += [(start, first), (last, end)]


def largest_stretch(against: Tensor) -> tuple[int, int, float] | None:
    """The stretch (first frame, end, sum) with the largest sum (Kadane); None if no frame is above 0."""
    if len(against) == 0 or float(against.max()) <= 0:
        return None
    sums = torch.nn.functional.pad(against.cumsum(0), (1, 0))
    lowest, where = sums.cummin(0)
    gains = sums - lowest
    end = int(gains.argmax())
    return int(where[end]), end, float(gains[end])


def check_durations(words: Sequence[Segment], phone_words: Sequence[int]) -> tuple[str, ...]:
    """Warnings that name implausibly long and implausibly short words."""
    phones = [0] * len(words)
    for word in phone_words:
        phones[word] += 1
    pairs = list(zip(words, phones, strict=True))
    long = [word for word, count in pairs if word.duration > LONG_BASE_S + LONG_PHONE_S * count]
    short = [word for word, count in pairs if count >= FEWEST_PHONES and word.duration < SHORT_PHONE_S * count]
    return tuple(
        f"implausibly {kind}: {_named(found)}; check the text there"
        for kind, found in (("long", long), ("short", short))
        if found
    )


def check_gaps(words: Sequence[Segment], duration: float) -> tuple[str, ...]:
    """A warning for each long stretch without words."""
    ends = [0.0, *(word.end for word in words)]
    starts = [*(word.start for word in words), duration]
    gaps = [(end, start) for end, start in zip(ends, starts, strict=True) if start - end >= LONG_GAP_S]
    return tuple(f"no words from {start:.1f} to {end:.1f} s; check the text there" for start, end in gaps[:MOST_NAMED])


def _named(words: Sequence[Segment]) -> str:
    names = [f"{word.label!r} at {word.start:.2f} s" for word in words[:MOST_NAMED]]
    if len(words) > MOST_NAMED:
        names.append(f"and {len(words) - MOST_NAMED} more")
    return ", ".join(names)
