"""A recording in blocks of any rate and channel count in, its checked mono samples at one rate out."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from streamhmm.audio.resample import HIGHEST_RATE_HZ, LOWEST_RATE_HZ, Resampler
from streamhmm.errors import AudioError


class Converter:
    """Picks or mixes channels, checks and resamples, block by block; the result is the same for any division into them.

    Args:
        name: what messages call the recording.
        source_rate: samples a second coming in.
        channels: channels coming in.
        sample_rate: samples a second going out.
        channel: the channel to keep, counted from 1; None takes the mean of all.

    Raises:
        AudioError: for a source rate outside 1 kHz…768 kHz, or a channel that the recording does not have.
        ValueError: for a target rate outside that range, or a channel below 1.
    """

    def __init__(self, name: str, source_rate: int, channels: int, *, sample_rate: int, channel: int | None) -> None:
        if not LOWEST_RATE_HZ <= source_rate <= HIGHEST_RATE_HZ:
            raise AudioError(
                f"{name}: a sample rate of {source_rate} Hz can't be right; the header is probably damaged, "
                f"expected {LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ} Hz"
            )
        self._resampler = Resampler(source_rate, sample_rate, channel)
        if channel is not None and channel > channels:
            raise AudioError(f"{name}: there is no channel {channel}; the recording's channels are 1 to {channels}")
        self._name = name
        self._source_rate = source_rate
        self._frames = 0

    def check(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """The next frames (n, channels) as one channel (n,). Raises AudioError at the first that is not finite."""
        mono = self._resampler.mix(block)
        finite = np.isfinite(mono)
        if not finite.all():
            at_s = (self._frames + int(np.argmin(finite))) / self._source_rate
            raise AudioError(
                f"{self._name}: the sample at {at_s:.3f} s is not a finite number; repair or export the recording again"
            )
        self._frames += len(mono)
        return mono

    def convert(self, block: NDArray[np.float32], last: bool = False) -> NDArray[np.float32]:
        """Frames (n, channels) that were checked, at the new rate; of the last block all that is left."""
        return self._resampler.convert(block, last)

    def recording(self, blocks: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
        """A whole recording (n,) from blocks (n, channels), of which one is held at a time.

        Raises:
            AudioError: at the first sample that is not a finite number, or at the end if there was none.
        """
        collected = bytearray()  # grows in place, where joining a list of arrays would hold everything twice
        for block in blocks:
            collected += self._resampler.push(self.check(block)).tobytes()
        collected += self._resampler.finish().tobytes()
        if not collected:
            raise AudioError(self.no_samples)
        return np.frombuffer(collected, np.float32)

    @property
    def no_samples(self) -> str:
        """What is said of a recording without any."""
        return f"{self._name}: zero-length audio, there are no samples in it; record or export it again"
