"""A file played as if it were a microphone."""

from __future__ import annotations

import os
import threading
import time
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray

from streamhmm.audio.convert import Converter
from streamhmm.audio.decode import open_audio, read_blocks
from streamhmm.audio.ring import AudioRing
from streamhmm.errors import AudioError, StreamHMMError

BLOCK_S = 0.01
_PATIENCE_S = 0.1


class Playback:
    """A :class:`~streamhmm.audio.source.Source`: a recording of any format that :func:`load_audio` reads.

    In real time it arrives as from a device, in blocks of 10 ms when they would have been spoken, and what finds no
    room is lost. Otherwise it arrives as fast as it is taken, and nothing is lost.

    Args:
        path: the recording.
        sample_rate: samples a second that :meth:`convert` gives.
        channel: the channel to use, counted from 1; None takes the mean of all.
        fast: as fast as possible.

    Raises:
        AudioError: the file can't be opened, or lacks the channel. Damage further on is found when it is played, and
            then is ``error``.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, sample_rate: int = 16_000, channel: int | None = None, fast: bool = False
    ) -> None:
        self.name = os.fsdecode(path)
        self.error: StreamHMMError | None = None
        self.ended = False
        self._fast = fast
        self._resources = ExitStack()
        with ExitStack() as opened:
            self._reader = opened.enter_context(open_audio(self.name, self.name))
            self._converter = Converter(
                self.name, self._reader.samplerate, self._reader.channels, sample_rate=sample_rate, channel=channel
            )
            self._resources = opened.pop_all()
        self.sample_rate = int(self._reader.samplerate)
        self.channels = int(self._reader.channels)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, ring: AudioRing) -> None:
        """Begins to write into the ring."""
        self._thread = threading.Thread(target=self._run, args=(ring,), name="streamhmm-playback", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the writing and closes the file. May be called again, and before :meth:`start`."""
        self._stopping.set()
        if self._thread is None:
            self._resources.close()
        else:
            self._thread.join()

    def convert(self, block: NDArray[np.float32], last: bool = False) -> NDArray[np.float32]:
        """Frames (n, channels) as mono samples (m,); see :class:`~streamhmm.audio.source.Source`."""
        return self._converter.convert(block, last)

    def _run(self, ring: AudioRing) -> None:
        try:
            with self._resources:
                self._play(ring)
        except AudioError as error:
            self.error = error
        else:
            self.ended = not self._stopping.is_set()

    def _play(self, ring: AudioRing) -> None:
        block_frames = min(max(1, round(BLOCK_S * self.sample_rate)), ring.frames)
        begin, played = time.monotonic(), 0
        for block in read_blocks(self._reader, self.name):
            self._converter.check(block)
            for start in range(0, len(block), block_frames):
                piece = block[start : start + block_frames]
                played += len(piece)
                if not self._is_due(begin + played / self.sample_rate, ring, len(piece)):
                    return
                ring.write(piece)
        if not played:
            raise AudioError(self._converter.no_samples)

    def _is_due(self, due_at: float, ring: AudioRing, frames: int) -> bool:
        """Waits until a piece may be written; False if playing shall end."""
        if not self._fast:
            return not self._stopping.wait(max(0.0, due_at - time.monotonic()))
        while not (self._stopping.is_set() or ring.closed):
            if ring.wait_for_room(frames, _PATIENCE_S):
                return True
        return False
