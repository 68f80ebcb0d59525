"""Where text and audio do not belong together, as far as the evidence tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from streamhmm.align.calibration import Calibration
from streamhmm.align.evidence import Judgement
from streamhmm.segment import Segment

TOLERATED_NATS = 1.5
"""What a frame may speak against the text before it counts."""
MOST_NATS = 6.0
"""What a frame counts at most."""
MOST_NAMED = 8
WORD_ALARMS, STRETCH_ALARMS = 0.003, 0.015
"""Shares of the recordings with a right text for which a warning of words, of stretches may be given …"""
RAREST_ALARM = 1e-5
"""… as long as that asks for no rarer words and stretches than calibrations can tell."""
LONG_BASE_S, LONG_PHONE_S = 1.2, 0.4
"""A word is implausibly long beyond the first and so much for each phone …"""
SHORT_PHONE_S, FEWEST_PHONES = 0.025, 3
"""… and implausibly short below so much for each phone, if it has so many."""
LONG_GAP_S = 10.0
LONG_RECORDING_S = 60.0
"""Who has so much to align is told what may be done about differences."""


def check_fit(
    words: Sequence[Segment],
    phone_words: Sequence[int],
    judgement: Judgement,
    contrast: Tensor | None,
    frame_s: float,
    calibration: Calibration,
) -> tuple[str, ...]:
    """Warnings of what in a text is not in its audio, or the other way round.

    Args:
        words, phone_words: of the alignment.
        judgement: of the words and of the text as a whole. If that is not what is spoken, nothing else is said.
        contrast: (T,) of frames that last ``frame_s``; None where the path itself tells what is not in the text.
    """
    if judgement.text < calibration.least_text:
        return (
            f"the text does not seem to be what is spoken (probability {judgement.text:.0%}); "
            "check that audio and text belong together",
        )
    return (
        *check_words(words, judgement.doubts, calibration),
        *([] if contrast is None else check_stretches(contrast, frame_s, calibration)),
        *check_durations(words, phone_words),
    )


def check_words(words: Sequence[Segment], doubts: Tensor, calibration: Calibration) -> tuple[str, ...]:
    """A warning that names the words that are not in the audio; doubts are (W,)."""
    limit = calibration.word_tail.limit(max(WORD_ALARMS / len(words), RAREST_ALARM))
    doubtful = [word for word, doubt in zip(words, doubts.tolist(), strict=True) if doubt > limit]
    if not doubtful:
        return ()
    return (f"not in the audio, or said otherwise: {named(doubtful)}; check the text there",)


def check_stretches(contrast: Tensor, frame_s: float, calibration: Calibration) -> tuple[str, ...]:
    """A warning of the stretches of audio that the text does not explain; contrast is (T,)."""
    parts = max(1.0, len(contrast) * frame_s / calibration.stretch_s)
    limit = calibration.stretch_tail.limit(max(STRETCH_ALARMS / parts, RAREST_ALARM))
    stretches = sorted(unexplained_stretches(speaks_against(contrast), limit))
    if not stretches:
        return ()
    times = first_named([f"from {start * frame_s:.2f} to {end * frame_s:.2f} s" for start, end in stretches])
    return (f"speech that the text does not explain {times}; check the text there",)


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
        f"implausibly {kind}: {named(found)}; check the text there"
        for kind, found in (("long", long), ("short", short))
        if found
    )


def check_gaps(words: Sequence[Segment], duration: float) -> tuple[str, ...]:
    """A warning of long stretches without words."""
    ends = [0.0, *(word.end for word in words)]
    starts = [*(word.start for word in words), duration]
    gaps = [(end, start) for end, start in zip(ends, starts, strict=True) if start - end >= LONG_GAP_S]
    if not gaps:
        return ()
    times = first_named([f"from {start:.1f} to {end:.1f} s" for start, end in gaps])
    return (f"no words {times}; check the text there",)


def advise(differences: Sequence[str], duration: float) -> tuple[str, ...]:
    """What to do about ``differences`` that were warned of, in a recording of so many seconds."""
    if not differences or duration < LONG_RECORDING_S:
        return ()
    return ("where text and speech differ, imperfect=True (--imperfect) leaves out words that are not spoken",)


def first_named(names: Sequence[str]) -> str:
    """The first of ``names``, and how many more there are."""
    rest = [f"and {len(names) - MOST_NAMED} more"] if len(names) > MOST_NAMED else []
    return ", ".join([*names[:MOST_NAMED], *rest])


def named(words: Sequence[Segment]) -> str:
    """The first of ``words`` with their times."""
    return first_named([f"{word.label!r} at {word.start:.2f} s" for word in words])
