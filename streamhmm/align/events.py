"""What a stream tells while somebody speaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from streamhmm.segment import Segment

Kind = Literal["partial", "final", "skipped", "offscript", "gap"]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that became known.

    Attributes:
        kind: "partial": the word is now being spoken, its end is not known yet; "final": the word and its times, never
            revised; "skipped": a later word is final and this one was passed over; "offscript": speech that is not in
            the text; "gap": samples were lost.
        index: of the word in the user's text; None for "offscript" and "gap".
        take: how many times the word had been read before.
        segment: the word or stretch; its times are seconds from the first sample ever received. A partial word ends at
            the newest frame; a skipped word has no segment.
        audio_time: seconds of audio received when this was known.
        emitted_at: ``time.monotonic()`` then.
    """

    kind: Kind
    index: int | None
    take: int
    segment: Segment | None
    audio_time: float
    emitted_at: float


@dataclass(frozen=True, slots=True)
class Position:
    """Where the reader is at the newest sample: ``index`` of the word, −1 before the first, and how probable it is."""

    index: int
    confidence: float
