"""The unit of every result: a labelled stretch of time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Segment:
    """A word or a phone and when it is spoken.

    ``start`` and ``end`` are seconds from the beginning of the audio, the end exclusive. A word's ``label`` is the
    user's own spelling, a phone's is ARPAbet without stress, or a token of the model where that is a Hugging Face one.
    ``score`` is in 0…1; ``start_sd`` and ``end_sd`` are standard deviations of the two times in milliseconds. All three
    are None where nobody measured them, the last two also where the recording itself begins or ends.
    """

    label: str
    start: float
    end: float
    score: float | None = None
    start_sd: float | None = None
    end_sd: float | None = None

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.end - self.start
