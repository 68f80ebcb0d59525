"""What live audio comes from and goes to: the contract of microphones, files played as microphones, and recorders."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamhmm.audio.ring import AudioRing
from streamhmm.errors import StreamHMMError


class Source(Protocol):
    """Writes audio into a ring from a thread of its own, at its own pace.

    A device drops what finds no room (:meth:`AudioRing.write`); a file played as fast as possible waits for room
    (:meth:`AudioRing.wait_for_room`). Either way the source sets ``ended`` or ``error`` after its last write.
    """

    @property
    def sample_rate(self) -> int:
        """Frames a second that are written into the ring."""

    @property
    def channels(self) -> int:
        """Of each frame written into the ring."""

    @property
    def ended(self) -> bool:
        """Whether there is no more to come: a file has been played out."""

    @property
    def error(self) -> StreamHMMError | None:
        """Why no more will come although it should, such as an unplugged device. What was written stays good."""

    def start(self, ring: AudioRing) -> None:
        """Begins to write; called once. Raises ``AudioError`` if it can't."""

    def stop(self) -> None:
        """Ends the writing; after it returns nothing more is written. May be called again, and before ``start``."""

    def convert(self, block: NDArray[np.float32], last: bool = False) -> NDArray[np.float32]:
        """(n, channels) at the source's rate → (m,) mono at the stream's rate, with state from block to block.

        Args:
            block: the next frames, possibly none.
            last: also give what a filter has held back; the next block then begins anew. So it is at a gap and at the
                end.
        """


class Recorder(Protocol):
    """Keeps what was taken from the ring, at the source's rate."""

    def write(self, samples: NDArray[np.float32], lost: int) -> None:
        """``lost`` frames of silence, so that times stay right, then ``samples``, (n, channels)."""

    def close(self) -> None:
        """Completes the recording. May be called again."""
