"""Where audio waits between the device that brings it and the aligner that takes it."""

from __future__ import annotations

import threading
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

GAPS = 256


class Taken(NamedTuple):
    """What a read gives, in the order in which it happened: ``lost`` frames that never got in, then ``samples``.

    Attributes:
        samples: (n, channels) float32, the reader's own copy.
        lost: frames that were dropped directly before the first of the samples.
    """

    samples: NDArray[np.float32]
    lost: int


class AudioRing:
    """Ring buffer of audio for one thread that writes and one that reads.

    ``write`` may be called from an audio callback: it copies into memory that was reserved at the start and holds the
    lock only to move its place on. When the ring is full the new samples are dropped, and counted at their place, so
    that the reader knows what is missing where: frames read + frames lost = frames written, in order.

    ``GAPS`` stretches of dropped samples can wait to be read. When they are used up, the last one grows until the
    reader has taken one: samples are then dropped although there is room.

    Args:
        frames: that the ring can hold, at least 1.
        channels: of each frame, at least 1.

    Raises:
        ValueError: for fewer than one frame or channel.
    """

    def __init__(self, frames: int, channels: int = 1) -> None:
        if frames < 1 or channels < 1:
            raise ValueError(f"a ring needs at least 1 frame and 1 channel, got {frames} and {channels}")
        self.frames = frames
        self.channels = channels
        self._samples = np.zeros((frames, channels), np.float32)
        self._changed = threading.Condition()
        self._written = 0  # frames that got in, ever
        self._read = 0  # frames taken out, ever
        self._dropped = 0
        self._closed = False
        self._gap_at = [0] * GAPS  # value of _written when the gap began
        self._gap_frames = [0] * GAPS
        self._gaps_made = 0  # ever; the newest is entry (_gaps_made - 1) % GAPS
        self._gaps_taken = 0

    @property
    def fill(self) -> int:
        """Frames that wait to be read."""
        with self._changed:
            return self._written - self._read

    @property
    def dropped(self) -> int:
        """Frames dropped since the start."""
        return self._dropped

    @property
    def closed(self) -> bool:
        """Whether nothing more will be written."""
        return self._closed

    def write(self, block: NDArray[np.float32]) -> int:
        """Copies as much of ``block``, (n, channels), as there is room for and drops the rest.

        Returns:
            how many frames were dropped. After :meth:`close` nothing is written, dropped or counted.

        Raises:
            ValueError: if the block has another shape.
        """
        if block.ndim != 2 or block.shape[1] != self.channels:
            raise ValueError(f"block must be (n, {self.channels}), got shape {block.shape}")
        with self._changed:
            if self._closed:
                return 0
            start = self._written
            kept = min(len(block), self._room())
        self._put(start, block[:kept])  # these frames are the writer's until _written moves on
        lost = len(block) - kept
        with self._changed:
            self._written = start + kept
            if lost:
                self._note_gap(lost)
            self._changed.notify_all()
        return lost

    def lose(self, frames: int) -> None:
        """Count frames that never reached the writer, at the place of the next write; nothing after :meth:`close`."""
        with self._changed:
            if frames > 0 and not self._closed:
                self._note_gap(frames)
                self._changed.notify_all()

    def read(self, max_frames: int) -> Taken:
        """Takes up to ``max_frames``, no further than the next gap; what is there, without waiting.

        A gap comes with the samples that follow it, or alone if none has followed yet; a gap that goes on is then
        given in parts.

        Raises:
            ValueError: if max_frames is less than 1.
        """
        if max_frames < 1:
            raise ValueError(f"max_frames must be at least 1, got {max_frames}")
        with self._changed:
            start = self._read
            lost = self._take_gap()
            end = min(start + max_frames, self._written)
            if self._gaps_taken < self._gaps_made:
                end = min(end, self._gap_at[self._gaps_taken % GAPS])
        samples = self._get(start, end)  # these frames are the reader's until _read moves on
        with self._changed:
            self._read = end
            self._changed.notify_all()
        return Taken(samples, lost)

    def wait(self, frames: int, timeout_s: float | None = None) -> bool:
        """Blocks until ``frames`` (or a full ring) can be read, a gap waits, or the ring is closed.

        Returns:
            False if the time ran out first.
        """
        enough = min(frames, self.frames)
        with self._changed:
            return self._changed.wait_for(
                lambda: self.fill >= enough or self._waiting_gaps() > 0 or self._closed, timeout_s
            )

    def wait_for_room(self, frames: int, timeout_s: float | None = None) -> bool:
        """Blocks until ``frames`` can be written without loss: for writers that can wait, such as a file's.

        Returns:
            False if the time ran out first or the ring was closed.

        Raises:
            ValueError: if the ring is smaller than that.
        """
        if frames > self.frames:
            raise ValueError(f"a ring of {self.frames} frames never has room for {frames}; write smaller blocks")
        with self._changed:
            self._changed.wait_for(lambda: self._room() >= frames or self._closed, timeout_s)
            return self._room() >= frames and not self._closed

    def close(self) -> None:
        """Ends the writing, from either side; what waits can still be read. May be called again."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _room(self) -> int:
        """Frames that can be written: none while an unfinished gap holds the last free entry for gaps."""
        if self._waiting_gaps() == GAPS and self._newest_gap_is_open():
            return 0
        return self.frames - self.fill

    def _waiting_gaps(self) -> int:
        return self._gaps_made - self._gaps_taken

    def _newest_gap_is_open(self) -> bool:
        return self._waiting_gaps() > 0 and self._gap_at[(self._gaps_made - 1) % GAPS] == self._written

    def _note_gap(self, lost: int) -> None:
        self._dropped += lost
        if not self._newest_gap_is_open():
            self._gap_at[self._gaps_made % GAPS] = self._written
            self._gap_frames[self._gaps_made % GAPS] = 0
            self._gaps_made += 1
        self._gap_frames[(self._gaps_made - 1) % GAPS] += lost

    def _take_gap(self) -> int:
        """The frames lost directly before the next sample to be read."""
        entry = self._gaps_taken % GAPS
        if not self._waiting_gaps() or self._gap_at[entry] != self._read:
            return 0
        self._gaps_taken += 1
        return self._gap_frames[entry]

    def _put(self, start: int, block: NDArray[np.float32]) -> None:
        first = start % self.frames
        head = min(len(block), self.frames - first)
        self._samples[first : first + head] = block[:head]
        self._samples[: len(block) - head] = block[head:]

    def _get(self, start: int, end: int) -> NDArray[np.float32]:
        samples = np.empty((end - start, self.channels), np.float32)
        first = start % self.frames
        head = min(len(samples), self.frames - first)
        samples[:head] = self._samples[first : first + head]
        samples[head:] = self._samples[: len(samples) - head]
        return samples
