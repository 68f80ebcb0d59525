"""Audio as it comes from a device, gaps included, goes into a stream at the stream's rate and at the right time."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamhmm.align.events import Event, Position
from streamhmm.align.results import Alignment
from streamhmm.audio.ring import Taken
from streamhmm.audio.source import Source


class Stream(Protocol):
    """What live use needs of an :class:`AlignmentStream`."""

    @property
    def sample_rate(self) -> int:
        """Samples a second that ``push`` expects."""

    def push(self, samples: NDArray[np.float32]) -> list[Event]:
        """Take the next samples, (n,) mono; what became known."""

    def lost(self, samples: int) -> list[Event]:
        """Take note that so many samples never came."""

    def position(self) -> Position:
        """Where the reader is."""

    def close(self) -> list[Event]:
        """End the audio; the last events."""

    def finish(self) -> Alignment:
        """All final events as an alignment."""


class Feed:
    """Converts and counts.

    After ``D`` frames of the source, those that were lost included, the stream has been told of ``round(D · r_stream /
    r_source)`` samples at every gap, whatever the resampler rounds or holds back: so errors never add up over gaps.
    """

    def __init__(self, stream: Stream, source: Source) -> None:
        self._stream = stream
        self._source = source
        self._frames = 0  # of the source, those that were lost included
        self._samples = 0  # of the stream, likewise
        self._nothing = np.zeros((0, source.channels), np.float32)

    def take(self, taken: Taken) -> list[Event]:
        """What became known by the gap and the samples that a ring gave."""
        events = self._gap(taken.lost) if taken.lost else []
        self._frames += len(taken.samples)
        return events + self._push(taken.samples)

    def close(self) -> list[Event]:
        """Ends the audio: the last events."""
        return self._push(self._nothing, last=True) + self._stream.close()

    def _gap(self, frames: int) -> list[Event]:
        events = self._push(self._nothing, last=True)
        self._frames += frames
        rate = self._source.sample_rate
        missing = (self._frames * self._stream.sample_rate + rate // 2) // rate - self._samples
        if missing <= 0:
            return events
        self._samples += missing
        return events + self._stream.lost(missing)

    def _push(self, block: NDArray[np.float32], last: bool = False) -> list[Event]:
        samples = self._source.convert(block, last)
        self._samples += len(samples)
        return self._stream.push(samples) if len(samples) else []
