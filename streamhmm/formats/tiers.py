"""What every format writes and reads: words and phones with their times."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from streamhmm.segment import Segment

DECIMALS = 6
"""Times are written to the microsecond."""


@dataclass(frozen=True)
class Tiers:
    """The words and phones of one recording, in order.

    Attributes:
        words, phones: segments that follow one another without overlap, each at least a microsecond long.
        phone_words: for each phone the index of its word, −1 if it belongs to none.
        duration: length of the recording in seconds.
        audio: the recording's name.
        text: the text as the user gave it.
        warnings: what the user should know about the alignment.
        word_indices: for each of ``words`` the index of the word in the text; by default all are read once, in order.
        takes: for each of ``words`` how many times that word had been read before.
        skipped: indices of the words of the text that were never read.
        offscript: stretches of speech that is not in the text.

    Raises:
        ValueError: for an empty label, times that are out of order or outside the recording, a score or a standard
            deviation that is not a number, a word index that does not exist, or a negative one.
    """

    words: tuple[Segment, ...]
    phones: tuple[Segment, ...]
    phone_words: tuple[int, ...]
    duration: float
    audio: str = ""
    text: str = ""
    warnings: tuple[str, ...] = ()
    word_indices: tuple[int, ...] = ()
    takes: tuple[int, ...] = ()
    skipped: tuple[int, ...] = ()
    offscript: tuple[Segment, ...] = ()

    def __post_init__(self) -> None:
        if not (self.duration > 0 and math.isfinite(self.duration)):
            raise ValueError(f"duration must be a positive number of seconds, got {self.duration}")
        _check("words", self.words, self.duration)
        _check("phones", self.phones, self.duration)
        if len(self.phone_words) != len(self.phones):
            raise ValueError(
                f"phone_words must have one entry a phone ({len(self.phones)}), got {len(self.phone_words)}"
            )
        for index in self.phone_words:
            if not -1 <= index < len(self.words):
                raise ValueError(f"phone_words must be -1 to {len(self.words) - 1}, got {index}")
        count = len(self.words)
        object.__setattr__(self, "word_indices", self.word_indices or tuple(range(count)))
        object.__setattr__(self, "takes", self.takes or (0,) * count)
        for name in ("word_indices", "takes"):
            if len(getattr(self, name)) != count:
                raise ValueError(f"{name} must have one entry a word ({count}), got {len(getattr(self, name))}")
        for name in ("word_indices", "takes", "skipped"):
            if min(getattr(self, name), default=0) < 0:
                raise ValueError(f"{name} must not be negative, got {min(getattr(self, name))}")
        _check("offscript", self.offscript, self.duration)

    @property
    def is_plain(self) -> bool:
        """Whether every word was read once, in order, and nothing else."""
        return (
            self.word_indices == tuple(range(len(self.words)))
            and not any(self.takes)
            and not self.skipped
            and not self.offscript
        )


def to_decimals(value: float) -> float:
    """``value`` to the precision of the files, so that equal times are written equal."""
    return round(value, DECIMALS)


def _check(tier: str, segments: Sequence[Segment], duration: float) -> None:
    before = 0.0
    for index, segment in enumerate(segments):
        what = f"{tier}[{index}] ({segment.label!r}, {segment.start} to {segment.end} s)"
        if not segment.label.strip():
            raise ValueError(f"{what} has an empty label")
        if not math.isfinite(segment.start) or not math.isfinite(segment.end):
            raise ValueError(f"{what} has a time that is not a finite number")
        if segment.score is not None and not 0 <= segment.score <= 1:
            raise ValueError(f"{what} has the score {segment.score}, which is not in 0…1")
        for sd in (segment.start_sd, segment.end_sd):
            if sd is not None and not (sd >= 0 and math.isfinite(sd)):
                raise ValueError(f"{what} has the standard deviation {sd}, which is not a number from 0 on")
        start, end = to_decimals(segment.start), to_decimals(segment.end)
        if start < before:
            raise ValueError(f"{what} starts before {before} s, where the segment before it ends")
        if end <= start:
            raise ValueError(f"{what} ends at or before its start")
        if end > to_decimals(duration):
            raise ValueError(f"{what} ends after the recording, which is {duration} s long")
        before = end
