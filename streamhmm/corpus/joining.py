"""The parts of a recording as one alignment of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from streamhmm.align.quality import Quality
from streamhmm.align.results import Alignment
from streamhmm.segment import Segment


class Placed(NamedTuple):
    """An alignment of the part of a recording that begins at ``start_s``."""

    start_s: float
    alignment: Alignment


def join(parts: Sequence[Placed], duration_s: float, warnings: Sequence[str] = ()) -> Alignment:
    """The alignment of a whole recording that lasts ``duration_s``; times are those of the recording.

    ``warnings`` come first. The parts follow one another without overlap.
    """
    words: list[Segment] = []
    phones: list[Segment] = []
    offscript: list[Segment] = []
    indices: list[int] = []
    takes: list[int] = []
    phone_words: list[int] = []
    skipped: list[int] = []
    word_count = 0
    for start_s, alignment in parts:
        moved = alignment.moved(start_s, word_count)
        phone_words += [index + len(words) if index >= 0 else -1 for index in moved.phone_words]
        words += moved.words
        phones += moved.phones
        offscript += moved.offscript
        indices += moved.word_indices
        takes += moved.takes
        skipped += moved.skipped
        word_count = max([word_count - 1, *moved.word_indices, *moved.skipped]) + 1
    first = parts[0].alignment
    return replace(
        first,
        words=_within(words, duration_s),
        phones=_within(phones, duration_s),
        phone_words=tuple(phone_words),
        duration=duration_s,
        text="\n".join(part.alignment.text for part in parts),
        warnings=(*warnings, *_warnings(parts)),
        word_indices=tuple(indices),
        takes=tuple(takes),
        skipped=tuple(skipped),
        offscript=_within(offscript, duration_s),
        quality=_quality([part.alignment for part in parts]),
    )


def _within(segments: Sequence[Segment], duration_s: float) -> tuple[Segment, ...]:
    """The same, in spite of rounding."""
    return tuple(replace(segment, end=min(segment.end, duration_s)) for segment in segments)


def _warnings(parts: Sequence[Placed]) -> list[str]:
    if len(parts) == 1 and parts[0].start_s == 0.0:
        return list(parts[0].alignment.warnings)
    return [f"from {start_s:.2f} s on: {warning}" for start_s, part in parts for warning in part.warnings]


def _quality(parts: Sequence[Alignment]) -> Quality:
    """Means by time of what is a mean, the worst of what tells the worst."""
    found = [part.quality for part in parts if part.quality is not None]
    if len(found) == 1:
        return found[0]
    total = sum(part.duration for part in parts)

    def mean(values: Sequence[float]) -> float:
        return sum(value * part.duration for value, part in zip(values, parts, strict=True)) / total

    return Quality(
        log_likelihood=mean([quality.log_likelihood for quality in found]),
        contrast=mean([quality.contrast for quality in found]),
        text_score=min(quality.text_score for quality in found),
        surprise=max(quality.surprise for quality in found),
        level_db=mean([quality.level_db for quality in found]),
        snr_db=min((quality.snr_db for quality in found if quality.snr_db is not None), default=None),
        clipped=mean([quality.clipped for quality in found]),
    )
