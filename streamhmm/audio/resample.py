"""Frames of any rate and channel count in, mono samples at one rate out, as they come."""

from __future__ import annotations

import numpy as np
import soxr  # type: ignore[import-untyped]
from numpy.typing import NDArray

LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 1_000, 768_000
_NOTHING = np.zeros(0, np.float32)


class Resampler:
    """Picks or mixes channels and resamples, block by block: the only way that audio comes to the model's rate.

    The samples are the same for any division into blocks, and sample n is the sound at n ÷ ``sample_rate`` seconds. The
    filter looks ahead: at 44.1 and 48 kHz they come 23 ms late on average, 40 ms at most.

    Args:
        source_rate: frames a second coming in.
        sample_rate: samples a second going out; equal rates pass through untouched.
        channel: the channel to keep, counted from 1; None takes the mean of all.

    Raises:
        ValueError: for a rate outside 1 kHz…768 kHz, or a channel below 1.
    """

    def __init__(self, source_rate: float, sample_rate: int, channel: int | None = None) -> None:
        for name, rate in (("source_rate", source_rate), ("sample_rate", sample_rate)):
            if not LOWEST_RATE_HZ <= rate <= HIGHEST_RATE_HZ:
                raise ValueError(f"{name} must be {LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ} Hz, got {rate}")
        if channel is not None and channel < 1:
            raise ValueError(f"channel must be 1 or more (the first channel is 1), got {channel}")
        self._channel = channel
        # soxr's float32 path at its default quality.
        self._stream = (
            None if source_rate == sample_rate else soxr.ResampleStream(source_rate, sample_rate, 1, dtype="float32")
        )

    def mix(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """The channel, or the mean of the channels, of a block (n, channels), as samples (n,) of its own."""
        if self._channel is not None:
            return block[:, self._channel - 1].copy()
        mono = block[:, 0].copy()
        # Infinities of both signs meet here; who takes the samples finds them.
        with np.errstate(invalid="ignore", over="ignore"):
            for index in range(1, block.shape[1]):
                mono += block[:, index]
        if block.shape[1] > 1:
            mono /= block.shape[1]
        return mono

    def push(self, mono: NDArray[np.float32]) -> NDArray[np.float32]:
        """The samples that these (n,) complete."""
        return mono if self._stream is None else np.asarray(self._stream.resample_chunk(mono))

    def finish(self) -> NDArray[np.float32]:
        """The samples that are left at the end; the next ones pushed begin anew."""
        if self._stream is None:
            return _NOTHING
        rest = np.asarray(self._stream.resample_chunk(_NOTHING, last=True))
        self._stream.clear()
        return rest

    def convert(self, block: NDArray[np.float32], last: bool = False) -> NDArray[np.float32]:
        """:meth:`mix` and :meth:`push`, and if it is the last block :meth:`finish`: what a source has to do."""
        samples = self.push(self.mix(block))
        return np.concatenate([samples, self.finish()]) if last else samples
